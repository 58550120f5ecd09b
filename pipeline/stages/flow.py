"""Coherence: the dream is carried along the motion, so that it stays on what it grew on."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from pipeline.curves import Constant, CurveField, Within
from pipeline.ops.motion import Motion, warp
from pipeline.stages.base import Effect, StageConfig
from pipeline.stages.context import FrameContext

Share = Annotated[CurveField, Within(0, 1)]
# Between these speeds, in frame widths per second, `still` gives way to `moving`.
_STILL_BELOW, _MOVING_ABOVE = 0.01, 0.06


class FlowConfig(StageConfig):
    """Carry the last frame's dream along the motion, before the dream, after it, or both."""

    carry: Literal["residual", "pixels"] = Field(
        "residual",
        description="residual: only what the dream added, onto this frame's footage; pixels: the last output "
        "itself (always so without footage)",
    )
    still: Share = Field(Constant(0.95), description="share of the carried picture where nothing moves")
    moving: Share = Field(Constant(0.95), description="the same where the picture moves")
    disoccluded: Share = Field(Constant(0.0), description="the same where something comes into sight")
    half_life: float | None = Field(
        None,
        gt=0,
        le=3600,
        description="seconds after which half of the carried dream has faded into the footage; never if left out",
    )

    @property
    def uses_motion(self) -> bool:
        return True


class Flow(Effect[FlowConfig]):
    """Blends the frame with the previous one's dream, moved to where it belongs now; holds no state of its own."""

    def __call__(self, frame: Tensor, ctx: FrameContext) -> Tensor:
        if ctx.fresh:
            return frame
        carried = self._carried(ctx)
        return frame.lerp(carried, self._share(ctx)).clamp_(0, 1)

    def _carried(self, ctx: FrameContext) -> Tensor:
        assert ctx.previous is not None
        if ctx.source is None or ctx.previous_source is None:
            return _moved(ctx.previous, ctx.motion)
        kept = 1.0 if self.config.half_life is None else 0.5 ** float(1 / self.spec.fps / self.config.half_life)
        if self.config.carry == "residual":
            return ctx.source + kept * _moved(ctx.previous - ctx.previous_source, ctx.motion)
        return ctx.source.lerp(_moved(ctx.previous, ctx.motion), kept)

    def _share(self, ctx: FrameContext) -> Tensor | float:
        c, motion = self.config, ctx.motion
        still, moving, disoccluded = (curve.at(ctx.moment) for curve in (c.still, c.moving, c.disoccluded))
        if motion is None:
            return still
        # torch's norm takes eighty times as long over a dimension of two.
        pixels = torch.hypot(motion.flow[:, :1], motion.flow[:, 1:])
        widths_per_second = pixels * (float(self.spec.fps) / self.spec.frame.width)
        moves = ((widths_per_second - _STILL_BELOW) / (_MOVING_ABOVE - _STILL_BELOW)).clamp(0, 1)
        seen = still + (moving - still) * moves
        share: Tensor = disoccluded + (seen - disoccluded) * motion.trust
        return share


def _moved(picture: Tensor, motion: Motion | None) -> Tensor:
    return picture if motion is None else warp(picture, motion.flow, motion.edges)
