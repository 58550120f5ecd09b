"""Grading: gamma, contrast, saturation and a vignette."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Annotated

from pydantic import Field
from torch import Tensor

from pipeline.curves import Constant, CurveField, Within
from pipeline.ops.tone import corner_nearness, with_contrast, with_gamma, with_saturation
from pipeline.stages.context import FrameContext
from pipeline.stages.grade import Grade, GradeConfig
from pipeline.stages.spec import RunSpec


class ToneConfig(GradeConfig):
    """Lighten, darken, colour: per second where it goes round with the picture, else as it is."""

    gamma: Annotated[CurveField, Within(0.1, 10)] = Field(
        Constant(1.0), description="above 1 brightens the midtones, below 1 darkens them"
    )
    contrast: Annotated[CurveField, Within(0, 10)] = Field(
        Constant(1.0), description="factor on every value's distance from middle grey"
    )
    saturation: Annotated[CurveField, Within(0, 10)] = Field(
        Constant(1.0), description="factor on the colours; 0 is black and white"
    )
    vignette: Annotated[CurveField, Within(0, 1)] = Field(
        Constant(0.0), description="share of the light that the corners lose"
    )

    def problems(self, spec: RunSpec) -> Iterator[tuple[str, str]]:
        if spec.on_sphere and self.vignette != Constant(0.0):
            yield "vignette", "darkens corners, and a sphere has none; leave it out"


class Tone(Grade[ToneConfig]):
    """Gamma first, then contrast, saturation and vignette; what is left at its default costs nothing."""

    @cached_property
    def _corners(self) -> Tensor:
        return corner_nearness(self.spec.frame, self.spec.device, self.spec.margin)

    def __call__(self, frame: Tensor, ctx: FrameContext) -> Tensor:
        c, share, now = self.config, self.seconds, ctx.moment
        toned = with_gamma(frame, c.gamma.at(now) ** share)
        toned = with_contrast(toned, c.contrast.at(now) ** share)
        toned = with_saturation(toned, c.saturation.at(now) ** share)
        vignette = c.vignette.at(now)
        if vignette > 0:
            toned = toned * (1 - vignette * self._corners) ** share
        return frame if toned is frame else toned.clamp(0, 1)
