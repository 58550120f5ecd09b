"""Sharpening: an unsharp mask whose halos can't grow."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor

from pipeline.curves import Constant, CurveField, Within
from pipeline.ops.tone import unsharp
from pipeline.stages.context import FrameContext
from pipeline.stages.grade import Grade, GradeConfig


class SharpenConfig(GradeConfig):
    """Sharpen fine detail, or soften it: per second where it goes round with the picture, else as it is."""

    amount: Annotated[CurveField, Within(-1, 10)] = Field(
        Constant(0.5), description="how much of the detail is added; below 0 it is taken away"
    )
    radius: Annotated[CurveField, Within(0.3, 16)] = Field(
        Constant(1.0), description="how fine the detail is: the blur it is measured against, px"
    )
    halo: Annotated[CurveField, Within(0, 1)] = Field(
        Constant(0.05),
        description="how far, of the range from 0 to 1, a value may go beyond all those within the radius",
    )


class Sharpen(Grade[SharpenConfig]):
    """Adds a little detail to every frame."""

    def __call__(self, frame: Tensor, ctx: FrameContext) -> Tensor:
        c, share, now = self.config, self.seconds, ctx.moment
        amount = c.amount.at(now)
        if amount == 0:
            return frame
        halo = c.halo.at(now) * share
        return unsharp(frame, c.radius.at(now), amount * share, halo, self.spec.border).clamp(0, 1)
