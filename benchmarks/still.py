"""A whole still against neural-dream, on one VGG-16 file of random weights: 512x512, relu4_3, 4 octaves x 10 steps.

neural-dream runs as its own program, so its start is measured too, with one step per octave, and nine tenths of the
work are the difference. It is found on `--peer`, a folder made by `pip install --no-deps --target FOLDER neural-dream`.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path
from statistics import median

import cv2
import torch

from benchmarks.common import processor_seconds, report, threads
from pipeline.backbones import find_recipe
from pipeline.backbones.weights import random_weights
from pipeline.device import open_device
from pipeline.frame import Size, to_uint8
from pipeline.stages import FrameContext, RunSpec
from pipeline.stages.dream import Dream, DreamConfig

SIDE, STEPS, OCTAVES, SHRINK = 512, 10, 4, 0.6
ENGINES = ("reference/float32", "packed/bfloat16", "packed/int8")


def peer_seconds(peer: Path, weights: Path, picture: Path, steps: int, out: Path) -> float:
    """Processor seconds of the whole program in one thread."""
    arguments = {
        "content_image": picture,
        "model_file": weights,
        "gpu": "c",
        "image_size": SIDE,
        "num_iterations": 1,
        "num_octaves": OCTAVES,
        "octave_scale": SHRINK,
        "octave_iter": steps - 1,  # it does one more
        "dream_layers": "relu4_3",
        "model_type": "pytorch",
        "model_mean": "0.485,0.456,0.406",
        "output_image": out,
    }
    flags = [text for key, value in arguments.items() for text in (f"-{key}", str(value))]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(peer)}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    script = peer / "neural_dream.py"  # of the repository; the package from PyPI has it within
    program = [str(script)] if script.is_file() else ["-m", "neural_dream.neural_dream"]
    command = [sys.executable, *program, *flags, "-disable_check"]
    subprocess.run(command, check=True, capture_output=True, env=environment, cwd=out.parent)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def our_seconds(weights: Path, image: torch.Tensor, engine: str, precision: str) -> float:
    """Processor seconds of the dream stage in one thread, planning included, loading not."""
    keys = {"id": "dream", "model": "vgg16", "layer": "features.22", "weights": str(weights), "engine": engine}
    keys |= {"precision": precision}
    shape = {"octaves": OCTAVES, "octave_scale": 1 / SHRINK, "first_steps": STEPS}
    spec = RunSpec(Size(SIDE, SIDE), Fraction(24), 1, 0, open_device("cpu"))
    stage = Dream(DreamConfig.model_validate(keys | shape), spec)
    with torch.no_grad():
        start = processor_seconds()
        stage(image, FrameContext(0, spec, None))
        return processor_seconds() - start


def measure(peer: Path, rounds: int) -> list[dict[str, object]]:
    """A row for each program, which take turns, so that all meet the same machine."""
    with tempfile.TemporaryDirectory() as folder, threads(1):
        weights, picture = Path(folder) / "vgg16.pth", Path(folder) / "picture.png"
        recipe = find_recipe("vgg16")
        with torch.device("meta"):
            shapes = recipe.build().state_dict()
        torch.save(random_weights(recipe, shapes), weights)
        image = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
        cv2.imwrite(str(picture), to_uint8(image))
        taken: dict[str, list[float]] = {name: [] for name in ("neural-dream", *ENGINES)}
        for _ in range(rounds):
            full, short = (peer_seconds(peer, weights, picture, n, Path(folder) / "o.png") for n in (STEPS, 1))
            taken["neural-dream"].append((full - short) * STEPS / (STEPS - 1))
            for name in ENGINES:
                taken[name].append(our_seconds(weights, image, *name.split("/")))
    base = median(taken["neural-dream"])
    return [{"program": n, "seconds": median(s), "ratio": base / median(s)} for n, s in taken.items()]


def main() -> None:
    """Against the program in a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", type=Path, default=Path("/tmp/nd"))
    parser.add_argument("--rounds", type=int, default=3)
    given, _ = parser.parse_known_args()
    if not (given.peer / "neural_dream").is_dir():
        print(f"still: no neural-dream in {given.peer}; pip install --no-deps --target {given.peer} neural-dream")
        return
    report("still", measure(given.peer, given.rounds))


if __name__ == "__main__":
    main()
