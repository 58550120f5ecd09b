"""Drawing an atlas: the same short dream, once for every entry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from pipeline import backbones
from pipeline.atlas.entries import Entry
from pipeline.backbones import LayerInfo
from pipeline.backbones.weights import AUTO
from pipeline.engines import Climb, Engine, EngineChoice, build_engine, climb_octaves
from pipeline.frame import Size, size_of
from pipeline.objectives import WeightedSum, build_objective
from pipeline.ops.gradient import smoothing_kernel
from pipeline.ops.pyramid import octave_sizes
from pipeline.visualise import Visualisation, visualise

_STEPS, _STRENGTH, _JITTER = 12, 0.1, 16
_OCTAVES, _OCTAVE_SCALE, _COARSEST = 3, 1.5, 64
_FROM_NOISE = Visualisation(steps=64, jitter=8)


def draw_plates(
    model: str, entries: Sequence[Entry], picture: Tensor | None, side: int, device: torch.device, weights: str = AUTO
) -> Iterator[Tensor]:
    """The plates (1, 3, h, w) in [0, 1], one by one: the dream over `picture` (1, 3, h, w), or `side` squared
    pixels out of noise where there is none. A network is loaded once for each run of entries of one layer.
    """
    loaded: tuple[str, backbones.Backbone, Engine] | None = None
    for index, entry in enumerate(entries):
        if loaded is None or loaded[0] != entry.layer:
            backbone = backbones.load(model, [entry.layer], device, weights)
            # Not probed: a probe for each layer would take longer than its plate.
            kind = EngineChoice("packed" if device.type == "cpu" else "folded", "float32")
            loaded = (entry.layer, backbone, build_engine(backbone, kind))
        objective = build_objective([entry.term], loaded[1])
        generator = torch.Generator().manual_seed(index)
        layer = backbones.find_layer(loaded[1].recipe, entry.layer)
        if picture is None:
            square = max(side, layer.smallest_side)
            yield visualise(loaded[2], objective, Size(square, square), _FROM_NOISE, generator, device).cpu()
        else:
            yield _over(picture.to(device), loaded[2], objective, layer, generator).cpu()


@torch.no_grad()
def _over(
    picture: Tensor, engine: Engine, objective: WeightedSum, layer: LayerInfo, generator: torch.Generator
) -> Tensor:
    least = max(layer.smallest_side, min(_COARSEST, *size_of(picture)))
    how = Climb(_STEPS, _STRENGTH / _STEPS, _JITTER, smoothing_kernel(1.0).to(picture.device))
    ladder = octave_sizes(size_of(picture), _OCTAVES, _OCTAVE_SCALE)
    octaves = [(size, how) for size in ladder if min(size) >= least]
    detail = climb_octaves(engine, objective, picture, octaves, generator)
    return picture if detail is None else (picture + detail).clamp(0, 1)
