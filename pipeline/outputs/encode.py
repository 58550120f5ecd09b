"""The film's own outputs, as presets set them: what each is written as."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Literal

from pydantic import Field, model_validator

from pipeline.frame import Size
from pipeline.masks import FoundMask, MaskField, simple_masks
from pipeline.media.picture import Fit
from pipeline.outputs.formats import FORMATS, Container, Format, FormatName, Speed
from pipeline.outputs.hardware import IN_HARDWARE, EncoderName
from pipeline.outputs.purposes import PURPOSES, PurposeName, filled
from pipeline.stages import Entry, RunSpec
from pipeline.units import FpsField, SizeField

_GIF_RATE = 50  # hundredths of a second are counted, and players slow down what takes less than two of them
_CRF, _WEBP = "crf", "webp"


class EncodeConfig(Entry):
    """Write the film. Several of them write it in several ways at once."""

    purpose: PurposeName | None = Field(
        None,
        alias="for",
        description="sets the keys that are left out: reels, story (1080x1920), square (1080x1080), web (at most 1280 "
        "pixels and 30 frames a second), archive (lossless)",
    )
    format: FormatName = Field(
        "h264",
        description="h264, hevc, av1, vp9; prores (422 HQ), prores-4444; ffv1; png, tiff: a folder of pictures; gif, "
        "webp, apng: animations",
    )
    container: Container | None = Field(
        None, description="the kind of file, mp4, mov, mkv or webm; the usual one of the format if left out"
    )
    bits: Literal[8, 10, 16] | None = Field(
        None, description="for each of red, green and blue: 8, 10 or 16, of those that the format has"
    )
    crf: int | None = Field(
        None,
        ge=0,
        le=63,
        description="quality of h264, hevc, av1 and vp9: 0 is lossless (or nearly), 17 to 24 look so, 28 and more make "
        "a small file; h264 17, hevc 19, others 24 if left out",
    )
    preset: Speed | None = Field(
        None,
        description="speed of h264, hevc, av1 and vp9, in x264's words; slower makes smaller files of the same "
        "quality; medium if left out",
    )
    quality: int | None = Field(None, ge=0, le=100, description="quality of webp: 100 is lossless, 80 if left out")
    size: SizeField | None = Field(None, description="WIDTHxHEIGHT of this output; the film's own if left out")
    fit: Fit | None = Field(
        None,
        description="how the film fills another `size`. crop: all of it, and the overhang goes; pad: the whole film, "
        "margins mirrored; stretch: change the proportions; crop if left out",
    )
    longest_side: int | None = Field(
        None, ge=16, le=16384, description="scale down until no side is longer, in pixels; nothing is scaled up"
    )
    fps: FpsField | None = Field(
        None,
        description="frames per second of this output: frames are left out, or shown twice; the film's if left out",
    )
    mask: MaskField | None = Field(
        None,
        description="what stays to be seen, where the format can be transparent; as the dream's masks, drawn over what "
        "the film shows: {image: mask.png}, {radial: 0.4}, {luminance: [0.5, 1]}, joined by `all`, `any`, `not`",
    )
    writes: Literal["picture", "mask"] = Field(
        "picture", description="picture: with `mask` as its transparency, if there is one; mask: that alone, as grey"
    )
    encoder: EncoderName = Field(
        "software",
        description="software; or nvenc, qsv, amf, vaapi, videotoolbox: "
        "hardware, for h264, hevc and av1, whose bytes are others",
    )

    @model_validator(mode="before")
    @classmethod
    def _filled(cls, given: Any) -> Any:
        """With what a purpose and the format set where the preset does not."""
        return filled(given) if isinstance(given, dict) else given

    @property
    def form(self) -> Format:
        """What there is to know about the format."""
        return FORMATS[self.format]

    @property
    def suffix(self) -> str:
        """Of the file, without a dot."""
        return self.form.suffixes[0] if self.container is None else self.container

    @property
    def depth(self) -> int:
        """Bits for each of red, green and blue."""
        return self.form.bits if self.bits is None else self.bits

    @property
    def transparent(self) -> bool:
        """Whether the mask becomes transparency."""
        return self.mask is not None and self.writes == "picture"

    def size_of(self, film: Size) -> Size:
        """The size of this output of a film of that size."""
        if self.size is not None:
            return self.size
        most = max(film) if self.longest_side is None else self.longest_side
        if max(film) <= most:
            return film
        steps = self.form.steps
        return Size(
            *(max(1, round(side * most / max(film) / step)) * step for side, step in zip(film, steps, strict=True))
        )

    def fps_of(self, film: Fraction) -> Fraction:
        """The rate of this output of a film of that rate."""
        if self.fps is not None:
            return self.fps
        return film if self.purpose is None else PURPOSES[self.purpose].rate(film)

    def problems(self, spec: RunSpec) -> Iterator[tuple[str, str]]:
        yield from self._problems_of_format()
        yield from self._problems_of_mask()
        yield from self._problems_of_size(spec)
        if self.format == "gif" and self.fps_of(spec.fps) > _GIF_RATE:
            half = spec.fps / -(-spec.fps // _GIF_RATE)
            yield "fps", f"is {self.fps_of(spec.fps)}: a gif shows at most {_GIF_RATE} frames a second; use fps: {half}"

    def _problems_of_format(self) -> Iterator[tuple[str, str]]:
        form, name = self.form, self.format
        if self.container is not None and self.container not in form.suffixes:
            takes = f"use {' or '.join(form.suffixes)}" if form.kind == "film" else "leave it out"
            others = [other for other, each in FORMATS.items() if self.container in each.suffixes]
            yield (
                "container",
                f"is {self.container}, which does not hold {name}; {takes} (it holds {', '.join(others)})",
            )
        if self.depth not in form.pixels:
            yield "bits", f"is {self.depth}, {name} has {' or '.join(map(str, sorted(form.pixels)))}"
        if self.crf is not None and form.crf is None:
            yield (
                _CRF,
                f"is {self.crf}, but {name} has none; leave it out"
                + (", `quality` is webp's" if name == _WEBP else ""),
            )
        elif self.crf is not None and form.crf is not None and self.crf > form.crf[1]:
            yield _CRF, f"is {self.crf}, {name} has 0 to {form.crf[1]}"
        if self.preset is not None and not (form.speeds and self.encoder == "software"):
            whose = name if self.encoder == "software" else self.encoder
            yield "preset", f"is {self.preset}, but {whose} has no such speeds; leave it out"
        if self.quality is not None and name != _WEBP:
            yield (
                "quality",
                f"is webp's, and the format is {name}; " + ("use `crf`" if form.crf is not None else "leave it out"),
            )
        if self.encoder != "software" and name not in IN_HARDWARE:
            yield "encoder", f"is {self.encoder}, which writes {', '.join(IN_HARDWARE)}, not {name}; leave it out"

    def _problems_of_mask(self) -> Iterator[tuple[str, str]]:
        if self.mask is None:
            if self.writes == "mask":
                yield "writes", "is mask, but there is none; add one, such as `mask: {luminance: [0.5, 1]}`"
            return
        found = [(place, each) for place, each in simple_masks(self.mask) if isinstance(each, FoundMask)]
        if found:
            yield from (
                (
                    f"mask.{place}" if place else "mask",
                    f"is {each.find}, which only dreams can follow; use another mask here",
                )
                for place, each in found
            )
            return
        yield from ((f"mask.{key}", message) for key, message in self.mask.problems())
        if not self.transparent:
            return
        able = [name for name, each in FORMATS.items() if each.has_alpha]
        if not self.form.has_alpha:
            yield (
                "mask",
                f"can't be the transparency of {self.format}, which has none; use {', '.join(able)}, or `writes: mask`",
            )
        elif self.depth in self.form.pixels and self.form.pixels[self.depth].transparent is None:
            deep = next(bits for bits, pixels in self.form.pixels.items() if pixels.transparent is not None)
            yield "bits", f"is {self.depth}, with which {self.format} is never transparent; use bits: {deep}"
        elif self.format == "vp9" and self.suffix == "mp4":
            yield "container", "is mp4, where vp9 is never transparent; use webm or mkv"

    def _problems_of_size(self, spec: RunSpec) -> Iterator[tuple[str, str]]:
        size = self.size_of(spec.frame)
        key = "" if self.size is None else "size"
        if self.size is None and self.fit is not None:
            yield "fit", f"is {self.fit}, but the film has its own size here; add a `size`, or leave it out"
        if self.size is not None and self.longest_side is not None:
            yield "longest_side", f"is {self.longest_side}, and there is a `size` too; keep one of the two"
        if spec.on_sphere and not size.is_sphere:
            yield "size", f"is {size}, but a sphere stays twice as wide as high; use {2 * size.height}x{size.height}"
        steps = self.form.steps
        if any(side % step for side, step in zip(size, steps, strict=True)):
            heights, widths = (_near(side, step) for side, step in zip(size, steps, strict=True))
            near = " or ".join(str(each) for each in sorted({Size(h, w) for h in heights for w in widths}))
            which = "both sides" if steps == (2, 2) else "the width"
            yield key, f"can't store the size {size}: {which} must be even; use {near}"


def _near(side: int, step: int) -> tuple[int, ...]:
    return (side,) if side % step == 0 else (side - 1, side + 1)
