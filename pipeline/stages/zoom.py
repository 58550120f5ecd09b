"""The camera: zoom, turn, pan, shear and tilt, in units per second."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from pipeline.curves import (
    Constant,
    Curve,
    CurveError,
    CurveField,
    CurvePair,
    Moments,
    PerSecond,
    Within,
    curves_of,
    looked_at,
    range_problem,
)
from pipeline.device import upload
from pipeline.ops import noise
from pipeline.ops.camera import (
    Rates,
    cells,
    cells_per_second,
    gauss_points,
    joined_pan,
    motion_matrix,
    path_matrix,
    rate_matrices,
)
from pipeline.ops.colour import ColourStatistics, colour_statistics, match_colours
from pipeline.ops.motion import inside, recently_revealed, sees_beyond
from pipeline.ops.warp import Edges, SamplingPlan, is_identity, plan_sampling, sample, seen_positions
from pipeline.stages.base import Effect, StageConfig
from pipeline.stages.context import FrameContext
from pipeline.stages.spec import RunSpec

Array = NDArray[np.float64]
_STILL = (Constant(0.0), Constant(0.0))
_BEYOND: dict[str, Edges] = {"reflect": "reflect", "wrap": "wrap", "replicate": "replicate", "noise": "replicate"}
_MELTING_SECONDS = 0.5
_LEFT_A_SECOND = 0.001  # of the old border, if it melted for a second on end
_ALIKE, _GRAIN = 0.8, 0.04  # share of the way from the clouds' own colours to the picture's; standard deviation
_CLOUDS_SECONDS = 0.5  # how long it takes the noise beyond the edges to turn into another


class ZoomConfig(StageConfig):
    """Move the camera. The same numbers give the same motion at every frame rate.

    All motions of one stage act at once, and the picture is interpolated once for all of them.
    """

    zoom: Annotated[CurveField, Within(0.01, 100, deforum="factor")] = Field(
        Constant(1.0), description="magnification per second; above 1 moves in, below 1 out"
    )
    rotate: Annotated[CurveField, Within(-3600, 3600, deforum="turn")] = Field(
        Constant(0.0), description="degrees per second, clockwise"
    )
    pan: Annotated[CurvePair, Within(-100, 100, deforum="pan")] = Field(
        _STILL, description="[right, down] in frame widths per second"
    )
    shear: Annotated[CurvePair, Within(-10, 10)] = Field(
        _STILL,
        description="[x, y] slant per second: rows slide right by x times their distance below the centre, "
        "columns slide down by y times their distance to the right of it",
    )
    tilt: Annotated[CurvePair, Within(-360, 360)] = Field(
        _STILL,
        description="[right, down] in degrees per second: the camera turns where it stands, with perspective, "
        "through a lens as long as the frame is wide",
    )
    centre: Annotated[CurvePair, Within(-100, 100)] = Field(
        (Constant(0.5), Constant(0.5)),
        description="the point that zoom, rotation and shear leave in place, [x, y] in shares of the frame",
    )
    edges: Literal["reflect", "wrap", "replicate", "noise"] = Field(
        "reflect",
        description="what the camera sees beyond the picture: reflect, its mirror image; wrap, its other side; "
        "replicate, its outermost pixels; noise, something new to dream on, best for moving out",
    )

    @property
    def steady(self) -> bool:
        """Whether the camera moves alike at all times."""
        return all(curve.constant is not None for _, _, curve, _ in curves_of(self))

    def breaks(self, start: float, end: float, spec: RunSpec) -> Array:
        """When a motion jumps, in seconds."""
        return np.concatenate([curve.breaks(start, end, spec.clock) for _, _, curve, _ in curves_of(self)])

    def rates(self, moments: Moments) -> Rates:
        """The camera's motion at (N,) moments."""
        zoom, degrees = self.zoom.values(moments), self.rotate.values(moments)
        pan = _pair(self.pan, moments)
        by_frames = [curve.schedule.rate(moments.clock) for curve in self.pan if isinstance(curve, PerSecond)]
        if by_frames:
            pan = joined_pan(pan, zoom, degrees, 1 / by_frames[0])
        centre, shear, tilt = (_pair(pair, moments) for pair in (self.centre, self.shear, self.tilt))
        return Rates(zoom, degrees, pan, centre, shear, tilt)

    def problems(self, spec: RunSpec) -> Iterator[tuple[str, str]]:
        """Between the frames too, wherever the camera's way is looked at."""
        moving = [(*found, spec.timeline(found[2])) for found in curves_of(self) if found[2].constant is None]
        if not moving or any(curve.problem(spec.clock) for _, _, curve, _, _ in moving):
            return  # told already
        between = self._between(spec)
        for key, place, curve, bounds, moments in moving:
            within = (-np.inf, np.inf) if bounds is None else (bounds.ge, bounds.le)
            message = range_problem(curve.values(between), between, *within)
            if message is not None and range_problem(curve.values(moments), moments, *within) is None:
                yield key, place + message  # else it is told already

    def _between(self, spec: RunSpec) -> Moments:
        """Where the camera's way is looked at; in a long film in some of the cells, and in those next to keyframes."""
        per_second = cells_per_second(float(1 / spec.fps))
        end = float((spec.checked_frames - 1) / spec.fps)
        breaks, count = self.breaks(0.0, end, spec), max(1, math.ceil(end * per_second))
        if count + len(breaks) <= spec.looks:
            edges = cells(0.0, end, breaks, per_second)
            starts, ends = edges[:-1], edges[1:]
        else:
            knots = np.concatenate([curve.knots(spec.clock) for _, _, curve, _ in curves_of(self)])
            knots = knots[(knots > 0) & (knots < end)]
            first = looked_at(count, spec.looks, np.empty(0)) / per_second
            below, above = np.floor(knots * per_second) / per_second, np.ceil(knots * per_second) / per_second
            starts, ends = np.concatenate([first, below, knots]), np.concatenate([first + 1 / per_second, knots, above])
        return spec.clock.at_seconds(np.unique(gauss_points(starts, ends)))


