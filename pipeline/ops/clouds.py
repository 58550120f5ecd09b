"""Clouds that reach as far as a camera goes: what lies where no picture is yet."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from pipeline.frame import Size
from pipeline.ops.warp import plan_sampling, sample, seen_positions

PERIOD = 64  # cells, after which the clouds of one octave begin again
_OCTAVES = 6
_LEVELS_AHEAD = 20  # that a camera may move out by, without coming to clouds that another frame rate has elsewhere
_FALLOFF = 0.5  # the strength goes with this power of the size on screen: a little softer than a photograph


def on_level(way: Tensor, level: int, unit_px: float) -> tuple[Tensor, int]:
    """A way and its level, with the scale brought to [1, 2) and the place to where the clouds begin.

    The way (3, 3) is a similarity from pixels to a world whose largest clouds are `unit_px` wide at its level: 2 of its
    pixels are one of the next level's. So the numbers stay small and keep their digits however far the camera goes,
    and what is seen stays what it is.

    Example:
        >>> way, level = on_level(torch.diag(torch.tensor([6.0, 6.0, 1.0])).double(), 0, 16.0)
        >>> way.diagonal().tolist(), level
        ([1.5, 1.5, 1.0], 2)
    """
    way, steps = way.clone(), math.floor(math.log2(_scale(way)))
    way[:2] *= 2.0**-steps
    begins_again = PERIOD * unit_px * 2.0**_LEVELS_AHEAD
    way[:2, 2] = (way[:2, 2] + begins_again / 2) % begins_again - begins_again / 2
    return way, level + steps


def clouds(way: Tensor, level: int, size: Size, unit_px: float, tile: Callable[[int], Tensor]) -> Tensor:
    """Clouds (1, 3, H, W) around 0, as a picture of `size` shows them by a way from `on_level`.

    `tile(level)` gives numbers (1, 3, PERIOD, PERIOD) with mean 0 and standard deviation 1, the same for the same
    level. Sizes of clouds come and go smoothly while the camera moves out or in.

    Example:
        >>> way, level = on_level(torch.eye(3).double(), 0, 16.0)
        >>> tile = lambda level: torch.randn(1, 3, PERIOD, PERIOD, generator=torch.Generator().manual_seed(level + 99))
        >>> clouds(way, level, Size(12, 16), 16.0, tile).shape
        torch.Size([1, 3, 12, 16])
    """
    device = tile(level).device
    x, y = seen_positions(way, size, device)
    total = torch.zeros(1, 3, *size, device=device)
    for octave in range(_OCTAVES):
        share = 2.0**-octave / _scale(way)  # of the largest clouds' width, as they are seen
        plan = plan_sampling(x * (2**octave / unit_px), y * (2**octave / unit_px), Size(PERIOD, PERIOD), "wrap")
        total.add_(sample(tile(level - octave), plan), alpha=share**_FALLOFF * _presence(-math.log2(share)))
    return total


def _scale(way: Tensor) -> float:
    return math.sqrt(abs(float(torch.linalg.det(way[:2, :2]))))


def _presence(octave: float) -> float:
    """The largest clouds come, and the smallest go, over an octave each."""
    inner = min(1.0, max(0.0, min(octave, _OCTAVES - octave)))
    return inner * inner * (3 - 2 * inner)
