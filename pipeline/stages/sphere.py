"""The camera of a 360-degree film: it turns, and flies into what lies ahead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from pipeline.curves import Constant, Curve, CurveError, CurveField, Moments, Within, curves_of
from pipeline.ops.camera import cells_per_second, path_matrix
from pipeline.ops.sphere import sphere_rates
from pipeline.ops.warp import SamplingPlan, is_identity, plan_matrix, sample
from pipeline.stages.base import Effect, StageConfig
from pipeline.stages.context import FrameContext
from pipeline.stages.spec import RunSpec

Array = NDArray[np.float64]


class SphereConfig(StageConfig):
    """Turn and zoom in a 360-degree film (`projection: equirectangular`), seamlessly all around.

    The same numbers give the same motion at every frame rate. All motions of one stage act at once, and the picture is
    interpolated once for all of them.
    """

    zoom: Annotated[CurveField, Within(0.01, 100)] = Field(
        Constant(1.0),
        description="magnification straight ahead per second; above 1 the picture flows from ahead, where something "
        "new opens up, to behind, where it vanishes, and below 1 the other way; shapes stay as they are",
    )
    roll: Annotated[CurveField, Within(-3600, 3600)] = Field(
        Constant(0.0), description="turns about the line of sight, in degrees per second, clockwise"
    )
    yaw: Annotated[CurveField, Within(-3600, 3600)] = Field(
        Constant(0.0), description="turns of the camera to the right, in degrees per second"
    )
    pitch: Annotated[CurveField, Within(-3600, 3600)] = Field(
        Constant(0.0), description="turns of the camera downwards, in degrees per second"
    )

    @property
    def steady(self) -> bool:
        """Whether the camera moves alike at all times."""
        return all(curve.constant is not None for curve in self._curves)

    @property
    def _curves(self) -> tuple[Curve, ...]:
        return self.zoom, self.roll, self.yaw, self.pitch

    def breaks(self, start: float, end: float, spec: RunSpec) -> Array:
        """When a motion jumps, in seconds of the run."""
        since, clock = spec.begins_at, spec.clock
        found = [curve.breaks(since + start, since + end, clock) for _, _, curve, _ in curves_of(self)]
        return np.concatenate(found) - since

    def rates(self, moments: Moments) -> Tensor:
        """The camera's motion (N, 4, 4) at (N,) moments. Raises CurveError where it is not finite."""
        rates = sphere_rates(*(curve.values(moments) for curve in self._curves))
        if not rates.isfinite().all():  # between frames, or in an endless film past what was checked
            raise CurveError(f"{self.id}: the camera's motion has no finite value at {moments.seconds[0]:.2f}s")
        return rates

    def problems(self, spec: RunSpec) -> Iterator[tuple[str, str]]:
        if not spec.on_sphere:
            yield "", "moves a sphere, and this film is flat; use `stage: zoom`, or `projection: equirectangular`"


class Sphere(Effect[SphereConfig]):
    """Moves the picture on by one frame's time where it feeds back, by all the time so far over footage."""

    def __init__(self, config: SphereConfig, spec: RunSpec) -> None:
        super().__init__(config, spec)
        self._kept: tuple[Tensor, SamplingPlan] | None = None
        # Over footage: the way from the start to a frame, from which the camera goes on.
        self._index, self._way = 0, spec.at_rest

    def motion(self, seconds: float) -> Tensor:
        """The backward (4, 4) matrix of a steady camera's motion over `seconds`."""
        rate = self.config.rates(self.spec.at_frame(0))[0]
        matrix: Tensor = torch.linalg.matrix_exp(rate * seconds)
        return matrix

    def camera(self, index: int) -> Tensor:
        step = float(1 / self.spec.fps)
        if self.config.steady:
            return self.motion(step)
        index = max(1, index)  # a lead-in moves as the film begins to
        start, end = float((index - 1) / self.spec.fps), float(index / self.spec.fps)
        margin = 2 / cells_per_second(end - start)
        breaks = self.config.breaks(start - margin, end + margin, self.spec)
        return path_matrix(lambda at: self.config.rates(self.spec.at_seconds(at)), start, end, breaks)

    def way(self, index: int) -> Tensor:
        """The backward (4, 4) matrix from frame `index` to the film's first."""
        if self.config.steady:
            return self._way @ self.motion(float((index - self._index) / self.spec.fps))
        if index < self._index:
            self._index, self._way = 0, self.spec.at_rest
        while self._index < index:
            self._index += 1
            self._way = self._way @ self.camera(self._index)
        return self._way

    def fits(self, spec: RunSpec) -> bool:
        return spec.continues or not self.spec.continues

    def changed(self, config: SphereConfig, spec: RunSpec, index: int) -> Sphere:
        """Over footage the camera goes on from where it is; footage that is new, it begins with."""
        successor = Sphere(config, spec)
        if self.spec.continues:
            successor.join(index)
        elif config == self.config:
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
            before, matrix = self.way(ctx.index - 1) if ctx.index > 0 else self.spec.at_rest, self.way(ctx.index)
        elif ctx.previous is None:
            return frame
        else:
            before, matrix = self.spec.at_rest, self.camera(ctx.index)
            if is_identity(matrix):
                return frame
        ctx.move(matrix, before)
        return frame if is_identity(matrix) else sample(frame, self._plan(matrix)).clamp_(0, 1)

    def _plan(self, matrix: Tensor) -> SamplingPlan:
        if self._kept is None or not torch.equal(self._kept[0], matrix):
            self._kept = (matrix.clone(), plan_matrix(matrix, self.spec.size, self.spec.device))
        return self._kept[1]