def _pair(pair: tuple[Curve, Curve], moments: Moments) -> tuple[Array, Array]:
    return pair[0].values(moments), pair[1].values(moments)


class Zoom(Effect[ZoomConfig]):
    """Moves the picture on by one frame's time where it feeds back, by all the time so far over footage."""

    def __init__(self, config: ZoomConfig, spec: RunSpec) -> None:
        super().__init__(config, spec)
        self._kept: tuple[Tensor, View] | None = None
        self._clouds: dict[int, Tensor] = {}
        self._steady = self.motion(float(1 / spec.fps)) if config.steady else None
        # Over footage: the way from the start to a frame, from which a steady camera counts, and others go on.
        self._index, self._way = 0, torch.eye(3, dtype=torch.float64)

    def motion(self, seconds: float) -> Tensor:
        """The backward (3, 3) pixel matrix of a steady camera's motion over `seconds`."""
        c = self.config
        start = self.spec.clock.at_frame(0)
        zoom, degrees = float(c.zoom.values(start)[0]), float(c.rotate.values(start)[0])
        names = ("pan", "centre", "shear", "tilt")
        pan, centre, shear, tilt = (tuple(float(x[0]) for x in _pair(getattr(c, name), start)) for name in names)
        return motion_matrix(
            seconds,
            self.spec.size,
            zoom=zoom,
            degrees_per_second=degrees,
            pan=(pan[0], pan[1]),
            centre=(centre[0], centre[1]),
            shear=(shear[0], shear[1]),
            tilt=(tilt[0], tilt[1]),
        )

    def camera(self, index: int) -> Tensor:
        if self._steady is not None:
            return self._steady
        index = max(1, index)  # a lead-in moves as the film begins to
        start, end = float((index - 1) / self.spec.fps), float(index / self.spec.fps)
        margin = 2 / cells_per_second(end - start)
        return path_matrix(self._rates, start, end, self.config.breaks(start - margin, end + margin, self.spec))

    def _rates(self, seconds: Array) -> Tensor:
        rates = rate_matrices(self.config.rates(self.spec.clock.at_seconds(seconds)), self.spec.size)
        if not rates.isfinite().all():  # in an endless film, past what was checked
            raise CurveError(f"{self.config.id}: the camera's motion has no finite value at {seconds[0]:.2f}s")
        return rates

    def way(self, index: int) -> Tensor:
        """The backward (3, 3) pixel matrix from frame `index` to the film's first."""
        if self.config.steady:
            return self._way @ self.motion(float((index - self._index) / self.spec.fps))
        if index < self._index:
            self._index, self._way = 0, torch.eye(3, dtype=torch.float64)
        while self._index < index:
            self._index += 1
            self._way = self._way @ self.camera(self._index)
        return self._way

    def fits(self, spec: RunSpec) -> bool:
        return spec.continues or not self.spec.continues

    def changed(self, config: ZoomConfig, spec: RunSpec, index: int) -> Zoom:
        """Over footage the camera goes on from where it is; footage that is new, it begins with."""
        successor = Zoom(config, spec)
        if self.spec.continues:
            successor.join(index)
        elif config.model_copy(update={"edges": self.config.edges}) == self.config:
            successor._index, successor._way = self._index, self._way
        elif index > 0:
            successor._index, successor._way = index - 1, self.way(index - 1)
        return successor

    def join(self, index: int) -> None:
        """Over footage the camera begins where the film is now, not far along a way that it did not go."""
        self._index = 0 if self.spec.continues else max(0, index - 1)

    def state_dict(self) -> dict[str, Tensor]:
        return {"index": torch.tensor(self._index), "way": self._way} if self._index > 0 else {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        if state:
            self._index, self._way = int(state["index"]), state["way"].clone()

    def __call__(self, frame: Tensor, ctx: FrameContext) -> Tensor:
        if ctx.source is not None:
            return self._over_footage(frame, ctx)
        if ctx.previous is None:
            return frame
        matrix = self.camera(ctx.index)
        if is_identity(matrix):
            return frame
        ctx.move(matrix, torch.eye(3, dtype=matrix.dtype))
        view = self._view(matrix, melts=True)
        if view.outside is None:
            return view.of(frame).clamp_(0, 1)
        ctx.reveal(view.outside)
        seen = view.of(frame)
        return seen.lerp_(self._something_new(ctx, colour_statistics(seen)), view.outside).clamp_(0, 1)

    def _over_footage(self, frame: Tensor, ctx: FrameContext) -> Tensor:
        """Footage is fresh in every frame, so the camera has its whole way from the start to go each time."""
        before = self.way(ctx.index - 1) if ctx.index > 0 else self._before_the_start()
        matrix = self.way(ctx.index)
        ctx.move(matrix, before)
        if is_identity(matrix):
            return frame
        view = self._view(matrix, melts=False)
        seen = view.of(frame)
        # What lies beyond footage stays what it is, as footage does.
        return (seen if view.outside is None else seen.lerp_(self._cloud(ctx, 0), view.outside)).clamp_(0, 1)

    def _before_the_start(self) -> Tensor:
        return self.motion(-float(1 / self.spec.fps)) if self.config.steady else torch.eye(3, dtype=torch.float64)

    def _view(self, matrix: Tensor, *, melts: bool) -> View:
        if self._kept is None or not torch.equal(self._kept[0], matrix):
            self._kept = (matrix.clone(), View(matrix, self.spec, self.config.edges, melts=melts))
        return self._kept[1]

    def _something_new(self, ctx: FrameContext, colours: ColourStatistics) -> Tensor:
        """Clouds near the picture's colours, and grain; they drift, so that what grows is as long as it is wide."""
        number, share = divmod(ctx.seconds / _CLOUDS_SECONDS, 1.0)
        clouds = self._cloud(ctx, int(number)).lerp(self._cloud(ctx, int(number) + 1), share)
        grain = upload(torch.randn(1, 1, *self.spec.size, generator=ctx.generator(self.config.id)), self.spec.device)
        return match_colours(clouds, colours, _ALIKE).add_(grain, alpha=_GRAIN)

    def _cloud(self, ctx: FrameContext, number: int) -> Tensor:
        if number not in self._clouds:
            generator = ctx.generator(f"{self.config.id}/clouds", number)
            self._clouds = {n: cloud for n, cloud in self._clouds.items() if abs(n - number) <= 1}
            self._clouds[number] = upload(noise.pink(self.spec.size, 0.2, 2.0, generator), self.spec.device)
        return self._clouds[number]


class View:
    """What a camera sees through a matrix: the plan for reading it, and with noise edges how much of it is new.

    `outside` is (1, 1, H, W) in [0, 1]. Where it `melts`, the border of the old picture gives way in the half second
    after it came into sight, so that no line is left behind.
    """

    def __init__(self, matrix: Tensor, spec: RunSpec, edges: str, *, melts: bool) -> None:
        size = spec.size
        x, y = seen_positions(matrix, size, spec.device)
        self._plan: SamplingPlan = plan_sampling(x, y, size, _BEYOND[edges])
        self.outside: Tensor | None = None
        if edges == "noise" and sees_beyond(matrix, size):
            outside = 1 - inside(torch.stack([x, y])[None].float(), size)
            if melts:
                young = recently_revealed(x, y, _MELTING_SECONDS * float(spec.fps))
                outside = torch.maximum(outside, young * (1 - _LEFT_A_SECOND ** float(1 / spec.fps)))
            self.outside = outside

    def of(self, frame: Tensor) -> Tensor:
        """The frame, read; not clamped."""
        return sample(frame, self._plan)
