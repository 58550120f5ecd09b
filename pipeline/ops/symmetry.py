"""Pictures that are alike in several places: in mirrors around a point, between parallel ones, or in tiles.

A symmetry is told by its fold, which leads from every place to the one place, among all that look like it, that the
others are copies of. Positions are pixels from the middle of the picture, to the right and down. Where that one place
lies beyond the picture's border, another that does not will do, if the picture is symmetric already.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from pipeline.device import upload
from pipeline.frame import Size
from pipeline.ops.blur import anti_alias, filter_separable
from pipeline.ops.motion import Motion, pixel_positions, read_field
from pipeline.ops.smoothstep import smoothstep
from pipeline.ops.warp import SamplingPlan, plan_sampling, sample, warp_matrix

Positions = tuple[Tensor, Tensor]
Choice = Callable[[Tensor, Tensor], list[Positions]]
_RIM = 0.12  # of the shorter side, over which what other places say fades out towards the picture's border
_HALF_PX = 0.5 - 1e-6  # beyond the centres of a picture's outermost pixels nothing is known, but for rounding
_ROUNDS = 3  # what is read beside a mirror depends on copies behind it, which are right the next time
_STEP_PX = 1e-3  # over which a fold is differentiated


@dataclass(frozen=True)
class Group:
    """A symmetry of pictures, whatever their size.

    Where it is `mirrored`, folding tears nothing apart. `copies` begins with the fold, and goes on with places that may
    stand in for it. All copies of a place are found by flips and motions: `flips` are sides of a picture as
    `Tensor.flip` takes them, `motions` (3, 3) matrices.
    """

    mirrored: bool
    copies: Choice
    flips: tuple[tuple[int, ...], ...]
    motions: tuple[Tensor, ...]
    shrinking: float = 1.0
    """how many times smaller than the place that counts a copy is"""


def kaleidoscope(count: int) -> Group:
    """`count` pairs of mirrors that meet in the middle. One stands upright; the sector beside the horizontal counts.

    Example:
        >>> x, y = kaleidoscope(4).copies(torch.tensor([0.0, -5.0]), torch.tensor([-8.0, 0.0]))[0]
        >>> x.round().tolist(), y.abs().round().tolist()
        ([8.0, 5.0], [0.0, 0.0])
    """
    apart = 2 * math.pi / count
    first = 0.0 if count % 2 == 0 else -apart / 4

    def copies(x: Tensor, y: Tensor) -> list[Positions]:
        angle = torch.remainder(torch.atan2(y, x) - first, apart)
        angle = torch.minimum(angle, apart - angle)
        return _around(x, y, [first + n * apart + sign * angle for n in range(count // 2 + 1) for sign in (-1, 1)][1:])

    every = ((), (2,), (3,), (2, 3)) if count % 2 == 0 else ((), (3,))
    return Group(True, copies, every, _turns(count))


def rotational(count: int) -> Group:
    """The picture looks the same when it is turned by a `count`th of a circle.

    Example:
        >>> x, y = rotational(4).copies(torch.tensor([0.0]), torch.tensor([8.0]))[0]
        >>> round(float(x)), round(abs(float(y)))
        (8, 0)
    """
    apart = 2 * math.pi / count

    def copies(x: Tensor, y: Tensor) -> list[Positions]:
        angle = torch.remainder(torch.atan2(y, x) + apart / 2, apart) - apart / 2
        return _around(x, y, [angle + n * apart for n in range(count)])

    return Group(False, copies, ((), (2, 3)) if count % 2 == 0 else ((),), _turns(count))


def _turns(count: int) -> tuple[Tensor, ...]:
    """By the `count`th of a circle and more: by less than half of one, where flips do the rest."""
    turns = []
    for n in range(count // 2 if count % 2 == 0 else count):
        c, s = math.cos(2 * math.pi * n / count), math.sin(2 * math.pi * n / count)
        turns.append(torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]], dtype=torch.float64))
    return tuple(turns)


def _within(x: Tensor, y: Tensor, size: Size) -> Tensor:
    return (x.abs() <= size.width / 2 - _HALF_PX) & (y.abs() <= size.height / 2 - _HALF_PX)


def _around(x: Tensor, y: Tensor, angles: list[Tensor]) -> list[Positions]:
    radius = torch.hypot(x, y)
    return [(radius * torch.cos(angle), radius * torch.sin(angle)) for angle in angles]


def mirror(across: bool, down: bool) -> Group:
    """The left half in the right one (`across`), the upper in the lower (`down`), or both.

    Example:
        >>> x, y = mirror(across=True, down=False).copies(torch.tensor([3.0, -3.0]), torch.tensor([1.0, -1.0]))[0]
        >>> x.tolist(), y.tolist()
        ([-3.0, -3.0], [1.0, -1.0])
    """

    def copies(x: Tensor, y: Tensor) -> list[Positions]:
        return [(-x.abs() if across else x, -y.abs() if down else y)]

    sides = ((3,),) * across + ((2,),) * down + ((2, 3),) * (across and down)
    return Group(True, copies, ((), *sides), (_shift(0, 0),))


def mirrored_tiles(columns: float, rows: float, frame: Size, size: Size) -> Group:
    """So many tiles across and down a `frame`, in the middle of a picture of `size`, each the mirror image of the next.

    Example:
        >>> x, y = mirrored_tiles(4, 1, Size(10, 8), Size(10, 8)).copies(torch.tensor([4.5, 13.0]), torch.zeros(2))[0]
        >>> x.tolist()
        [0.5, 1.0]
    """
    width, height = frame.width / columns, frame.height / rows

    def copies(x: Tensor, y: Tensor) -> list[Positions]:
        return [(_to_and_fro(x, width), _to_and_fro(y, height))]

    return Group(True, copies, ((), (2,), (3,), (2, 3)), _shifts(2 * width, 2 * height, size))


def tiles(columns: float, rows: float, frame: Size, size: Size) -> Group:
    """The same without mirrors: each tile like the next.

    Example:
        >>> x, y = tiles(4, 1, Size(10, 8), Size(10, 8)).copies(torch.tensor([4.5, 13.0]), torch.zeros(2))[0]
        >>> x.tolist()
        [0.5, -1.0]
    """
    width, height = frame.width / columns, frame.height / rows

    def copies(x: Tensor, y: Tensor) -> list[Positions]:
        return [((x + width / 2) % width - width / 2, (y + height / 2) % height - height / 2)]

    return Group(False, copies, ((),), _shifts(width, height, size))


def droste(scale: float, frame: Size) -> Group:
    """The picture contains itself, `scale` times smaller than the `frame`, in the middle; and so on.

    A place in there is a copy of one that is so much further out, which may itself be a copy.

    Example:
        >>> x, y = droste(4.0, Size(40, 80)).copies(torch.tensor([9.0, 11.0]), torch.tensor([1.0, 1.0]))[0]
        >>> x.tolist(), y.tolist()
        ([36.0, 11.0], [4.0, 1.0])
    """

    def copies(x: Tensor, y: Tensor) -> list[Positions]:
        within = (x.abs() < frame.width / 2 / scale) & (y.abs() < frame.height / 2 / scale)
        outwards = torch.where(within, scale, 1.0)
        return [(x * outwards, y * outwards), (x / scale, y / scale)]

    return Group(True, copies, ((),), (_shift(0, 0),), scale)


def _to_and_fro(x: Tensor, width: float) -> Tensor:
    x = x % (2 * width)
    return torch.minimum(x, 2 * width - x)


def _shifts(width: float, height: float, size: Size) -> tuple[Tensor, ...]:
    across, down = math.ceil(size.width / width), math.ceil(size.height / height)
    steps = [(i, j) for i in range(-across, across + 1) for j in range(-down, down + 1)]
    return tuple(_shift(i * width, j * height) for i, j in sorted(steps, key=lambda step: step != (0, 0)))


def _shift(x: float, y: float) -> Tensor:
    return torch.tensor([[1, 0, x], [0, 1, y], [0, 0, 1]], dtype=torch.float64)


class Symmetry:
    """A group at work on pictures of one size."""

    def __init__(self, group: Group, size: Size, device: torch.device) -> None:
        self.group, self.size, self._device = group, size, device

    def positions(self, x: Tensor, y: Tensor, *, begun: bool = True) -> Positions:
        """Where pixel positions (H, W), counted from the corner, are folded to.

        If the symmetry has `begun`, that is within the picture wherever one of a place's copies is.
        """
        right, down = self.size.width / 2, self.size.height / 2
        x, y = x - right, y - down
        (x, y), *others = self.group.copies(x, y)
        for other_x, other_y in others if begun else ():
            better = ~_within(x, y, self.size) & _within(other_x, other_y, self.size)
            x, y = torch.where(better, other_x, x), torch.where(better, other_y, y)
        return x + right, y + down

    def folded(self, picture: Tensor) -> Tensor:
        """A symmetric picture (1, C, H, W), to the last digit: copies are what they are copies of; not clamped."""
        for _ in range(self._rounds):
            picture = self._copied(picture, self._plan)
        return picture

    @property
    def _rounds(self) -> int:
        """As many as it takes to the smallest of copies of copies."""
        scale = self.group.shrinking
        return _ROUNDS if scale == 1 else math.ceil(math.log(max(self.size) / 2) / math.log(scale))

    def _copied(self, picture: Tensor, plan: SamplingPlan) -> Tensor:
        if self.group.shrinking == 1:
            return sample(picture, plan)
        softer = filter_separable(picture, upload(anti_alias(self.group.shrinking), picture.device), "edge")
        return torch.where(self._counts, picture, sample(softer, plan))

    @cached_property
    def _counts(self) -> Tensor:
        """(H, W) bool: which pixels are copies of none but themselves."""
        pixels = pixel_positions(self.size, self._here)[0]
        return (self._here - pixels).abs().amax(0) < 1e-6

    def imposed(self, picture: Tensor) -> Tensor:
        """Any picture (1, C, H, W) made symmetric: folded at mirrors, or else the mean of all copies; not clamped."""
        if self.group.mirrored:
            x, y = pixel_positions(self.size, torch.zeros((), dtype=torch.float64, device=self._device))[0]
            return self._copied(picture, plan_sampling(*self.positions(x, y, begun=False), self.size))
        mean = picture.mean((2, 3), keepdim=True)
        return self.folded(mean + self.averaged(picture - mean))

    def averaged(self, detail: Tensor) -> Tensor:
        """The mean of what all copies of a place say of it, (1, C, H, W), as strong on average as `detail` is.

        So a gradient has no crease at the mirrors. What a copy says counts less towards the picture's border.
        """
        total, weights = torch.zeros_like(detail), self._weights
        for matrix in self._matrices:
            total += warp_matrix(self._flipped(detail * self._rim), matrix, "replicate")
        found = total / weights
        return found * (detail.abs().mean() / found.abs().mean().clamp_min(1e-12))

    def moved(self, motion: Motion, hidden: bool) -> Motion:
        """The motion that is seen, of one that is so without the symmetry. `hidden`: what was no copy, was not seen."""
        here = self._here[None].float()
        flow, trust = read_field(motion.flow, here), read_field(motion.trust, here)
        if hidden:
            there = here[0] + flow[0]
            again = torch.stack(self.positions(there[0], there[1]))
            trust = trust * ((again - there).abs().amax(0) < 0.5)
        seen = torch.einsum("ijhw,bihw->bjhw", self._slope, flow)
        return Motion(seen, trust)

    def _flipped(self, detail: Tensor) -> Tensor:
        return torch.stack([detail.flip(sides) if sides else detail for sides in self.group.flips]).sum(0)

    @cached_property
    def _here(self) -> Tensor:
        """(2, H, W): where each pixel is folded to."""
        here = pixel_positions(self.size, torch.zeros((), dtype=torch.float64, device=self._device))[0]
        return torch.stack(self.positions(here[0], here[1]))

    @cached_property
    def _plan(self) -> SamplingPlan:
        return plan_sampling(self._here[0], self._here[1], self.size)

    @cached_property
    def _matrices(self) -> list[Tensor]:
        middle = _shift(self.size.width / 2, self.size.height / 2)
        return [middle @ motion @ torch.linalg.inv(middle) for motion in self.group.motions]

    @cached_property
    def _rim(self) -> Tensor:
        """(1, 1, H, W): 1, falling towards the border, but for a little that what nobody else sees is known by."""
        x, y = pixel_positions(self.size, torch.zeros((), device=self._device))[0]
        nearest = torch.minimum(torch.minimum(x, self.size.width - x), torch.minimum(y, self.size.height - y)) / (
            _RIM * min(self.size)
        )
        return (1e-3 + smoothstep(nearest))[None, None]

    @cached_property
    def _weights(self) -> Tensor:
        total = torch.zeros_like(self._rim)
        for matrix in self._matrices:
            total += warp_matrix(self._flipped(self._rim), matrix, "replicate")
        return total

    @cached_property
    def _slope(self) -> Tensor:
        """(2, 2, H, W): how the pixel moves with the fold's place: by row the fold's axis, by column the pixel's."""
        here = pixel_positions(self.size, torch.zeros((), dtype=torch.float64, device=self._device))[0]
        columns = []
        for step in ((_STEP_PX, 0.0), (0.0, _STEP_PX)):
            ahead = torch.stack(self.positions(here[0] + step[0], here[1] + step[1]))
            behind = torch.stack(self.positions(here[0] - step[0], here[1] - step[1]))
            columns.append((ahead - behind) / (2 * _STEP_PX))
        slope = torch.stack(columns, 1)
        # A fold turns, mirrors and enlarges, so its inverse is its transpose, but for the scale.
        return (slope / slope.square().sum(0, keepdim=True).clamp_min(0.5)).float()
