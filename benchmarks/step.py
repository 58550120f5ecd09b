"""A gradient step by engine and network: processor time of one thread, variants in turn, medians.

Every engine here profits from `pipeline.device.keep_freed_memory`, the reference too. What the same network takes in a
program that leaves the C library's memory as it is stands beside it as "eager": a process of its own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from functools import partial

import torch

from benchmarks.common import report, threads, time_in_turn
from pipeline import backbones
from pipeline.device import open_device
from pipeline.engines import EngineChoice, build_engine
from pipeline.frame import Size
from pipeline.objectives import LayerL2
from pipeline.units import parse_size

NETWORKS = {"lite0": "blocks.5.0", "googlenet": "inception4c", "vgg16": "features.22"}
ENGINES = ("reference/float32", "folded/float32", "packed/float32", "folded/bfloat16", "packed/bfloat16", "packed/int8")


def measure(model: str, size: Size, rounds: int, names: Sequence[str]) -> list[dict[str, object]]:
    """One row per engine; the ratios are to the truncated network under autograd, in each of the two programs."""
    backbone, image, objective = load(model, size, open_device("cpu"))
    engines = {text: build_engine(backbone, EngineChoice.parse(text)) for text in names}
    taken = time_in_turn({text: partial(engine, image, objective) for text, engine in engines.items()}, rounds)
    command = [sys.executable, "-m", "benchmarks.step", "--eager", model, str(size), "--rounds", str(rounds)]
    eager = float(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    base = taken[names[0]]
    return [
        {"network": model, "size": str(size), "engine": text, "ms": 1e3 * s, "ratio": base / s, "to eager": eager / s}
        for text, s in taken.items()
    ]


def eager_seconds(model: str, size: Size, rounds: int) -> float:
    """The reference, in a process whose memory nobody has touched."""
    backbone, image, objective = load(model, size, torch.device("cpu"))
    engine = build_engine(backbone, EngineChoice.parse(ENGINES[0]))
    return time_in_turn({"eager": partial(engine, image, objective)}, rounds)["eager"]


def load(model: str, size: Size, device: torch.device) -> tuple[backbones.Backbone, torch.Tensor, LayerL2]:
    """The network, a picture and the objective."""
    layer = NETWORKS[model]
    backbone = backbones.load(model, [layer], device, "auto" if model == "lite0" else "random")
    return backbone, torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)), LayerL2(layer)


def main() -> None:
    """Measure each network at 512x512 and 1280x720."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS))
    parser.add_argument("--engines", nargs="+", default=ENGINES, metavar="ENGINE/PRECISION", help="the first: the base")
    parser.add_argument("--eager", nargs=2, metavar=("MODEL", "SIZE"), help="print the seconds of this alone")
    given, _ = parser.parse_known_args()
    with threads(1):
        if given.eager:
            print(eager_seconds(given.eager[0], parse_size(given.eager[1]), given.rounds))
            return
        rows = [
            row
            for model in given.networks
            for size in (Size(512, 512), Size(720, 1280))
            for row in measure(model, size, given.rounds, given.engines)
        ]
    report("step", rows)


if __name__ == "__main__":
    main()
