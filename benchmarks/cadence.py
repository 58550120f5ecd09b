"""What octaves that are dreamt on seldom save, and what they cost in the picture: `python -m benchmarks.cadence`.

A preset with several values of the dream's `every`, which take turns frame by frame. For each, against every frame:

- step: processor seconds of the dream in one thread, first frame left out
- score: what the objective says of the frames of the last half
- sharpness: of these
- jump: how much a frame differs from the one before, moved along the camera; and the largest against its neighbours
"""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from itertools import pairwise
from statistics import fmean

import torch
from torch import Tensor

from benchmarks.common import processor_seconds, report, threads
from pipeline.backbones import load
from pipeline.chain import Chain
from pipeline.frame import to_uint8
from pipeline.objectives import LayerL2
from pipeline.ops.measure import look
from pipeline.ops.warp import warp_matrix
from pipeline.preset import load_preset

LAYER = "blocks.5.0"
WAYS = ("1", "2", "[1, 1, 2]", "[1, 1, 3]", "[1, 2, 4]", "4")


class _Way:
    """One film on its way."""

    def __init__(self, chain: Chain) -> None:
        self.chain, self.frames, self.jumps, self.seconds = chain, list[Tensor](), list[float](), list[float]()
        self._last: Tensor | None = None

    def step(self, index: int) -> None:
        began = processor_seconds()
        made = self.chain.step(index, self._last)
        self.seconds.append(processor_seconds() - began)
        if self._last is not None:
            moved = warp_matrix(self._last, self.chain.camera(index - 1, index))
            self.jumps.append(float((made.image - moved).abs().mean()))
        self._last = made.feedback
        self.frames.append(made.image)


def figures(way: _Way) -> dict[str, float]:
    """Of the last half; seconds of all but the first frame."""
    half = len(way.frames) // 2
    network = load("lite0", [LAYER], torch.device("cpu"))
    objective = LayerL2(LAYER)
    with torch.no_grad():
        score = fmean(float(objective(network(frame))) for frame in way.frames[half:])
    jumps = way.jumps[half:]
    largest = max(2 * b / (a + c) for (a, b), (_, c) in pairwise(pairwise(jumps)))
    sharpness = fmean(look(to_uint8(frame)).sharpness for frame in way.frames[half:])
    return {
        "frame": fmean(way.seconds[1:]),
        "score": score,
        "sharpness": sharpness,
        "jump": fmean(jumps),
        "largest jump": largest,
    }


def main() -> None:
    """All ways over one preset."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="endless")
    parser.add_argument("--size", default="512x288")
    parser.add_argument("--frames", type=int, default=72)
    parser.add_argument("--ways", nargs="*", default=WAYS)
    given, _ = parser.parse_known_args()
    keys: dict[str, object] = {
        "size": given.size,
        "device": "cpu",
        "dream.engine": "packed",
        "dream.precision": "float32",
    }
    with threads(1), torch.no_grad(), ExitStack() as stack:
        made = [load_preset(given.preset, keys | {"dream.every": every}) for every in given.ways]
        ways = [_Way(stack.enter_context(Chain(preset))) for preset in made]
        for index in range(given.frames):
            for way in ways:
                way.step(index)
        found = [figures(way) for way in ways]
    rows = [
        {"every": every} | {key: each[key] / found[0][key] if key != "largest jump" else each[key] for key in each}
        for every, each in zip(given.ways, found, strict=True)
    ]
    report("cadence", rows)


if __name__ == "__main__":
    main()
