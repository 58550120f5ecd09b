"""Filters that keep to the edges of another picture."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.frame import Size, size_of
from pipeline.ops.warp import resize, resize_bilinear

_SHORTER = 160  # pixels of the shorter side that the filter is worked out on


def guided(field: Tensor, guide: Tensor, radius: float, variance: float) -> Tensor:
    """A field (1, 1, h, w) at the size of `guide` (1, 3, H, W), with its edges where the guide has its own. Unclamped.

    Within `radius`, a share of the shorter side, the field is a linear function of the guide's colours; edges whose
    `variance` is less count as none. He, Sun, Tang 2010, "Guided Image Filtering"; worked out on a smaller picture and
    then enlarged, as in He, Sun 2015, "Fast Guided Filter".

    Example:
        >>> edge = torch.zeros(1, 3, 32, 32)
        >>> edge[..., 16:] = 1
        >>> rough = torch.linspace(0, 1, 8).expand(1, 1, 8, 8)
        >>> found = guided(rough, edge, 0.3, 1e-4)[0, 0, 16]
        >>> bool(found[16] - found[15] > 5 * (found[15] - found[14]))
        True
    """
    full = size_of(guide)
    share = min(1.0, _SHORTER / min(full))
    small = resize(guide, Size(max(1, round(full.height * share)), max(1, round(full.width * share))))
    radius_px = max(1, round(radius * min(size_of(small))))
    # Variances are small differences of large numbers: in float32, last digits would show in what is divided by them.
    exact = _linear(resize_bilinear(field, size_of(small)).double(), small.double(), radius_px, variance)
    slope, offset = (each.to(field.dtype) for each in exact)
    return (resize_bilinear(slope, full) * guide).sum(1, keepdim=True) + resize_bilinear(offset, full)


def _linear(field: Tensor, guide: Tensor, radius_px: int, variance: float) -> tuple[Tensor, Tensor]:
    """What makes the field out of the guide around each place: slopes (1, 3, h, w) and an offset (1, 1, h, w)."""

    def mean(values: Tensor) -> Tensor:
        window = 2 * radius_px + 1
        across = F.avg_pool2d(values, (1, window), 1, (0, radius_px), count_include_pad=False)
        return F.avg_pool2d(across, (window, 1), 1, (radius_px, 0), count_include_pad=False)

    colour, level = mean(guide), mean(field)
    together = mean(guide * field) - colour * level
    rr, rg, rb, gg, gb, bb = (mean(_products(guide)) - _products(colour)).unbind(1)
    rr, gg, bb = rr + variance, gg + variance, bb + variance
    # The inverse of a symmetric matrix by its cofactors, for all places at once.
    inverse = [[gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb], [], []]
    inverse[1] = [inverse[0][1], rr * bb - rb * rb, rb * rg - rr * gb]
    inverse[2] = [inverse[0][2], inverse[1][2], rr * gg - rg * rg]
    determinant = rr * inverse[0][0] + rg * inverse[0][1] + rb * inverse[0][2]
    r, g, b = together.unbind(1)
    slope = torch.stack([row[0] * r + row[1] * g + row[2] * b for row in inverse], 1) / determinant[:, None]
    return mean(slope), mean(level - (slope * colour).sum(1, keepdim=True))


def _products(colours: Tensor) -> Tensor:
    """(1, 6, h, w): red with red, green and blue, green with green and blue, blue with blue."""
    r, g, b = colours.unbind(1)
    return torch.stack([r * r, r * g, r * b, g * g, g * b, b * b], 1)
