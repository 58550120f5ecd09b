"""A whole sphere in one picture: equirectangular, twice as wide as high, seen from its middle.

Columns are longitudes, from -180 degrees at the left edge to 180 at the right one, rows latitudes, from straight up
to straight down. Directions are (3, ...) unit vectors [right, down, ahead]; ahead is the middle of the picture.

A camera that turns and zooms is a (4, 4) Lorentz matrix on (1, direction): turns and conformal zooms are one group,
since the sky of a moving observer is a conformal map of that of one at rest (Penrose 1959).
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.device import upload
from pipeline.frame import Size, size_of

Array = NDArray[np.float64]
_PIXEL = 0.5  # standard deviation of what a pixel shows, in pixels


def centres(size: Size) -> tuple[Tensor, Tensor]:
    """The centres of all pixels of a picture of `size`: x and y (H, W), in pixels, float64 on the CPU.

    Example:
        >>> x, y = centres(Size(1, 2))
        >>> x.tolist(), y.tolist()
        ([[0.5, 1.5]], [[0.5, 0.5]])
    """
    y, x = (torch.arange(side, dtype=torch.float64) + 0.5 for side in size)
    return x.expand(*size), y[:, None].expand(*size)


def directions(x: Tensor, y: Tensor, size: Size) -> Tensor:
    """Where pixel positions `x`, `y` (...) of a picture of `size` lie on the sphere, (3, ...).

    Beyond the left and right edge the picture goes on at the other side, beyond a pole on the meridian opposite.

    Example:
        >>> x, y = torch.tensor([4.0, 6.0, 4.0]), torch.tensor([2.0, 2.0, 0.0])  # ahead, to the right, above
        >>> directions(x, y, Size(4, 8)).round(decimals=3).abs().T.tolist()
        [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    longitude, down = (x / size.width - 0.5) * (2 * math.pi), (y / size.height - 0.5) * math.pi
    return torch.stack([down.cos() * longitude.sin(), down.sin(), down.cos() * longitude.cos()])


def positions(toward: Tensor, size: Size) -> tuple[Tensor, Tensor]:
    """Where in a picture of `size` directions (3, ...) of any length lie: x and y (...), in pixels.

    Example:
        >>> x, y = positions(torch.tensor([1.0, 0.0, 0.0]), Size(4, 8))
        >>> float(x), float(y)
        (6.0, 2.0)
    """
    right, down, ahead = toward
    longitude, latitude = torch.atan2(right, ahead), torch.atan2(down, torch.hypot(right, ahead))
    return (longitude / (2 * math.pi) + 0.5) * size.width, (latitude / math.pi + 0.5) * size.height


def is_on_sphere(matrix: Tensor) -> bool:
    """Whether a camera's matrix, (3, 3) in a flat picture, is one of those (4, 4) that move a sphere.

    Example:
        >>> is_on_sphere(torch.eye(4)), is_on_sphere(torch.eye(3))
        (True, False)
    """
    return len(matrix) == 4


def sphere_rates(zoom: Array, roll: Array, yaw: Array, pitch: Array) -> Tensor:
    """The joint backward rate of a camera on a sphere at N moments, float64 (N, 4, 4) per second.

    `zoom` is the magnification straight ahead per second, which is taken from what lies behind; positive `roll` turns
    the picture clockwise, `yaw` turns the camera to the right and `pitch` downwards, in degrees per second.

    Example:
        >>> none = np.zeros(1)
        >>> quarter = torch.linalg.matrix_exp(sphere_rates(none + 1, none, none + 90, none)[0])
        >>> (quarter @ torch.tensor([1.0, 0, 0, 1]).double()).round(decimals=3).abs().tolist()  # ahead is on the right
        [1.0, 1.0, 0.0, 0.0]
    """
    rates = np.zeros((len(zoom), 4, 4))
    with np.errstate(all="ignore"):  # what is not finite is for the caller to judge
        rates[:, 0, 3] = rates[:, 3, 0] = np.log(zoom)
    for angle, to, out_of in ((roll, 1, 2), (yaw, 1, 3), (pitch, 2, 3)):
        rates[:, to, out_of], rates[:, out_of, to] = np.radians(angle), -np.radians(angle)
    return torch.from_numpy(rates)


def seen_on_sphere(matrix: Tensor, x: Tensor, y: Tensor, size: Size) -> tuple[Tensor, Tensor]:
    """Positions `x`, `y` (...) in a picture of `size`, in pixels, through a backward (4, 4) matrix.

    Example:
        >>> closer = torch.linalg.matrix_exp(sphere_rates(*np.array([[2.0], [0.0], [0.0], [0.0]]))[0])
        >>> x, y = seen_on_sphere(closer, torch.tensor([4.0, 6.0]), torch.tensor([2.0, 2.0]), Size(4, 8))
        >>> [round(value, 3) for value in x.tolist()]  # 90 degrees to the right it shows what lay at 53
        [4.0, 5.181]
    """
    toward = directions(x, y, size)
    seen = torch.cat([torch.ones_like(toward[:1]), toward]).flatten(1)
    moved = upload(matrix, x.device).to(x.dtype)[1:] @ seen
    return positions(moved.view_as(toward), size)


def shortest_way(flow: Tensor, size: Size) -> Tensor:
    """A flow (1, 2, H, W) in pixels of a picture of `size` that goes no further than halfway round.

    Example:
        >>> shortest_way(torch.tensor([7.0, 0.0]).view(1, 2, 1, 1), Size(4, 8)).flatten().tolist()
        [-1.0, 0.0]
    """
    half = size.width / 2
    return torch.cat([(flow[:, :1] + half).remainder(size.width) - half, flow[:, 1:]], 1)


def evenly(frame: Tensor) -> Tensor:
    """(1, C, H, W) with its rows drawn anew, so that each stands for as much of the sphere: for statistics.

    Example:
        >>> evenly(torch.arange(8.0).view(1, 1, 8, 1).expand(1, 1, 8, 16))[0, 0, :, 0].tolist()
        [1.0, 2.0, 3.0, 3.0, 4.0, 4.0, 5.0, 6.0]
    """
    height = frame.shape[2]
    share = (torch.arange(height, dtype=torch.float64) + 0.5) * (2 / height) - 1
    rows = ((torch.asin(share) / math.pi + 0.5) * height).long().clamp(0, height - 1)
    return frame.index_select(2, upload(rows, frame.device))


def isotropic(noise: Tensor) -> Tensor:
    """Noise (1, C, H, W), each pixel for itself, made as fine in every direction all over the sphere.

    Towards the poles, where pixels stand closer than they are wide, it is low-passed along the rows, as wide as they
    are close; its deviation stays what it was.

    Example:
        >>> found = isotropic(torch.randn(1, 1, 64, 128, generator=torch.Generator().manual_seed(0)))
        >>> pole, equator = found[0, 0, 0], found[0, 0, 32]
        >>> bool(pole.diff().abs().max() < 0.2), bool(equator.diff().abs().max() > 2)
        (True, True)
    """
    height, width = size_of(noise)
    latitude = ((torch.arange(height, dtype=torch.float64) + 0.5) / height - 0.5) * math.pi
    spread_px = _PIXEL * (1 / latitude.cos().square() - 1)[:, None].sqrt()
    gain = torch.exp(-0.5 * (2 * math.pi * torch.fft.rfftfreq(width, dtype=torch.float64) * spread_px).square())
    both = torch.full((gain.shape[1],), 2.0, dtype=torch.float64)  # all but the first and last stand for two
    both[0] = both[-1] = 1
    gain /= ((gain.square() * both).sum(1, keepdim=True) / width).sqrt()
    filtered: Tensor = torch.fft.irfft(torch.fft.rfft(noise) * upload(gain.to(noise.dtype), noise.device), n=width)
    return filtered
