"""Drawing an atlas: the same short dream, once for every entry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from pipeline.atlas.entries import Entry
from pipeline.backbones import find_layer, find_recipe
from pipeline.backbones.weights import AUTO
from pipeline.dreamer import Dreamer, DreamerSpec
from pipeline.engines import Climb, EngineKey
from pipeline.frame import Size, size_of
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
    drawer = Drawer(device, weights)
    for index, entry in enumerate(entries):
        yield drawer.draw(model, entry, picture, side, index)


class Drawer:
    """Draws one plate after the other, and loads a network anew only where it is another."""

    def __init__(self, device: torch.device, weights: str = AUTO) -> None:
        self._device, self._weights = device, weights
        self._dreamer: Dreamer | None = None

    def draw(self, model: str, entry: Entry, picture: Tensor | None, side: int, seed: int) -> Tensor:
        """One plate, as `draw_plates` has it; another seed begins with another noise."""
        device, least = self._device, find_layer(find_recipe(model), entry.layer).smallest_side
        size = Size(max(side, least), max(side, least)) if picture is None else size_of(picture)
        self._dreamer = dreamer = Dreamer(_asked(model, entry, device, self._weights), size, device, self._dreamer)
        generator = torch.Generator().manual_seed(seed)
        if picture is None:
            return visualise(dreamer, size, _FROM_NOISE, generator).cpu()
        return _over(picture.to(device), dreamer, least, generator).cpu()


def _asked(model: str, entry: Entry, device: torch.device, weights: str) -> DreamerSpec:
    # Not probed: a probe for each layer would take longer than its plate.
    engine: EngineKey = "packed" if device.type == "cpu" else "folded"
    return DreamerSpec(model, (entry.term,), weights, engine, "float32", memory=None)


@torch.no_grad()
def _over(picture: Tensor, dreamer: Dreamer, least: int, generator: torch.Generator) -> Tensor:
    how = Climb(_STEPS, _STRENGTH / _STEPS, _JITTER, smoothing_kernel(1.0).to(picture.device))
    ladder = octave_sizes(size_of(picture), _OCTAVES, _OCTAVE_SCALE)
    octaves = [(size, how) for size in ladder if min(size) >= max(least, min(_COARSEST, *size_of(picture)))]
    detail = dreamer.climb(picture, octaves, generator)
    return picture if detail is None else (picture + detail).clamp(0, 1)
