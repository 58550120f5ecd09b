"""Making pictures symmetric, and what is added to them, and the motion that is seen in them."""

from __future__ import annotations

import math
from functools import cached_property

import torch
from torch import Tensor

from pipeline.device import upload
from pipeline.frame import Size
from pipeline.ops.blur import anti_alias, filter_separable
from pipeline.ops.groups import Group, Positions
from pipeline.ops.motion import Motion, pixel_positions, read_field
from pipeline.ops.smoothstep import smoothstep
from pipeline.ops.warp import SamplingPlan, plan_sampling, sample, warp_matrix

_RIM = 0.12  # of the shorter side, over which what other places say fades out towards the picture's border
_HALF_PX = 0.5 - 1e-6  # beyond the centres of a picture's outermost pixels nothing is known, but for rounding
_ROUNDS = 3  # what is read beside a mirror depends on copies behind it, which are right the next time
_STEP_PX = 1e-3  # over which a fold is differentiated


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
        middle = torch.eye(3, dtype=torch.float64)
        middle[0, 2], middle[1, 2] = self.size.width / 2, self.size.height / 2
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


def _within(x: Tensor, y: Tensor, size: Size) -> Tensor:
    return (x.abs() <= size.width / 2 - _HALF_PX) & (y.abs() <= size.height / 2 - _HALF_PX)
