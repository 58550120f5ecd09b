"""Camera motion as 3x3 matrices that say where each pixel of the new picture is read from."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.frame import Size

Array = NDArray[np.float64]
_GRID = 120  # cells a second
_MOST_CELLS = 65_536  # on the way to one frame
_GAUSS = 0.5 / math.sqrt(3)


@dataclass(frozen=True)
class Rates:
    """How a camera moves at N moments; every field is (N,), or a number for all of them.

    `zoom` is a factor per second (above 1 moves in), positive `degrees` per second turn the picture clockwise, `pan`
    is the camera's own speed in frame widths per second, to the right and down; zoom, turn and shear leave `centre`
    in place, in shares of width and height. `shear` (x, y) slides rows right by x times their distance below the
    centre, and columns down by y times their distance to the right of it, per second. `tilt` turns the camera itself to
    the right and down, in degrees per second, through a lens as long as the frame is wide.
    """

    zoom: Array
    degrees: Array
    pan: tuple[Array, Array]
    centre: tuple[Array, Array]
    shear: tuple[Array, Array]
    tilt: tuple[Array, Array]


def over_ground(rates: Rates) -> Rates:
    """The nearest motion that keeps shapes: a tilt becomes the pan that it is in the middle, and nothing shears.

    Example:
        >>> one, none = np.ones(1), (np.zeros(1), np.zeros(1))
        >>> over_ground(Rates(one, one, none, none, shear=none, tilt=(180 * one, 0 * one))).pan[0].round(3).tolist()
        [3.142]
    """
    (right, down), (tilt_right, tilt_down), none = rates.pan, rates.tilt, np.zeros_like(rates.pan[0])
    pan = (right + np.radians(tilt_right), down + np.radians(tilt_down))
    return replace(rates, pan=pan, shear=(none, none), tilt=(none, none))


def at_disparity(rates: Rates, disparity: float) -> Rates:
    """How things seem to move that lie at 1 / `disparity` of the distance that `rates` are meant for.

    Moving in and aside is slower the further away they are; turning, slanting and tilting are the same everywhere.

    Example:
        >>> one, none = np.ones(1), (np.zeros(1), np.zeros(1))
        >>> far = at_disparity(Rates(4 * one, one, pan=(one, 0 * one), centre=none, shear=none, tilt=none), 0.5)
        >>> far.zoom.tolist(), far.pan[0].tolist(), far.degrees.tolist()
        ([2.0], [0.5], [1.0])
    """
    if disparity == 1:
        return rates
    with np.errstate(all="ignore"):  # as in `rate_matrices`
        zoom = rates.zoom**disparity
    return replace(rates, zoom=zoom, pan=(rates.pan[0] * disparity, rates.pan[1] * disparity))


def rate_matrices(rates: Rates, size: Size) -> Tensor:
    """The joint backward rate of all motions, float64 (N, 3, 3) per second, in pixels with centres at half-integers.

    Example:
        >>> one, none = np.ones(1), (np.zeros(1), np.zeros(1))
        >>> right = Rates(zoom=one, degrees=0 * one, pan=(one, 0 * one), centre=none, shear=none, tilt=none)
        >>> rate_matrices(right, Size(100, 200))[0].tolist()  # in a second, 200 pixels further right are read
        [[0.0, 0.0, 200.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    height, width = size
    x, y = rates.centre[0] * width, rates.centre[1] * height
    # Backward: reading coordinates shrink towards the centre while the camera moves in.
    with np.errstate(all="ignore"):  # what is not finite is for the caller to judge
        a, b = -np.log(rates.zoom), np.radians(rates.degrees)
    slide_x, slide_y = b - rates.shear[0], -b - rates.shear[1]
    result = np.zeros((len(a), 3, 3))
    result[:, 0, 0], result[:, 0, 1], result[:, 0, 2] = a, slide_x, rates.pan[0] * width - a * x - slide_x * y
    result[:, 1, 0], result[:, 1, 1], result[:, 1, 2] = slide_y, a, rates.pan[1] * width - slide_y * x - a * y
    return torch.from_numpy(result + _tilting(rates.tilt, size))


def _tilting(tilt: tuple[Array, Array], size: Size) -> Array:
    """The rate (N, 3, 3) of a camera that turns about the middle of its lens."""
    to_right, down, focal = np.radians(tilt[0]), np.radians(tilt[1]), float(size.width)
    turn = np.zeros((len(to_right), 3, 3))
    turn[:, 0, 2], turn[:, 2, 0] = to_right * focal, -to_right / focal
    turn[:, 1, 2], turn[:, 2, 1] = down * focal, -down / focal
    shift = np.array([[1, 0, size.width / 2], [0, 1, size.height / 2], [0, 0, 1]])
    result: Array = shift @ turn @ np.linalg.inv(shift)
    return result


def motion_matrix(
    seconds: float,
    size: Size,
    *,
    zoom: float,
    degrees_per_second: float,
    pan: tuple[float, float],
    centre: tuple[float, float],
    shear: tuple[float, float] = (0.0, 0.0),
    tilt: tuple[float, float] = (0.0, 0.0),
) -> Tensor:
    """The backward motion of a steady camera over `seconds`, as a float64 (3, 3) matrix; see `Rates` for the units.

    It maps a pixel position (x, y, 1) of the picture after the motion to the one it shows before it. The motions act
    at once: the matrix is the exponential of their joint rate, so that motions over consecutive times compose exactly
    and the frame rate does not matter.

    Example:
        >>> matrix = motion_matrix(1.0, Size(100, 200), zoom=2.0, degrees_per_second=0, pan=(0, 0), centre=(0.5, 0.5))
        >>> corner = torch.tensor([200.0, 100.0, 1.0]).double()
        >>> (matrix @ corner).round(decimals=3).tolist()  # it shows what lay halfway to the centre
        [150.0, 75.0, 1.0]
    """
    one = np.ones(1)
    pairs = {name: (pair[0] * one, pair[1] * one) for name, pair in (("pan", pan), ("centre", centre))}
    rates = Rates(
        zoom * one,
        degrees_per_second * one,
        **pairs,
        shear=(shear[0] * one, shear[1] * one),
        tilt=(tilt[0] * one, tilt[1] * one),
    )
    matrix: Tensor = torch.linalg.matrix_exp(rate_matrices(rates, size)[0] * seconds)
    return matrix


def magnified(factor: float, centre: tuple[float, float], size: Size) -> Tensor:
    """The backward (3, 3) float64 pixel matrix of a picture seen larger, with `centre` (shares of it) in place.

    Example:
        >>> magnified(2.0, (0.5, 0.5), Size(100, 200)) @ torch.tensor([200.0, 100.0, 1.0]).double()
        tensor([150.,  75.,   1.], dtype=torch.float64)
    """
    x, y = centre[0] * size.width, centre[1] * size.height
    share = 1 / factor
    rows = [[share, 0, x * (1 - share)], [0, share, y * (1 - share)], [0, 0, 1]]
    return torch.tensor(rows, dtype=torch.float64)


def seen_from(matrices: Tensor, corner: Size) -> Tensor:
    """Matrices (..., 3, 3) of a picture's pixels, in pixels counted from another `corner` of it, so far down and right.

    Example:
        >>> twice = torch.diag(torch.tensor([2.0, 2.0, 1.0]).double())
        >>> seen_from(twice, Size(0, 10))[0].tolist()  # its old origin, at -10 now, stays in place
        [2.0, 0.0, 10.0]
    """
    shift = torch.eye(3, dtype=matrices.dtype)
    shift[0, 2], shift[1, 2] = corner.width, corner.height
    back = 2 * torch.eye(3, dtype=matrices.dtype) - shift
    return back @ matrices @ shift


def joined_pan(pan: tuple[Array, Array], zoom: Array, degrees: Array, step: float) -> tuple[Array, Array]:
    """The pan that, acting together with zoom and turn for `step` seconds, ends where panning first would have.

    Deforum moves the picture, then turns and zooms it, once a frame; `pan`, `zoom`, `degrees` are per second and
    steady for a frame. On complex positions the joint rate is m*z + p, and a step of it adds p*(exp(m*step) - 1)/m.

    Example:
        >>> right, down = joined_pan((np.ones(1), np.zeros(1)), np.array([1.0]), np.zeros(1), 1 / 24)
        >>> right.tolist(), down.tolist()  # without zoom and turn, nothing to join
        ([1.0], [0.0])
    """
    with np.errstate(all="ignore"):
        m = -(np.log(zoom) + 1j * np.radians(degrees)) * step
        small = np.abs(m) < 1e-8
        factor = np.where(small, 1 - m / 2, m / np.where(small, 1, np.expm1(m)))
    joined = (pan[0] + 1j * pan[1]) * factor
    return joined.real, joined.imag


def path_matrix(rates: Callable[[Array], Tensor], start: float, end: float, breaks: Array) -> Tensor:
    """The backward motion (3, 3) from `start` to `end`, in seconds, of a camera whose rate moves too.

    `rates` gives the rate matrices (N, 3, 3), or of another size, at (N,) times. Time is cut into cells that depend on
    nothing but the clock and on `breaks`, where a rate jumps; in each the camera moves steadily, at the rate that a
    fourth-order Magnus step finds from two Gauss points (Blanes, Casas, Ros 2000). A frame's border may fall anywhere
    in a cell, and so films at different frame rates go the same way to the last bit but rounding.

    Example:
        >>> still = path_matrix(lambda times: torch.zeros(len(times), 3, 3).double(), 0.0, 0.5, np.empty(0))
        >>> torch.equal(still, torch.eye(3).double())
        True
    """
    steps = torch.linalg.matrix_exp(path_generators(rates, start, end, breaks))
    matrix = torch.eye(steps.shape[-1], dtype=torch.float64)
    for step in steps:
        matrix = matrix @ step
    return matrix


def path_generators(rates: Callable[[Array], Tensor], start: float, end: float, breaks: Array) -> Tensor:
    """The same way in steps (N, 3, 3), or of another size, each a steady rate times its time.

    It is the product of their exponentials.

    Example:
        >>> path_generators(lambda times: torch.ones(len(times), 3, 3).double(), 0.0, 0.5, np.empty(0)).sum(0)[0]
        tensor([0.5000, 0.5000, 0.5000], dtype=torch.float64)
    """
    edges = cells(start, end, breaks, cells_per_second(end - start))
    length = np.diff(edges)
    early, late = edges[:-1] + (0.5 - _GAUSS) * length, edges[:-1] + (0.5 + _GAUSS) * length
    first, second = torch.split(rates(np.concatenate([early, late])), len(length))
    commutator = first @ second - second @ first
    steady = (first + second) / 2 + torch.from_numpy(length).view(-1, 1, 1) * (math.sqrt(3) / 12) * commutator
    inside = np.clip(np.minimum(edges[1:], end) - np.maximum(edges[:-1], start), 0, None)
    return steady * torch.from_numpy(inside).view(-1, 1, 1)


def cells_per_second(seconds: float) -> float:
    """How finely time is cut on a way of so many seconds: always alike, but for ways of many minutes.

    Example:
        >>> cells_per_second(1 / 24), cells_per_second(3600.0)
        (120.0, 15.0)
    """
    # So a way takes a bounded time: frames minutes apart show nothing of a motion's course between them.
    return _GRID * 2.0 ** -max(0, math.ceil(math.log2(max(seconds, 1e-9) * _GRID / _MOST_CELLS)))


def cells(start: float, end: float, breaks: Array, per_second: float = _GRID) -> Array:
    """The borders of the cells that the time from `start` to `end` lies in.

    Example:
        >>> cells(0.0, 0.5, np.array([0.3]), 4).tolist()
        [0.0, 0.25, 0.3, 0.5]
    """
    first, last = math.floor(start * per_second), math.ceil(end * per_second)
    grid = np.arange(first, max(last, first + 1) + 1) / per_second
    return np.unique(np.concatenate([grid, breaks[(grid[0] < breaks) & (breaks < grid[-1])]]))


def gauss_points(starts: Array, ends: Array) -> Array:
    """The times in cells that `path_matrix` looks at, in order.

    Example:
        >>> gauss_points(np.array([0.0]), np.array([1.0])).round(3).tolist()
        [0.211, 0.789]
    """
    length = ends - starts
    return np.stack([starts + (0.5 - _GAUSS) * length, starts + (0.5 + _GAUSS) * length], 1).reshape(-1)
