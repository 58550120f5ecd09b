"""Views that together cover a sphere, in which a network sees it without the distortion of the flat picture.

Each of the six looks along an axis of a cube and is a stereographic projection: conformal, so that shapes are the same
in all of them where they overlap, and nearly as fine at its border as in its middle. They lie side by side in one
picture, three in a row, with 1.08 times the pixels of the equirectangular one: six small ones would take a network more
than twice as long. A view's outermost pixels are not used: they blend with the mirrored ones of the view beside it, for
a line between the two would be dreamt on.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.device import upload
from pipeline.frame import Size, size_of
from pipeline.ops.smoothstep import smoothstep
from pipeline.ops.sphere import centres, directions, positions
from pipeline.ops.warp import SamplingPlan, plan_sampling, sample

_ROWS, _COLUMNS = 2, 3
_SIDE = 0.3  # of a view, in widths of the picture: 101 degrees, and as fine as the picture in the middle
_UNUSED, _FADE = 0.1, 0.3  # at a view's border, and over which it gives way to its neighbours; halves of its side
_LEAN, _TWIST = math.radians(20), math.radians(15)  # so that the poles lie inside views, and no border on a meridian
_AXES = ((0, 0, 1), (1, 0, 0), (0, 0, -1), (-1, 0, 0), (0, 1, 0), (0, -1, 0))


class Faces(NamedTuple):
    """How the six views are read from an equirectangular picture of `size`, and put together to one again."""

    size: Size
    views: SamplingPlan
    pixels: tuple[Tensor, ...]
    """for each view the pixels (N,) of the picture that lie in it, counted row by row"""
    places: SamplingPlan
    """where all of these are read in the views, one after the other"""
    shares: Tensor
    """how much each of them takes from there; those of one pixel add up to 1"""


def faces_size(size: Size) -> Size:
    """The size of the picture that shows the views of an equirectangular picture of `size`.

    Example:
        >>> faces_size(Size(384, 768))
        Size(height=460, width=690)
    """
    side = _side(size)
    return Size(_ROWS * side, _COLUMNS * side)


def _side(size: Size) -> int:
    return max(1, round(_SIDE * size.width))


@lru_cache(maxsize=2)
def plan_faces(size: Size, device: torch.device) -> Faces:
    """The views of an equirectangular picture of `size`.

    Example:
        >>> faces = plan_faces(Size(32, 64), torch.device('cpu'))
        >>> len(faces.pixels), round(float(faces.shares.sum()))
        (6, 2048)
    """
    # On the CPU: a device would be waited for, to know how many pixels lie in each view.
    x, y = centres(size)
    seen = [_seen_in(directions(x, y, size).flatten(1), frame) for frame in _frames()]
    weights = torch.stack([_weight(across, down) for across, down in seen])
    pixels = [weight.nonzero()[:, 0] for weight in weights]
    shares = weights / weights.sum(0)
    return Faces(
        size,
        plan_sampling(*positions(_looks_at(_side(size)), size), size, "sphere").to(device),
        tuple(upload(at, device) for at in pixels),
        _places(seen, pixels, size).to(device),
        upload(torch.cat([share[at] for share, at in zip(shares, pixels, strict=True)]).float(), device),
    )


def _frames() -> list[Tensor]:
    """For each view (3, 3): its own [right, down, ahead] as directions, one a row."""
    c, s = math.cos(_LEAN), math.sin(_LEAN)
    lean = torch.tensor([[1, 0, 0], [0, c, -s], [0, s, c]], dtype=torch.float64)
    c, s = math.cos(_TWIST), math.sin(_TWIST)
    twist = torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]], dtype=torch.float64)
    found = []
    for axis in _AXES:
        ahead = torch.tensor(axis, dtype=torch.float64)
        down = torch.tensor([0, 1, 0] if axis[1] == 0 else [0, 0, axis[1]], dtype=torch.float64)
        found.append(torch.stack([torch.linalg.cross(down, ahead), down, ahead]) @ lean @ twist)
    return found


def _seen_in(toward: Tensor, frame: Tensor) -> tuple[Tensor, Tensor]:
    """Where directions (3, N) lie in a view, right and down, from -1 to 1 within it."""
    right, down, ahead = frame @ toward
    scale = 2 / (1 + ahead).clamp_min(1e-9) / (_SIDE * math.pi)
    return right * scale, down * scale


def _weight(x: Tensor, y: Tensor) -> Tensor:
    inside = 1 - _UNUSED - torch.maximum(x.abs(), y.abs())
    return smoothstep(inside / (_FADE - _UNUSED))


def _looks_at(side: int) -> Tensor:
    """The directions (3, H, W) of all pixels of the views."""
    x, y = ((at * (2 / side) - 1) * (_SIDE * math.pi / 2) for at in centres(Size(side, side)))
    squared = x.square() + y.square()
    own = torch.stack([2 * x, 2 * y, 1 - squared]) / (1 + squared)
    views = [(frame.T @ own.flatten(1)).view_as(own) for frame in _frames()]
    return torch.cat([torch.cat(views[at : at + _COLUMNS], 2) for at in range(0, len(views), _COLUMNS)], 1)


def _places(seen: list[tuple[Tensor, Tensor]], pixels: list[Tensor], size: Size) -> SamplingPlan:
    side = _side(size)
    x = [
        (at % _COLUMNS + (x[inside] + 1) / 2) * side
        for at, ((x, _), inside) in enumerate(zip(seen, pixels, strict=True))
    ]
    y = [
        (at // _COLUMNS + (y[inside] + 1) / 2) * side
        for at, ((_, y), inside) in enumerate(zip(seen, pixels, strict=True))
    ]
    return plan_sampling(torch.cat(x)[None], torch.cat(y)[None], faces_size(size))


def read_faces(picture: Tensor, faces: Faces) -> Tensor:
    """The six views (1, C, h, w) of an equirectangular picture (1, C, H, W), side by side. Not clamped.

    Example:
        >>> read_faces(torch.ones(1, 3, 32, 64), plan_faces(Size(32, 64), torch.device('cpu'))).shape
        torch.Size([1, 3, 38, 57])
    """
    views = sample(picture, faces.views)
    for dim, count in ((2, _ROWS), (3, _COLUMNS)):
        views = _blended(views, dim, count)
    return views


def _blended(views: Tensor, dim: int, count: int) -> Tensor:
    """Views of which `count` stand in a row along a side, the last one before the first, without lines between them."""
    margin = int(views.shape[dim] / count * _UNUSED / 2)
    views = views.roll(margin, dim)
    away = torch.linspace(-1, 1, 2 * margin, device=views.device).abs().view(-1, *[1] * (3 - dim))
    for cell in views.chunk(count, dim):
        border = cell.narrow(dim, 0, 2 * margin)
        border.lerp_(border.flip(dim), 0.5 * (1 - smoothstep(away)))
    return views.roll(-margin, dim)


def join_faces(views: Tensor, faces: Faces) -> Tensor:
    """Views (1, C, h, w), put together to an equirectangular picture (1, C, H, W): where they overlap, they blend.

    Example:
        >>> faces = plan_faces(Size(32, 64), torch.device('cpu'))
        >>> picture = join_faces(torch.ones(1, 3, 38, 57), faces)
        >>> picture.shape, round(float(picture.min()), 4), round(float(picture.max()), 4)
        (torch.Size([1, 3, 32, 64]), 1.0, 1.0)
    """
    channels = views.shape[1]
    joined = views.new_zeros(channels, faces.size.height * faces.size.width)
    read = sample(views, faces.places)[0, :, 0] * faces.shares
    # Within a view no pixel comes twice, so that the sum has one order only.
    parts = torch.split(read, [len(pixels) for pixels in faces.pixels], 1)
    for pixels, part in zip(faces.pixels, parts, strict=True):
        joined.index_add_(1, pixels, part)
    return joined.view(1, channels, *faces.size)


def on_faces(draw: Callable[[Tensor], Tensor], picture: Tensor) -> Tensor:
    """What `draw` makes of an equirectangular picture (1, C, H, W) in [0, 1], given its six views one after the other.

    `draw` returns a picture as large as it is given, of any number of channels. Sizes that it takes as shares of a side
    are then shares of a view, 101 degrees, which is about what one sees of a sphere at a time.

    Example:
        >>> on_faces(lambda views: 1 - views, torch.ones(1, 1, 32, 64)).abs().max().item()
        0.0
    """
    faces = plan_faces(size_of(picture), picture.device)
    rows = sample(picture, faces.views).clamp_(0, 1).chunk(_ROWS, 2)
    drawn = [torch.cat([draw(view.contiguous()) for view in row.chunk(_COLUMNS, 3)], 3) for row in rows]
    return join_faces(torch.cat(drawn, 2), faces)
