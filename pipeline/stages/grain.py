"""Film grain: new noise in every frame."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field
from torch import Tensor

from pipeline.curves import Constant, CurveField, Within
from pipeline.device import upload
from pipeline.ops.sphere import isotropic
from pipeline.ops.tone import grain, with_grain
from pipeline.stages.context import FrameContext
from pipeline.stages.grade import Grade, GradeConfig


class GrainConfig(GradeConfig):
    """Add grain. Where it goes round with the picture, it gives the dream something new to build on."""

    amount: Annotated[CurveField, Within(0, 1)] = Field(
        Constant(0.03), description="standard deviation in middle grey, of the range from 0 to 1; none in black"
    )
    size: Annotated[CurveField, Within(1, 32)] = Field(Constant(1.0), description="how large the grains are, in pixels")
    colour: Annotated[CurveField, Within(0, 1)] = Field(
        Constant(0.3), description="0: grey grains; 1: each colour has its own"
    )


class Grain(Grade[GrainConfig]):
    """Draws noise that depends on the seed and the frame alone."""

    def __call__(self, frame: Tensor, ctx: FrameContext) -> Tensor:
        c, now = self.config, ctx.moment
        # The variance of independent noise adds up over the frames, so its deviation goes with the root of time.
        amount = c.amount.at(now) * math.sqrt(self.seconds)
        if amount == 0:
            return frame
        noise = grain(self.spec.size, c.size.at(now), c.colour.at(now), ctx.generator(c.id), self.spec.border)
        noise = isotropic(noise) if self.spec.on_sphere else noise
        return with_grain(frame, upload(noise, frame.device), amount).clamp(0, 1)
