"""Masks of one kind: pictures, films, discs, brightness, what stands out or is not flat, the subject."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from pipeline.device import upload
from pipeline.errors import MediaError
from pipeline.frame import NOT_A_SPHERE, Size, size_of
from pipeline.media.footage import footage_info
from pipeline.media.paths import MediaPath
from pipeline.media.picture import Fit, fit_around, fit_to, read_picture
from pipeline.ops import mask
from pipeline.ops.faces import on_faces
from pipeline.ops.luma import BT709, luma
from pipeline.ops.sphere import evenly
from pipeline.ops.warp import resize
from pipeline.units import Pair

_MOST_VALUES = 1 << 20  # that a quantile is taken of; torch refuses many more


class _Mask(BaseModel):
    """Where to dream: white or 1 all, black or 0 nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    soft: float = Field(0.05, ge=0, le=0.5, description="width of the edges, as a share of the shorter side")
    invert: bool = Field(False, description="dream everywhere else")

    def __call__(self, frame: Tensor, on_sphere: bool = False) -> Tensor:
        """The mask (1, 1, H, W) in [0, 1] for a frame (1, 3, H, W), on its device, which may be equirectangular."""
        found = (self.draw_on_sphere(frame) if on_sphere else self.draw(frame)).clamp(0, 1)
        return 1 - found if self.invert else found

    def draw(self, frame: Tensor) -> Tensor:
        """The mask before it is inverted."""
        raise NotImplementedError

    def draw_on_sphere(self, frame: Tensor) -> Tensor:
        """The same for an equirectangular frame: seamless, and not distorted at the poles."""
        return on_faces(self.draw, frame)

    def softened(self, hard: Tensor) -> Tensor:
        """A mask (1, 1, H, W) with soft edges."""
        return mask.soften(hard, self.soft * min(size_of(hard)) / 2)

    def problems(self, on_sphere: bool = False) -> Iterator[tuple[str, str]]:
        """What is wrong with it, as (key, message)."""
        return iter(())


class ImageMask(_Mask):
    """Where a picture is bright."""

    image: MediaPath = Field(description="the picture: relative to the preset, absolute, or package:NAME/inside/it")
    fit: Fit = Field("crop", description="crop, pad or stretch")

    def draw(self, frame: Tensor) -> Tensor:
        bright = luma(fit_to(read_picture(Path(self.image)), size_of(frame), self.fit), BT709)
        return upload(self.softened(bright), frame.device)

    def draw_on_sphere(self, frame: Tensor) -> Tensor:
        picture = read_picture(Path(self.image))
        around = size_of(picture).is_sphere
        fitted = fit_around(picture, size_of(frame)) if around else fit_to(picture, size_of(frame), self.fit)
        return upload(on_faces(self.softened, luma(fitted, BT709)), frame.device)

    def problems(self, on_sphere: bool = False) -> Iterator[tuple[str, str]]:
        try:
            size = size_of(read_picture(Path(self.image)))
        except MediaError as error:
            yield "image", str(error)
            return
        if on_sphere:
            yield from _unfit_for_sphere("image", self.image, size, self.fit)


class FilmMask(_Mask):
    """Where a film is bright, frame for frame; its last picture stays."""

    film: MediaPath = Field(description="the film: relative to the preset, or absolute; it starts with the dream")
    fit: Fit = Field("crop", description="crop, pad or stretch")

    def problems(self, on_sphere: bool = False) -> Iterator[tuple[str, str]]:
        try:
            size = footage_info(Path(self.film), Fraction(1)).size
        except MediaError as error:
            yield "film", str(error)
            return
        if on_sphere:
            yield from _unfit_for_sphere("film", self.film, size, self.fit)


def _unfit_for_sphere(key: str, path: str, size: Size, fit: Fit) -> Iterator[tuple[str, str]]:
    if not (size.is_sphere or fit == "stretch"):
        yield key, f"{path} is {size}; {NOT_A_SPHERE}, or `fit: stretch` it"


