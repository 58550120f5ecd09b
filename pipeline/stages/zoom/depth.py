"""Depth as presets write it: a space to fly through, what the picture suggests, a map, a film of maps, or a network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from pipeline.backbones.disparity import load_disparity
from pipeline.by_key import ByKey
from pipeline.errors import ModelError
from pipeline.frame import Size
from pipeline.masks import FilmMask, ImageMask
from pipeline.media.paths import MediaPath
from pipeline.media.picture import Fit
from pipeline.ops.depth import Geometry
from pipeline.units import SizeField


class DepthConfig(BaseModel):
    """How far away things are, as a factor on the distance that the camera's motions are meant for."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @property
    def parallax(self) -> bool:
        """Whether anything is nearer than something else."""
        return True

    def problems(self) -> Iterator[tuple[str, str]]:
        """What is wrong with it, as (key, message)."""
        return iter(())


class GeometryDepth(DepthConfig):
    """A space that stays where it is in the frame, while the camera flies on through it for ever."""

    geometry: Geometry = Field(
        description="tunnel, round the camera's `centre`; ground, under a sky, with its horizon through `centre`; "
        "dome, the inside of a sphere; or plane, as without depth"
    )
    far: float = Field(
        10.0, ge=1, le=1000, description="the distance of the tunnel's end and the horizon, where new picture grows"
    )
    sky: float = Field(
        0.5, ge=0, le=10, description="how fast the sky passes by; 1 as fast as the ground, 0 it stands still"
    )

    @property
    def parallax(self) -> bool:
        return self.geometry != "plane"


class ReliefDepth(DepthConfig):
    """Distances that belong to the picture: what is near covers and uncovers what is behind it."""

    near: float = Field(0.5, gt=0, le=1, description="the distance of the nearest things")
    far: float = Field(2.0, gt=1, le=1000, description="the distance of the farthest")
    half_life: float = Field(
        0.5,
        ge=0,
        le=3600,
        description="seconds after which half of the depth that moved along with the picture has given way to what is "
        "found now; more is calmer",
    )


class PictureDepth(ReliefDepth):
    """What the picture suggests."""

    picture: Literal["luminance", "saliency"] = Field(
        description="luminance: what is bright is near; saliency: what stands out is near"
    )
    soft: float = Field(0.04, ge=0, le=0.5, description="width of the edges, as a share of the shorter side")
    invert: bool = Field(False, description="what is dark, or does not stand out, is near")


class _MapDepth(ReliefDepth):
    """What pictures say: white is near, black is far."""

    fit: Fit = Field("crop", description="crop, pad or stretch")
    soft: float = Field(0.0, ge=0, le=0.5, description="width of the edges, as a share of the shorter side")
    invert: bool = Field(False, description="black is near, white is far")


class ImageDepth(_MapDepth):
    """A map of depth."""

    image: MediaPath = Field(
        description="the map: relative to the preset, absolute, or package:NAME/inside/it.png; 16 bits are best"
    )
    half_life: float = Field(
        2.0,
        ge=0,
        le=3600,
        description="seconds after which half of the depth that moved along with the picture has given way to the map "
        "again; 3600: it moves with the picture and never comes back; 0: it stays where it is",
    )

    @property
    def mask(self) -> ImageMask:
        """The map as what reads it."""
        return ImageMask(image=self.image, fit=self.fit, soft=self.soft, invert=self.invert)

    def problems(self) -> Iterator[tuple[str, str]]:
        return self.mask.problems()


class FilmDepth(_MapDepth):
    """A film of depth."""

    film: MediaPath = Field(description="the film of maps: it starts with the film, and its last picture stays")
    half_life: float = Field(0.0, ge=0, le=3600, description="seconds over which the maps are evened out; 0 is none")

    @property
    def mask(self) -> FilmMask:
        """The film as what reads it."""
        return FilmMask(film=self.film, fit=self.fit, soft=self.soft, invert=self.invert)

    def problems(self) -> Iterator[tuple[str, str]]:
        return self.mask.problems()


class NetworkDepth(ReliefDepth):
    """What a network for depth says of each frame."""

    network: MediaPath = Field(
        description="an ONNX file that takes one picture, normalised as ImageNet's, and gives one map, such as MiDaS"
    )
    gives: Literal["disparity", "depth"] = Field(
        "disparity", description="disparity: its larger values are nearer; depth: they are farther away"
    )
    input: SizeField = Field(
        Size(256, 256), description="WIDTHxHEIGHT of the pictures it gets, stretched to that; multiples of 32"
    )

    def problems(self) -> Iterator[tuple[str, str]]:
        try:
            load_disparity(Path(self.network), self.input)
        except ModelError as error:
            yield "network", str(error)


_BY_KEY = ByKey(
    {
        "geometry": GeometryDepth,
        "picture": PictureDepth,
        "image": ImageDepth,
        "film": FilmDepth,
        "network": NetworkDepth,
    }
)

DepthField = Annotated[
    Annotated[
        Annotated[GeometryDepth, Tag("GeometryDepth")]
        | Annotated[PictureDepth, Tag("PictureDepth")]
        | Annotated[ImageDepth, Tag("ImageDepth")]
        | Annotated[FilmDepth, Tag("FilmDepth")]
        | Annotated[NetworkDepth, Tag("NetworkDepth")],
        Discriminator(_BY_KEY.tag),
    ],
    BeforeValidator(_BY_KEY.checked),
]
"""One kind of depth, told by its key."""
