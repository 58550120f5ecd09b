"""Depth at work: what a camera's step means for each pixel."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from pipeline.backbones.disparity import disparity_by, load_disparity
from pipeline.masks import MaskReel
from pipeline.ops import mask
from pipeline.ops.border import pad
from pipeline.ops.depth import disparity_of, flown
from pipeline.ops.luma import BT709, luma
from pipeline.ops.motion import Motion, pixel_positions, warp
from pipeline.ops.relief import Relief, Sight, plane_disparities, planes_needed, widened
from pipeline.ops.warp import project, resize_bilinear
from pipeline.stages.context import FrameContext
from pipeline.stages.spec import RunSpec
from pipeline.stages.zoom.depth import FilmDepth, GeometryDepth, ImageDepth, NetworkDepth, PictureDepth, ReliefDepth
from pipeline.stages.zoom.route import Route

_DEVIATIONS = 2.0  # from the mean of what is found in a picture to the nearest and the farthest
_LEAST_DEVIATION = 0.02
_PLANES = 32


class Scene(Protocol):
    """A picture with depth, and a camera that looks at it."""

    def sight(self, here: Tensor) -> Sight:
        """What the camera sees at the places `here` (1, 2, H, W) of its view."""


@dataclass(frozen=True, eq=False)
class Flight:
    """A step through a space that stays where it is in the frame."""

    config: GeometryDepth
    spec: RunSpec
    away: Tensor
    here: Tensor
    centre: tuple[float, float]
    punches: tuple[Tensor, Tensor]

    def sight(self, here: Tensor) -> Sight:
        x, y = project(self.punches[1], *here[0].double())
        x, y = flown(self.away, self.here, x, y, self._disparity)
        there = torch.stack(project(torch.linalg.inv(self.punches[0]), x, y))[None]
        return Sight(there.to(here), None)

    def _disparity(self, x: Tensor, y: Tensor) -> Tensor:
        c, (down, right), frame = self.config, self.spec.margin, self.spec.frame
        x, y = x - right - self.centre[0] * frame.width, y - down - self.centre[1] * frame.height
        return disparity_of(c.geometry, x, y, frame, c.far, c.sky)

    def like(self, other: Scene) -> bool:
        """Whether both are the same step."""
        if not isinstance(other, Flight):
            return False
        ours, theirs = ((f.away, f.here, *f.punches) for f in (self, other))
        return self.centre == other.centre and all(map(torch.equal, ours, theirs))


class Deep:
    """A scene, and the plain sight of it, worked out once."""

    def __init__(self, scene: Scene, spec: RunSpec) -> None:
        self.scene = scene
        self.sight = scene.sight(pixel_positions(spec.size, torch.zeros((), device=spec.device)))


class Depth:
    """The depth of the pictures from frame to frame: it moves along with them, and gives way to what is found anew."""

    def __init__(self, config: ReliefDepth, spec: RunSpec) -> None:
        self.config, self._spec = config, spec
        self.nearest, self.farthest = 1 / config.near, 1 / config.far
        self.disparity: Tensor | None = None
        self._reel = MaskReel(config.mask, spec.fps) if isinstance(config, ImageDepth | FilmDepth) else None
        self._network = None
        if isinstance(config, NetworkDepth):
            self._network = copy.deepcopy(load_disparity(Path(config.network), config.input)).to(spec.device)

    def meet(self, picture: Tensor, index: int, motion: Motion | None = None, *, fresh: bool = False) -> Tensor:
        """The disparity (1, 1, H, W) of frame `index`, (1, 3, H, W), which came by `motion` out of the last one met."""
        found = self.farthest + (self.nearest - self.farthest) * self._nearness(picture, index).clamp(0, 1)
        share = 1 - 0.5 ** (1 / float(self._spec.fps) / self.config.half_life) if self.config.half_life > 0 else 1.0
        if self.disparity is None or fresh or share == 1:
            self.disparity = found
        elif motion is None:
            self.disparity = self.disparity.lerp(found, share)
        else:
            kept = (1 - share) * motion.trust
            self.disparity = found.lerp(warp(self.disparity, motion.flow), kept)
        self.disparity = self.disparity.clamp(self.farthest, self.nearest)
        return self.disparity

    def step(self, picture: Tensor, index: int, route: Route) -> Relief:
        """The scene that the step to frame `index` leaves, whose picture is given."""
        disparity = self.meet(picture, index - 1)
        near, far = (route.to(index, end) for end in (self.nearest, self.farthest))
        planes = plane_disparities(self.nearest, self.farthest, planes_needed(near, far, self._spec.size))
        return self._scene(disparity, torch.stack([route.to(index, plane) for plane in planes]))

    def move_along(self, view: Callable[[Tensor], Tensor]) -> None:
        """The depth moves as the picture does."""
        if self.config.half_life > 0 and self.disparity is not None:
            self.disparity = view(self.disparity).clamp(self.farthest, self.nearest)

    def scenes(self, ctx: FrameContext, before: Tensor, now: Tensor) -> tuple[Relief, Relief]:
        """Footage in the frame before and in this one, seen by ways of (N, 3, 3)."""
        assert ctx.source is not None
        last = self.disparity
        disparity = self.meet(ctx.source, ctx.index, ctx.motion, fresh=ctx.fresh)
        return self._scene(disparity if last is None else last, before), self._scene(disparity, now)

    def _scene(self, disparity: Tensor, matrices: Tensor) -> Relief:
        return Relief(disparity, self.nearest, self.farthest, matrices)

    @property
    def planes(self) -> list[float]:
        """The disparities of the planes that ways over footage are known for."""
        return plane_disparities(self.nearest, self.farthest, _PLANES)

    @property
    def middle(self) -> int:
        """Which of them is the nearest to 1."""
        return min(range(_PLANES), key=lambda index: abs(self.planes[index] - 1))

    def _nearness(self, picture: Tensor, index: int) -> Tensor:
        """(1, 1, H, W): from 0, the farthest, to 1, the nearest."""
        c = self.config
        if self._reel is not None:
            return widened(self._on_canvas(self._reel(self._spec.cut(picture), self._spec.begins + max(0, index))))
        if isinstance(c, NetworkDepth):
            assert self._network is not None
            found = _standardised(disparity_by(self._network, picture, c.input))
            return widened(found if c.gives == "disparity" else 1 - found)
        assert isinstance(c, PictureDepth)
        found = luma(picture, BT709) if c.picture == "luminance" else _compressed(mask.saliency(picture))
        wide = resize_bilinear(found, self._spec.size)
        found = _standardised(mask.soften(wide, c.soft * min(self._spec.size)))
        return 1 - found if c.invert else found

    def _on_canvas(self, nearness: Tensor) -> Tensor:
        """A map knows the film's frame, and goes on beyond it as it ends."""
        down, right = self._spec.margin
        return pad(pad(nearness, 2, down, "edge"), 3, right, "edge")

    def state_dict(self) -> dict[str, Tensor]:
        return {} if self.disparity is None else {"disparity": self.disparity}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.disparity = state["disparity"].to(self._spec.device) if "disparity" in state else None


def flight(config: GeometryDepth, spec: RunSpec, route: Route, index: int) -> Flight:
    """The step to frame `index`."""
    none = torch.eye(3, dtype=torch.float64)
    punches = (route.punch(index - 1), route.punch(index)) if route.punches else (none, none)
    away, here = (route.generator(index, disparity) for disparity in (0.0, 1.0))
    return Flight(config, spec, away, here, route.centre(index), punches)


def _compressed(found: Tensor) -> Tensor:
    """Few places stand out by far: they are brought nearer to the others."""
    return found / (found + found.mean()).clamp_min(1e-12)


def _standardised(found: Tensor) -> Tensor:
    """What is found in a picture, with its mean at 0.5, and 0 and 1 as far from that as ordinary places go."""
    deviation = found.std().clamp_min(_LEAST_DEVIATION * found.abs().mean()).clamp_min(1e-6)
    return 0.5 + (found - found.mean()) / (2 * _DEVIATIONS * deviation)
