"""8K stills and 4K films: the seconds and the peak memory of whole programs, ffmpeg's included, one thread each.

The memory is what all processes of a render hold at once (proportional set size), looked at ten times a second. Films
dream in every twelfth frame only: that takes as much memory as in each, and encoders, which look ahead by dozens of
frames, are seen at work within the hour.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.common import report

EIGHT_K, FOUR_K = (4320, 7680), "3840x2160"
BUDGETS = ("2GB", "1GB")
FILM = """\
size: {size}
fps: 24
seed: 1
device: cpu
stages:
  - {{stage: noise, kind: pink}}
  - {{stage: zoom, zoom: 1.15, rotate: 3}}
  - {{stage: dream, layer: blocks.5.0, octaves: 3, steps: 1, first_steps: 1, every: 12, memory: {memory}}}
  - {{stage: palette, to: ember}}
  - {{stage: hold, sharpness: first}}
  - {{stage: encode, {encode}}}
"""
ENCODINGS = {"h264": "preset: medium", "hevc, 10 bits": "format: hevc", "prores": "format: prores"}


def program(arguments: Sequence[str]) -> dict[str, float]:
    """Run dreamreel; its seconds by the clock, and the most megabytes that it and its children held at once."""
    started, most = time.perf_counter(), 0.0
    command = [sys.executable, "-m", "pipeline", *arguments]
    with subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE) as process:
        while process.poll() is None:
            most = max(most, sum(map(_megabytes, _family(process.pid))))
            time.sleep(0.1)
        assert process.stderr is not None
        if process.returncode:
            raise RuntimeError(process.stderr.read().decode())
    return {"seconds": time.perf_counter() - started, "MB": most}


def _family(process: int) -> list[int]:
    """A process and all that it started."""
    try:
        tasks = list(Path(f"/proc/{process}/task").iterdir())
        children = [int(text) for task in tasks for text in (task / "children").read_text().split()]
    except OSError:  # it has ended
        return []
    return [process, *(each for child in children for each in _family(child))]


def _megabytes(process: int) -> float:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def still(folder: Path, memory: str, steps: int) -> dict[str, Any]:
    """A dream over a picture of 33 million pixels."""
    picture = folder / "eight-k.png"
    if not picture.exists():
        coarse = np.random.default_rng(0).integers(0, 256, (68, 120, 3), dtype=np.uint8)
        cv2.imwrite(str(picture), cv2.resize(coarse, EIGHT_K[::-1], interpolation=cv2.INTER_CUBIC))
    options = ["--steps", str(steps), "--memory", memory, "--out", str(folder / "dream.png"), "--overwrite"]
    found = program(["dream", str(picture), *options])
    return {"what": f"8K still, {steps} steps an octave", "memory": memory, "frames": 1} | found


def film(folder: Path, memory: str, frames: int, encoding: str) -> dict[str, Any]:
    """A zoom at 2160p."""
    preset = folder / "four-k.yaml"
    preset.write_text(FILM.format(size=FOUR_K, memory=memory, encode=ENCODINGS[encoding]))
    options = ["--duration", f"{frames}f", "--out", str(folder / "run"), "--overwrite"]
    found = program(["render", str(preset), *options])
    return {"what": f"4K film, {encoding}", "memory": memory, "frames": frames} | found


def main() -> None:
    """A still with every budget, and films of rising length, whose memory must not rise with it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--frames", type=int, nargs="*", default=[48, 144])
    given, _ = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        rows = []
        for row in _measured(folder, given.steps, given.frames):
            print(row, flush=True)
            rows.append(row)
    report("large", rows)


def _measured(folder: Path, steps: int, lengths: Sequence[int]) -> Iterator[dict[str, Any]]:
    """One row after the other: a whole run takes an hour on two slow cores."""
    for memory in BUDGETS:
        yield still(folder, memory, steps)
    for encoding in ENCODINGS:
        yield film(folder, "1GB", lengths[0], encoding)
    for frames in lengths[1:]:
        yield film(folder, "1GB", frames, "h264")


if __name__ == "__main__":
    main()
