"""Pictures with depth, seen by a camera that moves: parallax, and what it uncovers.

Disparity is the inverse of depth, 1 in the plane that a camera's rates are meant for. Positions and flows are as in
`ops.motion`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.frame import Size, size_of
from pipeline.ops.motion import Motion, inside, pixel_positions, projected, read_field
from pipeline.ops.warp import project

_MOST_PLANES = 32


@dataclass(frozen=True)
class Sight:
    """What a camera sees of a picture with depth: each pixel of the view is read at one of `positions` (1, 2, H, W).

    `hidden` is (1, 1, H, W) in [0, 1]: how much of a pixel was behind something, so that the picture had to be
    stretched to fill it; None: nothing was.
    """

    positions: Tensor
    hidden: Tensor | None


@dataclass(frozen=True)
class Relief:
    """A picture's `disparity` (1, 1, H, W), and a camera's backward pixel matrices (N, 3, 3) for N planes of depth.

    The planes are those of `plane_disparities(nearest, farthest, N)`; what lies between two moves in between.
    """

    disparity: Tensor
    nearest: float
    farthest: float
    matrices: Tensor

    def sight(self, here: Tensor) -> Sight:
        """What the camera sees at the places `here` (1, 2, H, W) of its view, a grid of neighbours.

        Relief mapping (Policarpo, Oliveira, Comba 2005): a ray goes from the nearest plane to the farthest, and ends
        where the picture there is as near as the plane is.

        Example:
            >>> disparity = torch.ones(1, 1, 4, 8)
            >>> disparity[..., 4:] = 0.5
            >>> right = torch.eye(3).double().repeat(2, 1, 1)
            >>> right[:, 0, 2] = torch.tensor([2.0, 1.0])  # the near moves two pixels left, the far one
            >>> seen = Relief(disparity, 1.0, 0.5, right).sight(pixel_positions(Size(4, 8), disparity))
            >>> seen.positions[0, 0, 0].tolist()[:2], seen.positions[0, 0, 0].tolist()[4:6]
            ([2.5, 3.5], [5.5, 6.5])
        """
        planes = self._planes
        found = torch.zeros_like(here[:, :1], dtype=torch.bool)
        at, level = projected(self.matrices[0], here, size_of(here)), torch.full_like(here[:, :1], planes[0])
        before, gap_before = at, read_field(self.disparity, at) - planes[0]
        for index in range(1, len(planes)):
            there = projected(self.matrices[index], here, size_of(here))
            gap = read_field(self.disparity, there) - planes[index]
            hit = (gap >= 0) & ~found
            share = (gap_before / (gap_before - gap).clamp_max(-1e-9)).clamp(0, 1)
            at = torch.where(hit, before.lerp(there, share), at)
            level = torch.where(hit, planes[index - 1] + share * (planes[index] - planes[index - 1]), level)
            found, before, gap_before = found | hit, there, gap
        return Sight(at, stretched(at, self._area(level)))

    def shown(self, places: Tensor) -> Tensor:
        """Where `places` (1, 2, H, W) of the picture lie in the camera's view, hidden or not.

        Example:
            >>> twice = torch.diag(torch.tensor([0.5, 0.5, 1.0]).double()).repeat(2, 1, 1)
            >>> Relief(torch.ones(1, 1, 4, 4), 2.0, 0.5, twice).shown(torch.ones(1, 2, 1, 1)).flatten()
            tensor([2.0000, 2.0000])
        """
        planes = self._planes
        near = read_field(self.disparity, places)
        result = torch.zeros_like(places)
        for plane, matrix in zip(planes, torch.linalg.inv(self.matrices), strict=True):
            share = (1 - (near - plane).abs() / self._spacing).clamp_min(0)
            result = result + share * projected(matrix, places, size_of(places))
        return result

    @property
    def _planes(self) -> list[float]:
        return plane_disparities(self.nearest, self.farthest, len(self.matrices))

    @property
    def _spacing(self) -> float:
        return (self.nearest - self.farthest) / (len(self.matrices) - 1)

    def _area(self, level: Tensor) -> Tensor:
        """How large a pixel of the view is in the picture, in a plane of disparity `level`."""
        size = size_of(self.disparity)
        near, far = (math.log(pixel_area(matrix, size)) for matrix in (self.matrices[0], self.matrices[-1]))
        return torch.exp(far + (near - far) * (level - self.farthest) / (self.nearest - self.farthest))


def plane_disparities(nearest: float, farthest: float, count: int) -> list[float]:
    """The disparities of `count` planes, evenly from the nearest to the farthest.

    Example:
        >>> plane_disparities(2.0, 0.5, 4)
        [2.0, 1.5, 1.0, 0.5]
    """
    return [nearest + (farthest - nearest) * index / (count - 1) for index in range(count)]


def planes_needed(nearest: Tensor, farthest: Tensor, size: Size) -> int:
    """How many planes there should be between the two backward matrices: one for each pixel of parallax.

    Example:
        >>> still, right = torch.eye(3).double(), torch.eye(3).double()
        >>> right[0, 2] = 4.5
        >>> planes_needed(still, right, Size(4, 8))
        7
    """
    corners = (torch.tensor([0, side], dtype=torch.float64) for side in (size.width, size.height))
    x, y = torch.meshgrid(*corners, indexing="xy")
    (near_x, near_y), (far_x, far_y) = project(nearest, x, y), project(farthest, x, y)
    parallax = float(torch.hypot(near_x - far_x, near_y - far_y).max())
    return 2 + min(_MOST_PLANES - 2, math.ceil(parallax))


def stretched(there: Tensor, area: Tensor) -> Tensor:
    """(1, 1, H, W) in [0, 1]: how much of each pixel is new, where the view is read at `there` (1, 2, H, W).

    Each pixel ought to take `area` square pixels of the picture; what it takes less is stretched to fill a hole. It
    adds up to the same over many small steps as over one large.

    Example:
        >>> there = pixel_positions(Size(4, 6), torch.zeros(()))
        >>> there[:, 0, :, 3:] = 2.5  # the picture ends there, and is drawn out
        >>> stretched(there, torch.ones(1, 1, 4, 6))[0, 0, 0].tolist()
        [0.0, 0.0, 0.5, 1.0, 1.0, 1.0]
    """
    (x_down, x_across), (y_down, y_across) = (torch.gradient(axis, dim=(0, 1)) for axis in there[0])
    taken = (x_across * y_down - x_down * y_across).abs()[None, None]
    return (1 - taken / area).clamp(0, 1)


def under_parallax(motion: Motion | None, now: Sight, before: tuple[Relief, Sight] | None) -> Motion:
    """The motion of a scene that moves by `motion` (None: not at all), seen by a camera with parallax.

    `now` is its view in frame n; `before` is frame n-1's scene with its view, or None where that was the scene itself.

    Example:
        >>> here = pixel_positions(Size(4, 6), torch.zeros(()))
        >>> found = under_parallax(None, Sight(here + 1, torch.zeros(1, 1, 4, 6)), None)
        >>> found.flow.unique().tolist(), found.trust[0, 0, 0].tolist()
        ([1.0], [1.0, 1.0, 1.0, 1.0, 1.0, 0.5])
    """
    size = size_of(now.positions)
    here, there = pixel_positions(size, now.positions), now.positions
    trust = torch.ones_like(here[:, :1])
    new = torch.zeros_like(trust) if now.hidden is None else now.hidden
    if motion is not None:
        trust = read_field(motion.trust, there)
        there = there + read_field(motion.flow, there)
    if before is not None:
        relief, sight = before
        there = relief.shown(there)
        if sight.hidden is not None:  # what was filled in before has been dreamt on
            new = (new - read_field(sight.hidden, there)).clamp_min(0)
    return Motion(there - here, trust * (1 - new) * inside(there, size))


def widened(disparity: Tensor) -> Tensor:
    """`disparity` (1, 1, H, W) with near things a pixel larger: the mixed colours of their outlines belong to them.

    Example:
        >>> widened(torch.tensor([[[[0.5, 0.5, 2.0, 0.5]]]])).flatten().tolist()
        [0.5, 2.0, 2.0, 2.0]
    """
    return F.max_pool2d(disparity, 3, 1, 1)


def pixel_area(matrix: Tensor, size: Size) -> float:
    """How many square pixels of the picture a pixel in the middle of the view takes, through a backward matrix.

    Example:
        >>> pixel_area(torch.diag(torch.tensor([2.0, 3.0, 1.0])), Size(4, 6))
        6.0
    """
    three = torch.tensor([[0.5, -0.5, 0.5], [0.5, 0.5, -0.5]], dtype=matrix.dtype)
    x, y = project(matrix, three[0] + size.width / 2, three[1] + size.height / 2)
    return abs(float((x[0] - x[1]) * (y[0] - y[2]) - (x[0] - x[2]) * (y[0] - y[1])))