class RadialMask(_Mask):
    """Inside a disc."""

    radial: float = Field(gt=0, le=10, description="the radius, as a share of the shorter side")
    centre: Pair = Field((0.5, 0.5), description="[x, y] in shares of width and height")

    def draw(self, frame: Tensor) -> Tensor:
        return mask.radial(size_of(frame), self.centre, self.radial, self.soft, frame.device)

    def draw_on_sphere(self, frame: Tensor) -> Tensor:
        return mask.radial_on_sphere(size_of(frame), self.centre, self.radial, self.soft, frame.device)


class LuminanceMask(_Mask):
    """Where the picture's brightness lies in a range."""

    luminance: Pair = Field(description="[darkest, brightest], from 0 (black) to 1 (white)")
    ramp: float = Field(0.1, ge=0, le=1, description="the range of brightness over which the band fades out")

    def draw(self, frame: Tensor) -> Tensor:
        return mask.between(self.softened(luma(frame, BT709)), *self.luminance, self.ramp)

    def problems(self, on_sphere: bool = False) -> Iterator[tuple[str, str]]:
        low, high = self.luminance
        if not 0 <= low < high <= 1:
            yield "luminance", f"is {list(self.luminance)}, must be [darkest, brightest], rising, from 0 to 1"


class SaliencyMask(_Mask):
    """Where something stands out (spectral residual; Hou, Zhang 2007)."""

    saliency: float = Field(gt=0, lt=1, description="the share of the picture that is dreamt on, what stands out first")

    def draw(self, frame: Tensor) -> Tensor:
        found = mask.saliency(frame)
        area = (found >= torch.quantile(found, 1 - self.saliency)).to(found)
        return self.softened(resize(area, size_of(frame)).clamp(0, 1))

    def draw_on_sphere(self, frame: Tensor) -> Tensor:
        found = on_faces(lambda view: resize(mask.saliency(view), size_of(view)), frame)
        sample = evenly(found).flatten()
        sample = sample[:: 1 + len(sample) // _MOST_VALUES]
        return on_faces(self.softened, (found >= torch.quantile(sample, 1 - self.saliency)).to(found))


class DetailMask(_Mask):
    """Where there is something to see: flat places, such as a clear sky, stay as they are."""

    detail: float = Field(
        gt=0,
        le=0.5,
        description="the local contrast from which on there is a dream, as a standard deviation of brightness: 0.02 "
        "leaves out skies and walls, 0.06 all but textures",
    )

    def draw(self, frame: Tensor) -> Tensor:
        return self.softened(mask.ramp(mask.local_contrast(frame), self.detail, 0.7 * self.detail))


Found = Literal["subject", "background"]


class FoundMask(_Mask):
    """What the picture is about, or all but that, as the bundled network sees it; it moves along with the picture."""

    find: Found = Field(
        description="subject: the thing that the picture is about; background: all around it. Over footage it follows "
        "the motion and is looked for again six times a second; in a zoom the first picture's moves with the camera"
    )
    soft: float = Field(0.01, ge=0, le=0.5, description="width of the edges, as a share of the shorter side")
    half_life: float = Field(
        0.3,
        ge=0,
        le=3600,
        description="seconds of footage after which half of what was found before has given way to what is found now; "
        "more is calmer",
    )

    def draw(self, frame: Tensor) -> Tensor:
        """`frame` is the subject's own mask (1, 1, H, W): to find it takes a network, see `FollowedSubject`."""
        return self.softened(1 - frame if self.find == "background" else frame)

    def problems(self, on_sphere: bool = False) -> Iterator[tuple[str, str]]:
        if on_sphere:
            yield "find", f"is {self.find}, which is told in flat pictures only; on a sphere, use an image or a disc"


SimpleMask = ImageMask | FilmMask | RadialMask | LuminanceMask | SaliencyMask | DetailMask | FoundMask
