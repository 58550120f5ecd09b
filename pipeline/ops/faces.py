"""Views that together cover a sphere, in which a network sees it without the distortion of the flat picture.

Each of the six looks along an axis of a cube and is a stereographic projection: conformal, so that shapes are the same
in all of them where they overlap, and nearly as fine at its border as in its middle. With 101 degrees from side to side
the six have 1.08 times the pixels of the equirectangular picture.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.device import upload
from pipeline.frame import Size
from pipeline.ops.smoothstep import smoothstep
from pipeline.ops.sphere import centres, directions, positions
from pipeline.ops.warp import SamplingPlan, plan_sampling, sample

_SIDE = 0.3  # of a view, in widths of the picture; its middle is then as fine as the picture's
_FADE = 0.25  # over which share of the way to its border a view gives way to its neighbours
_FADED = 0.03  # what lies next to a view's border has no surroundings, and counts for nothing
_LEAN, _TWIST = math.radians(20), math.radians(15)  # so that the poles lie inside views, and no border on a meridian
_AXES = ((0, 0, 1), (1, 0, 0), (0, 0, -1), (-1, 0, 0), (0, 1, 0), (0, -1, 0))


class Faces(NamedTuple):
    """How six views are read from an equirectangular picture of `size`, and how they are put together to one again."""

    size: Size
    views: tuple[SamplingPlan, ...]
    pixels: tuple[Tensor, ...]
    """for each view the pixels (N,) of the picture that lie in it, row by row"""
    places: tuple[SamplingPlan, ...]
    """where in the view each of them is read"""
    shares: tuple[Tensor, ...]
    """how much each of them takes from this view, (N,); those of all views add up to 1"""


def face_size(size: Size) -> Size:
    """The size of a view of an equirectangular picture of `size`.

    Example:
        >>> face_size(Size(384, 768))
        Size(height=230, width=230)
    """
    side = max(1, round(_SIDE * size.width))
    return Size(side, side)


@lru_cache(maxsize=2)
def plan_faces(size: Size, device: torch.device) -> Faces:
    """The views of an equirectangular picture of `size`.

    Example:
        >>> faces = plan_faces(Size(32, 64), torch.device('cpu'))
        >>> len(faces.views), round(sum(float(share.sum()) for share in faces.shares))
        (6, 2048)
    """
    # On the CPU: a device would be waited for, to know how many pixels lie in each view.
    x, y = centres(size)
    toward = directions(x, y, size).flatten(1)
    frames = _frames()
    seen = [_seen_in(toward, frame) for frame in frames]
    shares = [_share(x, y) for x, y in seen]
    total = torch.stack(shares).sum(0)
    pixels = [share.nonzero()[:, 0] for share in shares]
    side = face_size(size)
    views = [plan_sampling(*positions(_looks_at(frame, side), size), size, "sphere") for frame in frames]
    places = [_reading(x[at], y[at], side) for (x, y), at in zip(seen, pixels, strict=True)]
    return Faces(
        size,
        tuple(view.to(device) for view in views),
        tuple(upload(at, device) for at in pixels),
        tuple(place.to(device) for place in places),
        tuple(upload((share / total)[at].float(), device) for share, at in zip(shares, pixels, strict=True)),
    )


def _frames() -> list[Tensor]:
    """For each view (3, 3): its own [right, down, ahead] as directions, one a row."""
    lean = torch.tensor(
        [[1, 0, 0], [0, math.cos(_LEAN), -math.sin(_LEAN)], [0, math.sin(_LEAN), math.cos(_LEAN)]], dtype=torch.float64
    )
    twist = torch.tensor(
        [[math.cos(_TWIST), -math.sin(_TWIST), 0], [math.sin(_TWIST), math.cos(_TWIST), 0], [0, 0, 1]],
        dtype=torch.float64,
    )
    found = []
    for axis in _AXES:
        ahead = torch.tensor(axis, dtype=torch.float64)
        down = torch.tensor([0, 1, 0] if axis[1] == 0 else [0, 0, axis[1]], dtype=torch.float64)
        frame = torch.stack([torch.linalg.cross(down, ahead), down, ahead])
        found.append(frame @ lean @ twist)
    return found


def _half() -> float:
    """Half a view's side, in the projection's own measure: 2 tan(angle / 2) from the middle."""
    return _SIDE * math.pi


def _seen_in(toward: Tensor, frame: Tensor) -> tuple[Tensor, Tensor]:
    """Where directions (3, N) lie in a view, from -1 to 1 within it."""
    right, down, ahead = frame @ toward
    scale = 2 / (1 + ahead).clamp_min(1e-9) / _half()
    return right * scale, down * scale


def _looks_at(frame: Tensor, side: Size) -> Tensor:
    """The directions (3, H, W) of a view's pixels."""
    x, y = ((at * (2 / side.width) - 1) * (_half() / 2) for at in centres(side))
    r2 = x.square() + y.square()
    own = torch.stack([2 * x, 2 * y, 1 - r2]) / (1 + r2)
    return (frame.T @ own.flatten(1)).view_as(own)


def _share(x: Tensor, y: Tensor) -> Tensor:
    """How much a view counts at places in it, not yet shared with the others."""
    inside = 1 - _FADED - torch.maximum(x.abs(), y.abs())
    return smoothstep(inside / (_FADE - _FADED))


def _reading(x: Tensor, y: Tensor, side: Size) -> SamplingPlan:
    across, down = ((at[None] + 1) * (side.width / 2) for at in (x, y))
    return plan_sampling(across, down, side, "replicate")


def read_faces(picture: Tensor, faces: Faces) -> list[Tensor]:
    """The six views (1, C, h, w) of an equirectangular picture (1, C, H, W). Not clamped.

    Example:
        >>> views = read_faces(torch.ones(1, 3, 32, 64), plan_faces(Size(32, 64), torch.device('cpu')))
        >>> len(views), views[0].shape
        (6, torch.Size([1, 3, 19, 19]))
    """
    return [sample(picture, plan) for plan in faces.views]


def join_faces(views: list[Tensor], faces: Faces) -> Tensor:
    """Views (1, C, h, w), put together to an equirectangular picture (1, C, H, W): where they overlap, they blend.

    Example:
        >>> faces = plan_faces(Size(32, 64), torch.device('cpu'))
        >>> picture = join_faces([torch.ones(1, 3, 19, 19)] * 6, faces)
        >>> picture.shape, round(float(picture.min()), 4), round(float(picture.max()), 4)
        (torch.Size([1, 3, 32, 64]), 1.0, 1.0)
    """
    channels = views[0].shape[1]
    joined = views[0].new_zeros(channels, faces.size.height * faces.size.width)
    for view, pixels, places, share in zip(views, faces.pixels, faces.places, faces.shares, strict=True):
        joined.index_add_(1, pixels, sample(view, places)[0, :, 0] * share)
    return joined.view(1, channels, *faces.size)
