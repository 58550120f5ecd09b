"""A source from a photograph: the film starts there and goes on from its own output."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field
from torch import Tensor

from pipeline.device import upload
from pipeline.errors import MediaError
from pipeline.frame import NOT_A_SPHERE, size_of
from pipeline.media.footage import PICTURES, footage_info
from pipeline.media.paths import MediaPath, NamesFile
from pipeline.media.picture import Fit, fit_around, fit_to, read_picture
from pipeline.ops import noise
from pipeline.ops.colour import colour_statistics, match_colours
from pipeline.ops.growth import surrounded
from pipeline.stages.base import Role, Source, StageConfig
from pipeline.stages.context import FrameContext
from pipeline.stages.spec import RunSpec

_FOOTAGE = "no picture but footage; use `stage: video` for it, as the preset over-footage does"


class ImageConfig(StageConfig):
    """Start from a picture."""

    role: ClassVar[Role] = Role.SOURCE
    path: Annotated[MediaPath, NamesFile(first_only=True)] = Field(
        description="the picture: relative to the preset, absolute, or package:NAME/inside/it.png"
    )
    fit: Fit = Field(
        "crop",
        description="crop: fill the frame; pad: show all, margins mirrored; stretch: change the proportions",
    )

    def problems(self, spec: RunSpec) -> Iterator[tuple[str, str]]:
        try:
            size = size_of(read_picture(Path(self.path)))
            if spec.on_sphere and not (size.is_sphere or self.fit == "stretch"):
                yield "path", f"{self.path} is {size}; {NOT_A_SPHERE}, or `fit: stretch` it"
        except MediaError as error:
            yield "path", f"{self.path} is {_FOOTAGE}" if self._is_footage() else str(error)

    def _is_footage(self) -> bool:
        path = Path(self.path)
        if path.suffix.lower() in PICTURES:
            return False  # a damaged picture, which ffmpeg may well show in part
        try:
            footage_info(path, Fraction(24))
        except MediaError:
            return False
        return True


class Image(Source[ImageConfig]):
    """The picture at first, the previous output from then on."""

    def __call__(self, ctx: FrameContext) -> Tensor:
        if ctx.previous is not None:
            return ctx.previous
        picture = read_picture(Path(self.config.path))
        if self.spec.on_sphere and size_of(picture).is_sphere:
            return upload(fit_around(picture, self.spec.size), self.spec.device)
        picture = fit_to(picture, self.spec.frame, self.config.fit)
        if any(self.spec.margin):
            clouds = noise.pink(self.spec.size, 0.2, 2.0, ctx.generator(self.config.id))
            picture = surrounded(picture, match_colours(clouds, colour_statistics(picture), 1.0))
        return upload(picture, self.spec.device)
