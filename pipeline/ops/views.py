"""Looking at a picture from elsewhere: turned, nearer or farther, in other light."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.frame import Size


class View(NamedTuple):
    """What is seen of a picture: `share` of its sides about `centre` (-1 to 1, x and y), turned by `degrees`."""

    share: float
    degrees: float
    centre: tuple[float, float]


def seen(picture: Tensor, view: View, size: Size, around: Tensor) -> Tensor:
    """The view of a picture (1, 3, H, W) as one (1, 3, h, w) of `size`, with the colour `around` (3,) beyond its edges.

    Differentiable, bilinear, positive degrees turn what is seen anticlockwise.

    Example:
        >>> picture = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> half = seen(picture, View(0.5, 0.0, (-0.5, -0.5)), Size(4, 4), torch.zeros(3))
        >>> torch.allclose(half, picture[..., :4, :4], atol=1e-6)
        True
    """
    radians, aspect = math.radians(view.degrees), picture.shape[2] / picture.shape[3]
    cos, sin = view.share * math.cos(radians), view.share * math.sin(radians)
    x, y = view.centre
    matrix = picture.new_tensor([[[cos, -sin * aspect, x], [sin / aspect, cos, y]]])
    grid = F.affine_grid(matrix, [1, 3, *size], align_corners=False)
    # The edge fades into the colour around as the picture does, so it is read as the difference from that colour.
    colour = around.view(1, 3, 1, 1)
    inside = F.grid_sample(picture - colour, grid, padding_mode="zeros", align_corners=False)
    return inside + colour


def relit(picture: Tensor, tint: float, noise: float, generator: torch.Generator) -> Tensor:
    """A picture (1, 3, H, W) in random light: each colour's gain and offset vary by `tint`, pixels by up to `noise`.

    Both are standard deviations; how noisy it is is drawn too.

    Example:
        >>> picture = torch.full((1, 3, 4, 4), 0.5)
        >>> torch.equal(relit(picture, 0.0, 0.0, torch.Generator()), picture)
        True
    """
    light = (tint * torch.randn(2, 1, 3, 1, 1, generator=generator)).to(picture)
    grain = noise * torch.rand(1, generator=generator) * torch.randn(picture.shape, generator=generator)
    return picture * (1 + light[0]) + light[1] + grain.to(picture)


def middle_first(size: Size, spread: float, device: torch.device) -> Tensor:
    """Weights (H, W), 1 in the middle, that fall off as a Gaussian of `spread` half sides.

    Example:
        >>> weights = middle_first(Size(3, 3), 0.5, torch.device("cpu"))
        >>> round(float(weights[1, 1]), 2), round(float(weights[1, 0]), 2)
        (1.0, 0.14)
    """
    down, across = (torch.linspace(-1, 1, side, device=device).square() for side in size)
    return (-(down[:, None] + across[None, :]) / (2 * spread * spread)).exp()
