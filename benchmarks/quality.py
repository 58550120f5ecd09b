"""How high each engine's dreams climb, against the reference's: the objective after a whole dream, medians over seeds.

    python -m benchmarks.quality [--seeds 16]

Trained networks only; Lite1 and Lite2 where `dreamreel[lite]` is installed. Each seed dreams over another part of a
photograph. Half the digits make another dream, so single ones differ by several per cent either way.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from fractions import Fraction
from statistics import median
from typing import Any

import torch
from torch import Tensor

from benchmarks.common import report, threads
from pipeline import backbones
from pipeline.device import open_device
from pipeline.engines import EngineChoice
from pipeline.errors import ModelError
from pipeline.frame import Size
from pipeline.media.picture import read_picture
from pipeline.objectives import LayerL2
from pipeline.stages import FrameContext, RunSpec
from pipeline.stages.dream import Dream, DreamConfig
from tests.conftest import photograph

SIZE = Size(224, 320)
CASES = [
    ("lite0", "blocks.1.1"),
    ("lite0", "blocks.2.1"),
    ("lite0", "blocks.3.2"),
    ("lite0", "blocks.4.1"),
    ("lite0", "blocks.5.0"),
    ("lite0", "blocks.6.0"),
    ("lite1", "blocks.5.0"),
    ("lite2", "blocks.5.0"),
]
ENGINES = ("folded/float32", "packed/float32", "folded/bfloat16", "packed/bfloat16", "packed/int8")
REFERENCE = "reference/float32"


def measure(model: str, layer: str, seeds: int, engines: Sequence[str]) -> dict[str, Any]:
    """The median of what each engine reached, over what the reference did with the same seed."""
    network = backbones.load(model, [layer], open_device("cpu"))
    objective, picture = LayerL2(layer), read_picture(photograph("chelsea.png"))

    def reached(engine: str, seed: int) -> float:
        with torch.no_grad():
            return float(objective(network(dream(model, layer, engine, seed, picture))))

    truth = [reached(REFERENCE, seed) for seed in range(seeds)]
    ratios = {name: [reached(name, seed) / truth[seed] for seed in range(seeds)] for name in engines}
    least = min(ratios[engines[-1]])
    return {"network": model, "layer": layer, **{n: median(r) for n, r in ratios.items()}, "least of the last": least}


def dream(model: str, layer: str, engine: str, seed: int, picture: Tensor) -> Tensor:
    """A dream over the seed's part of the picture."""
    choice = EngineChoice.parse(engine)
    keys = {"id": "dream", "model": model, "layer": layer, "engine": choice.engine, "precision": choice.precision}
    config = DreamConfig.model_validate(keys | {"octaves": 2, "first_steps": 10})
    spec = RunSpec(SIZE, Fraction(24), 1, seed, open_device("cpu"))
    top, left = 4 * seed % 76, 13 * seed % 131
    part = picture[:, :, top : top + SIZE.height, left : left + SIZE.width].contiguous()
    return Dream(config, spec)(part, FrameContext(0, spec, None))


def main() -> None:
    """Every case whose network is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=16)
    parser.add_argument("--engines", nargs="+", default=ENGINES, metavar="ENGINE/PRECISION")
    given, _ = parser.parse_known_args()
    rows: list[dict[str, Any]] = []
    with threads(1):
        for model, layer in CASES:
            try:
                rows.append(measure(model, layer, given.seeds, given.engines))
            except ModelError as error:
                print(f"quality: {model} is left out: {error}")
    report("quality", rows)


if __name__ == "__main__":
    main()
