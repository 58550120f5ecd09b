"""Side by side with other programs: films against pytorch-deepdream, stills against neural-dream.

    python -m benchmarks.peers --pytorch-deepdream FOLDER --neural-dream FOLDER

FOLDER is a copy of the program (gordicaleksa/pytorch-deepdream, ProGamerGov/neural-dream); nothing in it is changed.
The film: an endless zoom at 1280x720, GoogLeNet's inception4c with random weights, 2 octaves of ratio 1.8, 2 steps,
to a finished film; and dreamreel's default network in its place. Each program runs whole, in one thread, with two
lengths: their difference is what frames take. The still: `benchmarks.still`.
"""

from __future__ import annotations

import argparse
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import torchvision

from benchmarks import still
from benchmarks.common import report
from pipeline.media.ffmpeg import ffmpeg_program

SHORT, LONG, WIDTH, HEIGHT = 2, 6, 1280, 720
PRESET = """
size: 1280x720
fps: 24
stages:
  - stage: noise
  - stage: zoom
    zoom: 1.3
  - {{stage: dream, octaves: 2, octave_scale: 1.8, steps: 2, first_steps: 2, {keys}}}
  - stage: encode
"""
SAME = "model: googlenet, layer: inception4c, weights: random"
OURS = {
    "dreamreel, the same network, auto": SAME,
    "dreamreel, the same network, int8": f"{SAME}, precision: int8",
    "dreamreel, its default network, auto": "model: lite0",
    "dreamreel, its default network, int8": "model: lite0, precision: int8",
    "dreamreel, the same network, reference": f"{SAME}, engine: reference",
}


def pytorch_deepdream(folder: Path, frames: int) -> list[str]:
    """The command that makes a film of so many frames by a copy of pytorch-deepdream."""
    flags = {"input": "picture.png", "img_width": WIDTH, "model_name": "GOOGLENET", "layers_to_use": "inception4c"}
    flags |= {"pyramid_size": 2, "pyramid_ratio": 1.8, "num_gradient_ascent_iterations": 2}
    flags |= {"ouroboros_length": frames, "frame_transform": "ZOOM"}
    given = [text for key, value in flags.items() for text in (f"--{key}", str(value))]
    return [sys.executable, "-m", "benchmarks.peers", "--run", str(folder), *given, "--create_ouroboros"]


def run_pytorch_deepdream(folder: Path, arguments: list[str]) -> None:
    """Its program in this process, with random weights, and without the packages that it imports for other things."""

    def googlenet(**_: object) -> torchvision.models.GoogLeNet:
        return torchvision.models.GoogLeNet(aux_logits=False, transform_input=True, init_weights=False)

    torchvision.models.googlenet = googlenet
    for name in ("matplotlib", "matplotlib.pyplot", "imageio"):
        sys.modules.setdefault(name, ModuleType(name))
    sys.path.insert(0, str(folder))
    sys.argv = ["deepdream.py", *arguments]
    os.chdir(folder)
    runpy.run_path(str(folder / "deepdream.py"), run_name="__main__")


def dreamreel(folder: Path, keys: str, frames: int) -> list[str]:
    """The command that renders a film of so many frames."""
    preset = folder / "film.yaml"
    preset.write_text(PRESET.format(keys=keys), encoding="utf-8")
    command = [sys.executable, "-m", "pipeline", "render", str(preset), "--out", str(folder / "run"), "--overwrite"]
    return [*command, "--duration", f"{frames}f"]


def spent(command: list[str], folder: Path) -> tuple[float, float]:
    """Processor seconds of a program and all that it ran, in one thread, and the most memory of one of them, in MB."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    environment["PATH"] = f"{folder}{os.pathsep}{environment['PATH']}"
    with (folder / "output").open("wb") as output:
        program = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
        _, status, used = os.wait4(program.pid, 0)
    program.returncode = os.waitstatus_to_exitcode(status)
    if program.returncode:
        raise SystemExit((folder / "output").read_text(errors="replace")[-2000:])
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def measure_films(peer: Path, rounds: int) -> list[dict[str, Any]]:
    """A row for each program: processor seconds of a frame, by the difference of two lengths, medians."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy = folder / "peer"
        shutil.copytree(peer, copy, ignore=shutil.ignore_patterns(".git", "data"))
        noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        cv2.imwrite(str(copy / "picture.png"), noise)
        (folder / "ffmpeg").symlink_to(ffmpeg_program())
        ways: dict[str, Callable[[int], list[str]]] = {"pytorch-deepdream": partial(pytorch_deepdream, copy)}
        ways |= {each: partial(dreamreel, folder, keys) for each, keys in OURS.items()}
        for way in ways.values():
            spent(way(1), folder)  # whatever is done once, such as the probe of engines
        taken: dict[str, list[float]] = {each: [] for each in ways}
        most = dict.fromkeys(ways, 0.0)
        for _ in range(rounds):
            for each, way in ways.items():
                short, long = (spent(way(frames), folder) for frames in (SHORT, LONG))
                taken[each].append((long[0] - short[0]) / (LONG - SHORT))
                most[each] = max(most[each], long[1])
                print(f"{each}: {taken[each][-1]:.2f} s a frame, {long[1]:.0f} MB", flush=True)
    seconds = {each: median(found) for each, found in taken.items()}
    base = seconds["pytorch-deepdream"]
    return [{"film": e, "s a frame": s, "ratio": base / s, "MB": most[e]} for e, s in seconds.items()]


def main() -> None:
    """Whatever is there."""
    if sys.argv[1:2] == ["--run"]:
        run_pytorch_deepdream(Path(sys.argv[2]), sys.argv[3:])
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pytorch-deepdream", type=Path)
    parser.add_argument("--neural-dream", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    given, _ = parser.parse_known_args()
    if given.pytorch_deepdream:
        report("peers", measure_films(given.pytorch_deepdream, given.rounds))
    if given.neural_dream:
        report("still", still.measure(given.neural_dream, given.rounds))
    if not (given.pytorch_deepdream or given.neural_dream):
        print("peers: name the folder of one with --pytorch-deepdream or --neural-dream")


if __name__ == "__main__":
    main()
