"""Colour that does not drift: each frame is drawn towards a palette."""

from __future__ import annotations

from collections.abc import Iterator
from math import isqrt
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from pipeline.curves import Constant, CurveField, Within
from pipeline.errors import MediaError
from pipeline.media.paths import MediaPath
from pipeline.media.picture import read_picture
from pipeline.ops.colour import (
    ColourStatistics,
    colour_statistics,
    colours_with_contrast,
    match_colours,
    sample_colours,
    statistics_of_colours,
    statistics_with_contrast,
)
from pipeline.ops.sphere import evenly
from pipeline.ops.transport import ROUNDS, apply_table, random_rotations, thinned, transport_table
from pipeline.stages.base import Effect, StageConfig
from pipeline.stages.context import FrameContext
from pipeline.stages.spec import RunSpec

SEED, GUIDE = "seed", "guide"
_SAMPLES = 4096
_MOST_PIXELS = 1 << 22  # of a picture, in each direction evenly: statistics take several times its memory
# Colours and their shares of the picture.
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
    """Draw each frame's colours towards a palette's, against neon drift."""

    alternatives: ClassVar[frozenset[str]] = frozenset(("to", "image"))

    to: str | None = Field(
        None,
        max_length=64,
        description=f"a named palette: {', '.join(PALETTES)} (photo is the default); seed, the film's own first "
        "frame as it comes here; or guide, the picture that the dream is guided by",
    )
    image: MediaPath | None = Field(None, description="a picture whose colours to take, in place of `to`")
    match: Literal["covariance", "distribution"] = Field(
        "covariance",
        description="covariance: the mean, and how the colours vary together; distribution: how often each colour "
        "occurs, too, which draws pictures out into the palette's own colours",
    )
    strength: Annotated[CurveField, Within(0, 1)] = Field(
        Constant(0.95), description="share of the way to the palette that is covered in a second of film"
    )
    first: float = Field(
        1.0,
        ge=0,
        le=1,
        description="share of the way to the palette that is covered on the first frame and after a cut",
    )
    contrast: Annotated[CurveField, Within(0, 4)] = Field(
        Constant(0.7), description="factor on the palette's own contrast; below 1 leaves room for bright detail"
    )

    def problems(self, spec: RunSpec) -> Iterator[tuple[str, str]]:
        if self.to is not None and self.image is not None:
            yield "image", "stands beside `to`; keep one of the two"
        if self.to is not None and self.to not in (*PALETTES, SEED, GUIDE):
            known = f"{', '.join(PALETTES)}, {SEED} or {GUIDE}"
            yield "to", f"is {self.to!r}, must be one of {known}; or give a picture as `image`"
        if self.to == GUIDE and spec.guide is None:
            yield "to", "is 'guide', and no dream has a guide in its `objective`; name a palette, or `image`"
        if self.image is not None:
            try:
                read_picture(Path(self.image))
            except MediaError as error:
                yield "image", str(error)


class Palette(Effect[PaletteConfig]):
    """Moves the colours a little in every frame. Its reference is a sample of colours, or their statistics."""

    def __init__(self, config: PaletteConfig, spec: RunSpec) -> None:
        super().__init__(config, spec)
        self._statistics: ColourStatistics | None = None
        self._colours: Tensor | None = None
        reference = spec.guide if config.to == GUIDE else config.image
        if reference is not None:
            picture = read_picture(Path(reference))
            stride = max(1, isqrt(picture[0, 0].numel() // _MOST_PIXELS))
            self._refer_to(picture[..., ::stride, ::stride])
        elif config.to != SEED:
            self._refer_to_palette(PALETTES[config.to or "photo"])

    def _refer_to(self, picture: Tensor) -> None:
        if self.config.match == "distribution":
            self._colours = thinned(picture).to(self.spec.device)
        else:
            self._statistics = colour_statistics(picture).to(self.spec.device)

    def _refer_to_palette(self, colours: list[tuple[str, float]]) -> None:
        if self.config.match == "distribution":
            self._colours = sample_colours(colours, _SAMPLES, torch.Generator().manual_seed(0)).to(self.spec.device)
        else:
            self._statistics = statistics_of_colours(colours).to(self.spec.device)

    def __call__(self, frame: Tensor, ctx: FrameContext) -> Tensor:
        c = self.config
        if self._colours is None and self._statistics is None:
            self._refer_to(self._counted(frame))
        share = c.first if ctx.fresh else 1 - (1 - c.strength.at(ctx.moment)) ** float(1 / self.spec.fps)
        if share == 0:
            return frame
        contrast = c.contrast.at(ctx.moment)
        if self._statistics is not None:
            target = statistics_with_contrast(self._statistics, contrast)
            return match_colours(frame, target, share, colour_statistics(self._counted(frame)))
        assert self._colours is not None
        colours = colours_with_contrast(self._colours, contrast)
        rotations = random_rotations(ROUNDS, ctx.generator(c.id))
        return apply_table(frame, transport_table(thinned(self._counted(frame)), colours, rotations), share)

    def _counted(self, frame: Tensor) -> Tensor:
        """The frame with every part of what it shows counting alike: at a sphere's poles pixels stand close."""
        return evenly(frame) if self.spec.on_sphere else frame

    def fits(self, spec: RunSpec) -> bool:
        return self.config.to != GUIDE or spec.guide == self.spec.guide

    def changed(self, config: PaletteConfig, spec: RunSpec, index: int) -> Palette:
        """The first frame's colours stay known; where they are needed in another form, the next frame's are taken."""
        successor = Palette(config, spec)
        if (config.to, config.match) == (self.config.to, self.config.match):
            successor.load_state_dict(self.state_dict())
        return successor

    def state_dict(self) -> dict[str, Tensor]:
        """The first frame's colours; every other reference comes from the preset."""
        if self.config.to != SEED:
            return {}
        if self._statistics is not None:
            return self._statistics._asdict()
        return {} if self._colours is None else {"colours": self._colours}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        if "colours" in state:
            self._colours = state["colours"].to(self.spec.device)
        elif state:
            self._statistics = ColourStatistics(**state).to(self.spec.device)
