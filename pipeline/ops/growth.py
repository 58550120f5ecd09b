"""Growing new picture in a margin: clouds at its rim, which ripen while they travel inwards."""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.frame import Size, size_of
from pipeline.ops.border import pad
from pipeline.ops.motion import pixel_positions
from pipeline.ops.smoothstep import smoothstep

Positions = tuple[Tensor, Tensor]
# As shares of the margin, from its rim to the frame.
_CLOUDS_UNTIL = 0.4
_DREAM_FROM, _DREAM_UNTIL = 0.15, 0.9
_PULL = 6.0  # how fast the picture becomes clouds at the rim, a second


def dissolving(x: Tensor, y: Tensor, margin: Size, seconds: float) -> Tensor:
    """How far the picture at `x`, `y` (H, W) gives way to clouds in so many seconds, (1, 1, H, W): only in the margin.

    Without it, what the network makes of the border itself would travel inwards, a frame within the frame.

    Example:
        >>> here = pixel_positions(Size(40, 40), torch.zeros(()))[0]
        >>> found = dissolving(here[0], here[1], Size(10, 10), 0.1)[0, 0, 20, [0, 2, 5, 20]]
        >>> [round(value, 2) for value in found.tolist()]
        [0.44, 0.17, 0.0, 0.0]
    """
    ripe = _ripeness(x, y, margin).float()
    return (1 - torch.exp(-_PULL * seconds * (1 - smoothstep(ripe / _CLOUDS_UNTIL))))[None, None]


def ripening(here: Positions, there: Positions, margin: Size) -> Tensor:
    """How much nearer to its full strength the dream comes on the way from `there` to `here`, x and y of (H, W).

    (1, 1, H, W) in [0, 1]. All that comes through the margin gets 1 in all, however fast it travels.

    Example:
        >>> here = pixel_positions(Size(40, 40), torch.zeros(()))[0]
        >>> inwards = ripening((here[0], here[1]), (here[0] - 2.5, here[1]), Size(10, 10))[0, 0, 20]
        >>> round(float(inwards[:20].sum()) / 2.5, 1), float(inwards[20:].sum())
        (1.0, 0.0)
    """
    return (_share(*here, margin) - _share(*there, margin)).clamp(0, 1).float()[None, None]


def surrounded(picture: Tensor, clouds: Tensor) -> Tensor:
    """`picture` (1, 3, h, w) in the middle of `clouds` (1, 3, H, W), into which its mirror image fades around it.

    Example:
        >>> found = surrounded(torch.ones(1, 3, 4, 4), torch.zeros(1, 3, 8, 8))[0, 0, 4]
        >>> [round(value, 2) for value in found.tolist()]
        [0.16, 0.84, 1.0, 1.0, 1.0, 1.0, 0.84, 0.16]
    """
    size = size_of(clouds)
    margin = Size((size.height - picture.shape[2]) // 2, (size.width - picture.shape[3]) // 2)
    mirrored = pad(pad(picture, 2, margin.height, "symmetric"), 3, margin.width, "symmetric")
    x, y = pixel_positions(size, picture)[0]
    return clouds.lerp(mirrored, smoothstep(_ripeness(x, y, margin)))


def _share(x: Tensor, y: Tensor, margin: Size) -> Tensor:
    return smoothstep((_ripeness(x, y, margin) - _DREAM_FROM) / (_DREAM_UNTIL - _DREAM_FROM))


def _ripeness(x: Tensor, y: Tensor, margin: Size) -> Tensor:
    """(H, W): 0 at the rim of the canvas and 1 in the frame, with round corners."""
    height, width = size_of(x)
    across, down = torch.minimum(x, width - x) / margin.width, torch.minimum(y, height - y) / margin.height
    return across.clamp(0, 1) * down.clamp(0, 1)
