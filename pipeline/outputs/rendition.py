"""One output of a film: its size, its rate, which frames it shows when, and what its files are called."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import ceil

from pipeline.frame import Size
from pipeline.masks import MaskReel
from pipeline.outputs.encode import EncodeConfig
from pipeline.outputs.formats import SEGMENTS

_CUT_TOLD, _ENLARGED_TOLD = 0.05, 1.05


@dataclass(frozen=True)
class Master:
    """What is rendered, for all of its outputs."""

    size: Size
    fps: Fraction
    on_sphere: bool = False


@dataclass(frozen=True)
class Rendition:
    """A film, written in one way."""

    config: EncodeConfig
    master: Master
    number: int = 1
    """its place among the film's outputs: 1 is the film itself"""

    @property
    def size(self) -> Size:
        """Of its frames."""
        return self.config.size_of(self.master.size)

    @property
    def fps(self) -> Fraction:
        """Its own rate."""
        return self.config.fps_of(self.master.fps)

    @property
    def is_deep(self) -> bool:
        """Whether it has more than eight bits, so that the film is kept with sixteen until it is written."""
        return self.config.depth > 8

    @property
    def frame_bytes(self) -> float:
        """What one of its frames takes on the disk at most."""
        return self.config.form.share * 3 * self.size.height * self.size.width * (2 if self.config.depth > 10 else 1)

    @property
    def is_plain(self) -> bool:
        """Whether its frames are the film's, but for their depth."""
        same = (self.size, self.fps) == (self.master.size, self.master.fps)
        return same and self.config.mask is None

    @cached_property
    def reel(self) -> MaskReel | None:
        """The mask for frame after frame of the film; kept, since a film that is a mask is decoded from its beginning.

        One thread's at a time.
        """
        return None if self.config.mask is None else MaskReel(self.config.mask, self.master.fps)

    @property
    def segment_suffix(self) -> str:
        """Of its pieces, with a dot."""
        return f".{SEGMENTS.get(self.config.format, 'mkv')}"

    def file_name(self, film: str) -> str:
        """What it is called in the folder of a film of that name; a folder where it is pictures."""
        stem = film if self.number == 1 else f"{film}-{self.config.id}"
        if self.config.form.kind == "pictures":
            return f"{film}-frames" if self.number == 1 else stem
        return f"{stem}.{self.config.suffix}"

    def notes(self) -> Iterator[str]:
        """What may surprise: pixels made out of few, and a part of the film that is cut away."""
        (height, width), film, fit = self.size, self.master.size, self.config.fit
        if self.config.size is None or self.size == film:
            return
        ratios = height / film.height, width / film.width
        larger = min(ratios) if fit == "pad" else max(ratios)
        said = []
        if fit == "crop" and (lost := 1 - min(ratios) / max(ratios)) > _CUT_TOLD:
            said.append(f"shows {100 * (1 - lost):.0f} % of the film's {film}, the rest is cut away")
        if larger > _ENLARGED_TOLD:
            said.append(f"is enlarged {larger:.1f} times")
        if said:
            yield f"{self.config.id} {', and '.join(said)}; `size: {self.size}` of the preset renders it whole"

    def frames(self, film: int) -> int:
        """How many frames it has of the first `film` frames of the film."""
        return ceil(film * self.fps / self.master.fps)

    def film_frames(self, frames: int) -> int:
        """How many frames of the film its first `frames` frames tell of."""
        return int(frames * self.master.fps / self.fps)

    def shown(self, frame: int) -> int:
        """The film's frame that its frame shows: the one whose time has come."""
        return int(frame * self.master.fps / self.fps)
