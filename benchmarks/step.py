"""A gradient step by engine and network: processor time of one thread, variants in turn, medians."""

from __future__ import annotations

import argparse
from functools import partial

import torch

from benchmarks.common import report, threads, time_in_turn
from pipeline import backbones
from pipeline.device import open_device
from pipeline.engines import EngineChoice, build_engine
from pipeline.frame import Size
from pipeline.objectives import LayerL2

NETWORKS = {"lite0": "blocks.5.0", "googlenet": "inception4c", "vgg16": "features.22"}
ENGINES = ("reference/float32", "folded/float32", "packed/float32", "folded/bfloat16", "packed/bfloat16")


def measure(model: str, size: Size, rounds: int) -> list[dict[str, object]]:
    """One row per engine; `ratio` is to the reference, the truncated network under autograd."""
    layer = NETWORKS[model]
    weights = "auto" if model == "lite0" else "random"
    backbone = backbones.load(model, [layer], open_device("cpu"), weights)
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    objective = LayerL2(layer)
    engines = {text: build_engine(backbone, EngineChoice.parse(text)) for text in ENGINES}
    taken = time_in_turn({text: partial(engine, image, objective) for text, engine in engines.items()}, rounds)
    base = taken[ENGINES[0]]
    return [
        {"network": model, "layer": layer, "size": str(size), "engine": text, "ms": 1e3 * s, "ratio": base / s}
        for text, s in taken.items()
    ]


def main() -> None:
    """Measure each network at 512x512 and 1280x720."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS))
    given, _ = parser.parse_known_args()
    with threads(1):
        rows = [
            row
            for model in given.networks
            for size in (Size(512, 512), Size(720, 1280))
            for row in measure(model, size, given.rounds)
        ]
    report("step", rows)


if __name__ == "__main__":
    main()
