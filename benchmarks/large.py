"""8K stills and 4K films: the seconds and the peak memory of whole programs, ffmpeg's included, one thread each.

The memory is what all processes of a render hold at once (proportional set size), looked at four times a second. Films
dream on all octaves in their first frame, which takes as much memory as doing so in each, and then on the coarsest one
in every twelfth: so encoders, which look ahead by dozens of frames, are seen at work within minutes. Memory is told for
every piece of two seconds, which is encoded while the next one is rendered: from the second piece on it must not rise.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.common import report

EIGHT_K, FOUR_K = (4320, 7680), "3840x2160"
BUDGETS = ("2GB", "1GB")
PIECE = 48  # frames, which two seconds of the film have
FILM = """\
size: {size}
fps: 24
seed: 1
device: cpu
stages:
  - {{stage: noise, kind: pink}}
  - {{stage: zoom, zoom: 1.15, rotate: 3}}
  - {{stage: dream, layer: blocks.5.0, octaves: 3, steps: 1, first_steps: 1, every: [12, 240, 240], memory: {memory}}}
  - {{stage: palette, to: ember}}
  - {{stage: hold, sharpness: first}}
  - {{stage: encode, {encode}}}
"""
ENCODINGS = {"h264": "preset: medium", "hevc-10": "format: hevc", "prores": "format: prores"}


def program(arguments: Sequence[str], piece: Callable[[], int] = lambda: 0) -> dict[str, Any]:
    """Run dreamreel; its seconds by the clock, and the most megabytes that it and its children held at once.

    The latter in all, and in each piece of its work, of which `piece` tells the number.
    """
    started, most = time.perf_counter(), Counter[int]()
    command = [sys.executable, "-m", "pipeline", *arguments]
    with subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE) as process:
        while process.poll() is None:
            now = piece()
            most[now] = max(most[now], round(sum(map(_megabytes, _family(process.pid)))))
            time.sleep(0.25)
        assert process.stderr is not None
        if process.returncode:
            raise RuntimeError(process.stderr.read().decode())
    pieces = ", ".join(str(most[number]) for number in sorted(most))
    return {"seconds": time.perf_counter() - started, "MB": max(most.values()), "by piece": pieces}


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


def film(folder: Path, size: str, memory: str, frames: int, encoding: str) -> dict[str, Any]:
    """A zoom."""
    preset, run = folder / "four-k.yaml", folder / "run"
    preset.write_text(FILM.format(size=size, memory=memory, encode=ENCODINGS[encoding]))
    shutil.rmtree(run, ignore_errors=True)
    options = ["--duration", f"{frames}f", "--out", str(run)]
    found = program(["render", str(preset), *options], lambda: _frames_logged(run) // PIECE)
    return {"what": f"film, {size}, {encoding}", "memory": memory, "frames": frames} | found


def _frames_logged(run: Path) -> int:
    try:
        return max(0, (run / "run.jsonl").read_bytes().count(b'{"frame"') - 1)
    except OSError:
        return 0


def main() -> None:
    """A still with every budget, and films of every encoding, whose memory must not rise from piece to piece."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=1)
    parser.add_argument("--frames", type=int, default=144, help="of each film; 0: none")
    parser.add_argument("--size", default=FOUR_K, help="of films")
    parser.add_argument("--encodings", nargs="*", choices=ENCODINGS, default=list(ENCODINGS))
    parser.add_argument("--no-stills", action="store_true")
    given, _ = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        rows = []
        budgets = [] if given.no_stills else BUDGETS
        for row in _measured(folder, budgets, given.steps, given.encodings, given.size, given.frames):
            print(row, flush=True)
            rows.append(row)
    report("large", rows)


def _measured(
    folder: Path, budgets: Sequence[str], steps: int, encodings: Sequence[str], size: str, frames: int
) -> Iterator[dict[str, Any]]:
    """One row after the other: a whole run takes half an hour on two slow cores."""
    for memory in budgets:
        yield still(folder, memory, steps)
    for encoding in encodings if frames else ():
        yield film(folder, size, "1GB", frames, encoding)


if __name__ == "__main__":
    main()
