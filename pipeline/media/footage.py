"""Moving pictures from a film or a row of stills, at a constant rate, with the motion between them."""

from __future__ import annotations

import fnmatch
import math
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import NamedTuple, Protocol

from torch import Tensor

from pipeline.disk import state_of
from pipeline.errors import MediaError
from pipeline.frame import Size, size_of
from pipeline.media.decoding import MAX_PIXELS
from pipeline.media.film import Film, FilmInfo, Shot
from pipeline.media.picture import Fit, fit_to, read_picture, scaled_size
from pipeline.ops.cuts import content_change, hue_saturation_value
from pipeline.ops.motion import Motion

PICTURES = {".bmp", ".exr", ".hdr", ".jp2", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
_FORMS = "give a folder of pictures, or shot_%04d.png or shot_*.png (patterns count in a file's name alone)"
_NUMBER = r"%0?\d*d"
_MOST_ENTRIES = 1_000_000


class Footage(Protocol):
    """Pictures in order of time."""

    info: FilmInfo
    broken: int
    """how much could not be decoded and was bridged, so far"""
    missing: Fraction
    """how many seconds short of its word it ended, once it did"""

    def pictures(self, since: Fraction, size: Size | None = None, *, seek: bool = True) -> Iterator[Shot]:
        """The pictures from one that is shown at `since` seconds or earlier, each read at `size`, or at its own."""
        ...


class Stills:
    """A row of pictures as a film: a folder, `shot_%04d.png` or `shot_*.png`, in the order a person would count.

    Raises MediaError when there is none.
    """

    def __init__(self, path: Path, fps: Fraction) -> None:
        try:
            self.paths = _listed(path)
        except OSError as error:
            raise MediaError(f"can't list the pictures at {path}: {error.strerror}; {_FORMS}") from error
        if not self.paths:
            raise MediaError(f"no pictures are found at {path}; {_FORMS}")
        self.broken = 0
        self.missing = Fraction(0)
        self.info = FilmInfo(size_of(read_picture(self.paths[0])), fps, len(self.paths) / fps)

    def pictures(self, since: Fraction, size: Size | None = None, *, seek: bool = True) -> Iterator[Shot]:
        """The pictures from the one shown at `since` seconds, or from the first without `seek`."""
        tick = 1 / self.info.fps
        first = min(int(since / tick), len(self.paths) - 1) if seek else 0
        for index in range(first, len(self.paths)):
            # At its own size, which need not be the first one's: fitting scales it anyway.
            yield Shot(index * tick, (index + 1) * tick, partial(read_picture, self.paths[index]))


def _listed(path: Path) -> list[Path]:
    """The pictures of a folder, or the files that a pattern names, sorted as a person would; nothing that is hidden."""
    if "**" in path.name:
        raise MediaError(f"{path}: `**` stands for nothing here, no trees are searched; {_FORMS}")
    whole = path.is_dir()
    folder, pattern = (path, re.compile(".*", re.DOTALL)) if whole else (path.parent, _pattern(path.name))
    # What has no picture's suffix is left out, unless the pattern asks for its own.
    suffixes = PICTURES if whole or re.search(r"[%*?\]]", path.suffix) or not path.suffix else None
    found = []
    with os.scandir(folder) as entries:
        for count_so_far, entry in enumerate(entries):
            if count_so_far >= _MOST_ENTRIES:
                raise MediaError(
                    f"{folder} holds more than {_MOST_ENTRIES} files; move the pictures into a folder of their own"
                )
            each = folder / entry.name
            wanted = suffixes is None or each.suffix.lower() in suffixes
            hidden = entry.name.startswith(".") and (whole or not path.name.startswith("."))
            if wanted and not hidden and pattern.fullmatch(entry.name) and not entry.is_dir():
                found.append(each)
    return sorted(found, key=_counted)


def _pattern(name: str) -> re.Pattern[str]:
    """`%04d` stands for a number, `*` for anything, `?` for one character; `[ab]`, without `%d`, for one of these."""
    if re.search(_NUMBER, name) is None:
        return re.compile(fnmatch.translate(name))
    kinds = {"*": ".*", "?": "."}
    parts = re.split(rf"({_NUMBER}|[*?])", name)  # every second one stands for something
    spelled = (kinds.get(part, r"\d+") if index % 2 else re.escape(part) for index, part in enumerate(parts))
    return re.compile("".join(spelled), re.DOTALL)


def _counted(path: Path) -> tuple[list[str | int], str]:
    """A key that sorts f2 before f10."""
    parts = re.split(r"(\d+)", path.name)  # every second one is a number, whatever else counts as a digit
    return [int(part) if index % 2 else part for index, part in enumerate(parts)], path.name


def open_footage(path: Path, fps: Fraction, *, hdr: bool = False) -> Footage:
    """The film, folder or row of stills at `path`; `fps` is for stills, which have no rate of their own.

    Raises MediaError when it can't be read, and for HDR unless that is wanted.
    """
    return Stills(path, fps) if _is_row(path) else Film(path, hdr=hdr)


def footage_info(path: Path, fps: Fraction, *, hdr: bool = False) -> FilmInfo:
    """What `open_footage` finds out; a film is opened once, until it changes. Raises MediaError."""
    if _is_row(path) or not path.is_file():
        return open_footage(path, fps, hdr=hdr).info
    return _film_info(path, state_of(path), hdr)


@lru_cache(maxsize=64)
def _film_info(path: Path, state: tuple[int, ...], hdr: bool) -> FilmInfo:
    return Film(path, hdr=hdr).info


def _is_row(path: Path) -> bool:
    return path.is_dir() or (not path.exists() and re.search(rf"{_NUMBER}|[*?]", path.name) is not None)


@dataclass(frozen=True)
class Timing:
    """Which part of the footage is shown, how fast, at what rate. `start` and `end` in its own seconds."""

    start: Fraction
    end: Fraction
    speed: Fraction
    fps: Fraction

    @property
    def frames(self) -> int:
        """How many frames the part gives, to the nearest whole one, at least 1."""
        return max(1, math.floor((self.end - self.start) * self.fps / self.speed + Fraction(1, 2)))

    def time(self, index: int) -> Fraction:
        """The footage's time that frame `index` shows."""
        return self.start + index * self.speed / self.fps


def pictures_at_constant_rate(
    footage: Footage, size: Size, fit: Fit, timing: Timing, first: int = 0, *, seek: bool = True
) -> Iterator[Callable[[], Tensor]]:
    """For frames `first` and on, what gives the picture whose time has come, (1, 3, H, W) on the CPU at `size`.

    Frames that show one picture have one function, which reads it once. Times are met to half a frame, so that a
    coarse clock (Matroska's milliseconds) neither drops nor doubles a picture. Ends with the part that `timing` gives,
    or sooner where the footage can't be decoded to its end.
    """
    tick = 1 / footage.info.fps
    slack = min(timing.speed / timing.fps, tick) / 2
    scaled: Size | None = scaled_size(footage.info.size, size, fit)
    if scaled is not None and scaled.height * scaled.width > MAX_PIXELS:
        scaled = None  # long and thin: fitting cuts it before it is enlarged
    shots = footage.pictures(timing.time(first), scaled, seek=seek)
    coming = next(shots, None)
    if coming is None:
        return
    shown, picture = coming, _fitted(coming, size, fit)
    for index in range(first, timing.frames):
        due = timing.time(index) + slack
        while coming is not None and coming.time <= due:
            if coming is not shown:
                shown, picture = coming, _fitted(coming, size, fit)
            coming = next(shots, None)
        if coming is None and footage.missing > tick and due >= shown.until:
            return
        yield picture


def _fitted(shot: Shot, size: Size, fit: Fit) -> Callable[[], Tensor]:
    return cache(lambda: fit_to(shot.read(), size, fit))


def at_constant_rate(
    footage: Footage, size: Size, fit: Fit, timing: Timing, first: int = 0, *, seek: bool = True
) -> Iterator[Tensor]:
    """The pictures of `pictures_at_constant_rate`; frames that show one are one tensor."""
    for picture in pictures_at_constant_rate(footage, size, fit, timing, first, seek=seek):
        yield picture()


class Step(NamedTuple):
    """One frame of footage and what it has to do with the one before."""

    picture: Tensor
    before: Tensor | None
    motion: Motion | None
    cut: bool


Estimate = Callable[[Tensor, Tensor], Motion]


def follow(pictures: Iterator[Tensor], estimate: Estimate | None, cut_above: float) -> Iterator[Step]:
    """Each picture with the motion since the one before, unless a new scene begins: a change above `cut_above`."""
    colours = lru_cache(maxsize=2)(hue_saturation_value)  # of each picture once
    before: Tensor | None = None
    for now in pictures:
        if before is None:
            yield Step(now, None, None, False)
        else:
            cut = now is not before and content_change(colours(now), colours(before)) > cut_above
            yield Step(now, before, None if cut or estimate is None else estimate(now, before), cut)
        before = now
