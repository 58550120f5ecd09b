"""Colour that does not drift: each frame is drawn towards a palette."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field
from torch import Tensor

from pipeline.curves import Constant, CurveField, Within
from pipeline.disk import digest_of
from pipeline.errors import MediaError
from pipeline.media.paths import MediaPath
from pipeline.media.picture import read_picture
from pipeline.ops.colour import (
    ColourStatistics,
    colour_statistics,
    match_colours,
    statistics_of_colours,
    with_contrast,
)
from pipeline.stages.base import Effect, FrameContext, RunSpec, StageConfig

# Colours and their shares of the picture; only their mean and covariance are used.
PALETTES: dict[str, list[tuple[str, float]]] = {
    "ember": [("#120c14", 3), ("#4a1a22", 3), ("#a63c1e", 3), ("#e08a3c", 2), ("#f4d6a0", 1), ("#2c4a5a", 2)],
    "lagoon": [
        ("#06161f", 3),
        ("#0f4a5c", 3),
        ("#2f8f8a", 3),
        ("#9cc7a8", 2),
        ("#f2e3c0", 2),
        ("#b0583c", 1),
    ],
    "moss": [("#11150d", 3), ("#34421f", 3), ("#6f7d3a", 3), ("#b7ae6c", 2), ("#e9dfc2", 1), ("#5c3a2a", 2)],
    "dusk": [("#15101f", 3), ("#3a2a55", 3), ("#7a4a6e", 3), ("#c97f6d", 2), ("#f0c99a", 1), ("#3e6a86", 2)],
    "ivory": [("#1d1916", 2), ("#6b5a4a", 3), ("#a8937a", 3), ("#d6c7ac", 3), ("#f1eadb", 2), ("#56707a", 1)],
    "photo": [("#16130f", 2), ("#5b5142", 3), ("#8a7a5e", 2), ("#6f8aa0", 2), ("#b9c4c4", 2), ("#e8dfcf", 1)],
}


class PaletteConfig(StageConfig):
    """Draw each frame's colour mean and covariance towards a palette's, against neon drift."""

    to: str | None = Field(
        None, max_length=64, description=f"a named palette: {', '.join(PALETTES)} (photo is the default)"
    )
    image: MediaPath | None = Field(None, description="a picture whose colours to take, in place of `to`")
    strength: Annotated[CurveField, Within(0, 1)] = Field(
        Constant(0.95), description="share of the way to the palette that is gone within a second of film"
    )
    contrast: Annotated[CurveField, Within(0, 4)] = Field(
        Constant(0.85), description="factor on the palette's own contrast; below 1 leaves room for bright detail"
    )

    def problems(self, spec: RunSpec) -> Iterator[tuple[str, str]]:
        if self.to is not None and self.image is not None:
            yield "image", "stands beside `to`; keep one of the two"
        if self.to is not None and self.to not in PALETTES:
            yield "to", f"is {self.to!r}, must be one of {', '.join(PALETTES)}; or give a picture as `image`"
        if self.image is not None:
            try:
                read_picture(Path(self.image))
            except MediaError as error:
                yield "image", str(error)


class Palette(Effect[PaletteConfig]):
    """Moves the colours a little in every frame."""

    def __init__(self, config: PaletteConfig, spec: RunSpec) -> None:
        super().__init__(config, spec)
        self._palette = self._statistics()

    def _statistics(self) -> ColourStatistics:
        if self.config.image is not None:
            return colour_statistics(read_picture(Path(self.config.image)))
        return statistics_of_colours(PALETTES[self.config.to or "photo"])

    def fingerprints(self) -> dict[str, str]:
        return {} if self.config.image is None else {self.config.image: digest_of(Path(self.config.image))}

    def __call__(self, frame: Tensor, ctx: FrameContext) -> Tensor:
        share = 1 - (1 - self.config.strength.at(ctx.moment)) ** float(1 / self.spec.fps)
        if share == 0:
            return frame
        return match_colours(frame, with_contrast(self._palette, self.config.contrast.at(ctx.moment)), share)
