"""The camera: zoom, turn and pan, in units per second."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from pipeline.ops.camera import motion_matrix
from pipeline.ops.warp import is_identity, plan_affine, sample, warp_affine
from pipeline.stages.base import Effect, FrameContext, RunSpec, StageConfig
from pipeline.units import Pair


class ZoomConfig(StageConfig):
    """Move the camera. The same numbers give the same motion at every frame rate."""

    zoom: float = Field(1.0, ge=0.01, le=100, description="magnification per second; above 1 moves in, below 1 out")
    rotate: float = Field(0.0, ge=-3600, le=3600, description="degrees per second, clockwise")
    pan: Pair = Field((0.0, 0.0), description="[right, down] in frame widths per second")
    centre: Pair = Field(
        (0.5, 0.5),
        description="the point that zoom and rotation leave in place, [x, y] in shares of the frame",
    )


class Zoom(Effect[ZoomConfig]):
    """Moves the picture on by one frame's time where it feeds back, by all the time so far over footage."""

    def __init__(self, config: ZoomConfig, spec: RunSpec) -> None:
        super().__init__(config, spec)
        self._matrix = self.motion(float(1 / spec.fps))
        self._plan = None if is_identity(self._matrix) else plan_affine(self._matrix, spec.size, spec.device)

    def motion(self, seconds: float) -> Tensor:
        """The backward (3, 3) pixel matrix of the camera's motion over `seconds`."""
        c = self.config
        return motion_matrix(
            seconds, self.spec.size, zoom=c.zoom, degrees_per_second=c.rotate, pan=c.pan, centre=c.centre
        )

    def camera(self, start: float, end: float) -> Tensor:
        return self.motion(end - start)

    def __call__(self, frame: Tensor, ctx: FrameContext) -> Tensor:
        if ctx.source is not None:
            return self._over_footage(frame, ctx)
        if ctx.previous is None or self._plan is None:
            return frame
        ctx.move(self._matrix, torch.eye(3, dtype=self._matrix.dtype))
        return sample(frame, self._plan).clamp_(0, 1)

    def _over_footage(self, frame: Tensor, ctx: FrameContext) -> Tensor:
        """Footage is fresh in every frame, so the camera has its whole way from the start to go each time."""
        matrix = self.motion(ctx.seconds)
        ctx.move(matrix, self.motion(ctx.seconds - float(1 / self.spec.fps)))
        return warp_affine(frame, matrix).clamp(0, 1)
