"""A source out of nothing: the film starts from seeded noise and goes on from its own output."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from pipeline.device import upload
from pipeline.ops import noise
from pipeline.stages.base import Role, Source, StageConfig
from pipeline.stages.context import FrameContext


class NoiseConfig(StageConfig):
    """Start from noise."""

    role: ClassVar[Role] = Role.SOURCE
    kind: Literal["pink", "white"] = Field(
        "pink",
        description="pink: clouds with the spectrum and colours of photographs; white: each pixel on its own",
    )
    contrast: float = Field(
        0.2, ge=0, le=1, description="standard deviation of the colour values, of a range from 0 to 1"
    )
    falloff: float = Field(
        1.5, ge=0, le=3, description="pink only: how fast detail fades, as 1/f^falloff; 1 as in photographs, 2 misty"
    )


class Noise(Source[NoiseConfig]):
    """The seed picture at first, the previous output from then on."""

    def __call__(self, ctx: FrameContext) -> Tensor:
        if ctx.previous is not None:
            return ctx.previous
        # Drawn on the CPU, so that every device sees the same picture.
        return upload(self._draw(ctx.generator(self.config.id)), self.spec.device)

    def _draw(self, generator: torch.Generator) -> Tensor:
        c = self.config
        if self.spec.on_sphere:
            falloff = c.falloff if c.kind == "pink" else None
            return noise.around(self.spec.size, c.contrast, falloff, generator)
        if c.kind == "pink":
            return noise.pink(self.spec.size, c.contrast, c.falloff, generator)
        return noise.white(self.spec.size, c.contrast, generator)
