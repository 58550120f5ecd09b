"""Symmetries as presets write them: a kaleidoscope, turns, a mirror or tiles."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from pipeline.by_key import ByKey
from pipeline.ops.groups import Group, droste, kaleidoscope, mirror, mirrored_tiles, rotational, tiles
from pipeline.ops.symmetry import Symmetry
from pipeline.stages.spec import RunSpec

Count = Annotated[int, Field(ge=1, le=64)]


class SymmetryConfig(BaseModel):
    """Which places of the picture look alike."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @property
    def only(self) -> tuple[str, ...] | None:
        """The keys of a camera that may move without tearing the picture apart; None: all, mirrors hide the rest."""
        return None

    def build(self, spec: RunSpec) -> Symmetry:
        """The symmetry at work on the pictures of a run."""
        return Symmetry(self.group(spec), spec.size, spec.device)

    def group(self, spec: RunSpec) -> Group:
        """The symmetry itself."""
        raise NotImplementedError


class KaleidoscopeSymmetry(SymmetryConfig):
    """Mirrors that meet in the middle."""

    kaleidoscope: int = Field(ge=2, le=64, description="how many pairs of mirror images lie around the middle")

    def group(self, spec: RunSpec) -> Group:
        return kaleidoscope(self.kaleidoscope)


class RotationalSymmetry(SymmetryConfig):
    """A pinwheel: turned by a part of a circle, the picture looks the same."""

    rotational: int = Field(ge=2, le=64, description="how often the picture is repeated around the middle, unmirrored")

    @property
    def only(self) -> tuple[str, ...] | None:
        return ("zoom", "rotate")

    def group(self, spec: RunSpec) -> Group:
        return rotational(self.rotational)


class MirrorSymmetry(SymmetryConfig):
    """One mirror through the middle, or two."""

    mirror: Literal["x", "y", "both"] = Field(
        description="x: left and right are mirror images; y: above and below; both"
    )

    def group(self, spec: RunSpec) -> Group:
        return mirror(across=self.mirror != "y", down=self.mirror != "x")


class TileSymmetry(SymmetryConfig):
    """A wallpaper."""

    tiles: Annotated[tuple[Count, Count], BeforeValidator(lambda v: tuple(v) if isinstance(v, list) else v)] = Field(
        description="[across, down]: how many tiles the frame holds"
    )
    mirrored: bool = Field(
        True,
        description="true: each tile is the mirror image of the next; false: all are the same, for cameras that only "
        "pan, and [1, 1] makes a frame that fits its own other side",
    )

    @property
    def only(self) -> tuple[str, ...] | None:
        return None if self.mirrored else ("pan",)

    def group(self, spec: RunSpec) -> Group:
        return (mirrored_tiles if self.mirrored else tiles)(*self.tiles, spec.frame, spec.size)


class DrosteSymmetry(SymmetryConfig):
    """A picture in the picture, for ever."""

    droste: float = Field(
        ge=1.5, le=64, description="how many times smaller the picture is that it contains, in its middle"
    )

    @property
    def only(self) -> tuple[str, ...] | None:
        return ("zoom", "rotate")

    def group(self, spec: RunSpec) -> Group:
        return droste(self.droste, spec.frame)


_BY_KEY = ByKey(
    {
        "kaleidoscope": KaleidoscopeSymmetry,
        "rotational": RotationalSymmetry,
        "mirror": MirrorSymmetry,
        "tiles": TileSymmetry,
        "droste": DrosteSymmetry,
    }
)

SymmetryField = Annotated[
    Annotated[
        Annotated[KaleidoscopeSymmetry, Tag("KaleidoscopeSymmetry")]
        | Annotated[RotationalSymmetry, Tag("RotationalSymmetry")]
        | Annotated[MirrorSymmetry, Tag("MirrorSymmetry")]
        | Annotated[TileSymmetry, Tag("TileSymmetry")]
        | Annotated[DrosteSymmetry, Tag("DrosteSymmetry")],
        Discriminator(_BY_KEY.tag),
    ],
    BeforeValidator(_BY_KEY.checked),
]
"""One symmetry, told by its key."""
