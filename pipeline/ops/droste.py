"""A picture inside a later view of itself: what it takes for a camera's way to end where it began."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pipeline.device import upload
from pipeline.frame import Size, size_of
from pipeline.ops.blur import blur
from pipeline.ops.motion import pixel_positions
from pipeline.ops.smoothstep import smoothstep
from pipeline.ops.warp import plan_sampling, sample

_WIDEST_BLUR_PX = 32.0  # enough for a picture that shrinks to a 64th, where next to nothing of it is shown
_RIPPLE = 0.6  # how much later the corners begin than the middle, as a share of the whole time
_PULL = 8.0  # how strongly the painting holds its own, halfway, against a dream that goes on changing it
_NOWHERE = 1e6  # px
_RIM = 0.06  # how far beyond its border the picture's mirrored rim still counts, as a share of its height


def positions_ahead(motion: Tensor, size: Size, device: torch.device) -> Tensor:
    """Where every pixel of the view now will lie at the end, (1, 2, H, W) float64 pixels.

    `motion` is the camera's backward (3, 3) matrix from now to the end: it leads from the end's pixels to now's.

    Example:
        >>> positions_ahead(torch.eye(3).double(), Size(1, 2), torch.device('cpu')).tolist()
        [[[[0.5, 1.5]], [[0.5, 0.5]]]]
    """
    here = pixel_positions(size, torch.empty((), dtype=torch.float64, device=device))
    return _ahead(upload(torch.linalg.inv(motion.double()), device), here)


def _ahead(ahead: Tensor, here: Tensor) -> Tensor:
    moved = torch.einsum("ij,bjhw->bihw", ahead[:, :2], here) + ahead[:, 2].view(1, 3, 1, 1)
    depth = moved[:, 2:]
    # What a tilted camera will have behind it lies nowhere.
    return torch.where(depth > 1e-6, moved[:, :2] / depth.clamp_min(1e-6), _NOWHERE)


def magnification(motion: Tensor, size: Size) -> float:
    """How many pixels of the end fall on one of now, along a line, in the middle of the view; see `positions_ahead`.

    Example:
        >>> magnification(torch.diag(torch.tensor([0.5, 0.5, 1.0])), Size(48, 64))  # twice as large at the end
        2.0
    """
    three = torch.tensor([[0.5, -0.5, 0.5], [0.5, 0.5, -0.5]], dtype=torch.float64).view(1, 2, 1, 3)
    middle = torch.tensor([size.width // 2, size.height // 2]).view(1, 2, 1, 1)
    here, left, above = _ahead(torch.linalg.inv(motion.double()), three + middle)[0, :, 0].T
    (a, b), (c, d) = (here - left).tolist(), (here - above).tolist()
    return math.sqrt(abs(a * d - b * c))


def seen_ahead(picture: Tensor, positions: Tensor, scale: float) -> Tensor:
    """`picture` (1, 3, H, W) read at `positions`, mirrored beyond its edges; in [0, 1].

    `scale` is how many of its pixels fall on one of the view. Where it shrinks, it is low-passed first.

    Example:
        >>> picture = torch.rand(1, 3, 4, 6, generator=torch.Generator().manual_seed(0))
        >>> same = seen_ahead(picture, pixel_positions(Size(4, 6), picture), 1.0)
        >>> torch.allclose(same, picture, atol=1e-5)
        True
    """
    if scale > 1:
        # As wide as it takes, and no wider: next to scale 1 even a resize to nearly the same size would soften.
        picture = blur(picture, min(_WIDEST_BLUR_PX, 0.5 * math.sqrt(scale**2 - 1)))
    return sample(picture, plan_sampling(positions[0, 0], positions[0, 1], size_of(picture))).clamp_(0, 1)


def painted(positions: Tensor, size: Size, progress: float) -> Tensor:
    """How much of the end's picture is to be seen, (1, 1, H, W) float64 in [0, 1], at `progress` 0 to 1 to the end.

    It begins in the middle of that picture, spreads to its corners, fades at its border over a soft rim, and covers
    all of it at 1, no sooner anywhere: until then the dream goes on. It comes to rest at 1
    like a parabola: so what the dream adds in the last frames is let go as fast as it comes, and the step to the
    end is one like any other.

    Example:
        >>> here = pixel_positions(Size(9, 9), torch.zeros(()).double())
        >>> [round(float(painted(here, Size(9, 9), progress)[0, 0, 4, 4]), 3) for progress in (0, 0.5, 1)]
        [0.0, 0.924, 1.0]
    """
    x, y = (positions[:, :1] - size.width / 2).abs(), (positions[:, 1:] - size.height / 2).abs()
    radius = torch.hypot(x / (size.width / 2), y / (size.height / 2)) / 2**0.5
    begin = _RIPPLE * radius.clamp_max(1)
    ripple = ((progress - begin) / (1 - begin)).clamp(0, 1)
    beyond = torch.maximum(x - size.width / 2, y - size.height / 2) / (_RIM * size.height)
    shown: Tensor = (1 - torch.exp(-_PULL * ripple**2) * (1 - ripple**2) ** 2) * (1 - smoothstep(beyond))
    return shown


def share_to_add(now: Tensor, before: Tensor) -> Tensor:
    """How much to mix into a picture that holds the share `before` already, so that it holds `now`; float32.

    Example:
        >>> float(share_to_add(torch.tensor(0.75), torch.tensor(0.5)))
        0.5
    """
    return ((now - before) / (1 - before).clamp_min(1e-12)).clamp(0, 1).float()
