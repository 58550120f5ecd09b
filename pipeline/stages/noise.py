"""A source out of nothing: the film starts from seeded noise and goes on from its own output."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor

from pipeline.ops import noise
from pipeline.stages.base import FrameContext, Role, Source, StageConfig


class NoiseConfig(StageConfig):
    """Start from noise."""

    role: ClassVar[Role] = Role.SOURCE
    kind: Literal["pink", "white"] = Field(
        "pink",
        description="pink: clouds with the spectrum and colours of photographs; white: every pixel for itself",
    )
    contrast: float = Field(
        0.2, ge=0, le=1, description="standard deviation of the colour values, of a range from 0 to 1"
    )


class Noise(Source[NoiseConfig]):
    """The seed picture at first, the previous output from then on."""

    def __call__(self, ctx: FrameContext) -> Tensor:
        if ctx.previous is not None:
            return ctx.previous
        draw = noise.pink if self.config.kind == "pink" else noise.white
        # Drawn on the CPU, so that every device sees the same picture.
        return draw(self.spec.size, self.config.contrast, ctx.generator(self.config.id)).to(self.spec.device)
