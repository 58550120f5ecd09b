"""The files that a film is kept in while it is made: what they are called, and which are there.

Frame n belongs to piece `n // length`. A spool is `NNNNNN.rgb24`, one (H, W, 3) uint8 after the other, or, where an
output has more than eight bits, `NNNNNN.rgb48` of uint16. It becomes a segment for each of the film's outputs:
`NNNNNN.mp4`, `NNNNNN-2.mov` and so on.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from pipeline.disk import partial_path, remove
from pipeline.errors import MediaError
from pipeline.media.joining import count_frames
from pipeline.outputs import Rendition
from pipeline.preset import Preset

SEGMENT_SECONDS = 2
_OURS = re.compile(r"([0-9]{6,})(?:-([0-9]+))?(-assembly)?(\.part-[0-9]+)?(\.(?:mp4|mov|mkv|nut|rgb24|rgb48))")


class Piece(NamedTuple):
    """One piece by its number, and how many frames it holds."""

    number: int
    frames: int


class PieceFiles:
    """The spools and segments of a preset's film in a folder, for whoever looks while another process writes."""

    def __init__(self, folder: Path, preset: Preset) -> None:
        self._folder = folder
        # It follows from the preset alone, so that every run cuts alike.
        self.length = max(8, round(SEGMENT_SECONDS * preset.fps))
        self.renditions = preset.renditions
        self.deep = any(each.is_deep for each in self.renditions)
        self.frame_bytes = preset.size.height * preset.size.width * 3 * (2 if self.deep else 1)
        """of a spooled one"""

    def _shown_in(self, piece: Piece) -> list[Rendition]:
        """The outputs that have a frame of a piece: a slow one may have none of a short piece."""
        return [each for each in self.renditions if self._wanted(piece, each)]

    def _wanted(self, piece: Piece, rendition: Rendition) -> int:
        """How many frames a piece has in an output."""
        first = piece.number * self.length
        return rendition.frames(first + piece.frames) - rendition.frames(first)

    def spool(self, number: int) -> Path:
        """Where the spool of a piece lies, if there is one."""
        return self._raw(number)

    def viewed(self, index: int) -> tuple[Path, int]:
        """The segment that shows frame `index`, whether it is there yet or not, and which of its pictures does.

        Of the outputs that one which shows the film as it is, or else the first.
        """
        number = index // self.length
        rendition = next((each for each in self.renditions if each.is_plain), self.renditions[0])
        place = int(index * rendition.fps / rendition.master.fps) - rendition.frames(number * self.length)
        return self._segment(number, rendition), max(0, place)

    def _segment(self, number: int, rendition: Rendition) -> Path:
        place = "" if rendition.number == 1 else f"-{rendition.number}"
        return self._folder / f"{number:06d}{place}{rendition.segment_suffix}"

    def _extra(self, number: int, rendition: Rendition) -> Path:
        segment = self._segment(number, rendition)
        return partial_path(segment.with_stem(f"{segment.stem}-assembly"), segment.suffix)

    def _raw(self, number: int) -> Path:
        return self._folder / f"{number:06d}.{'rgb48' if self.deep else 'rgb24'}"

    def _has_segments(self, number: int) -> bool:
        return all(self._segment(number, each).exists() for each in self._shown_in(Piece(number, self.length)))

    def _is_whole(self, number: int) -> bool:
        """Whether the segments of a full piece are there, with all of its frames."""
        piece = Piece(number, self.length)
        try:
            return self._has_segments(number) and all(
                count_frames(self._segment(number, each)) == self._wanted(piece, each) for each in self._shown_in(piece)
            )
        except MediaError:
            return False

    def _closed(self) -> list[int]:
        """The numbers of pieces that have all of their segments, rising."""
        numbers = sorted({int(name[1]) for name, _ in self._ours()})
        return [number for number in numbers if self._has_segments(number)]

    def _spools(self) -> dict[int, Path]:
        ours = (path for _, path in self._ours() if path.suffix == self._raw(0).suffix and path.stem.isdigit())
        return dict(sorted((int(path.stem), path) for path in ours))

    def remove_all(self) -> None:
        """Remove every piece, and what was left half-written. Raises OSError."""
        for _, path in self._ours():
            remove(path)

    def _ours(self) -> list[tuple[re.Match[str], Path]]:
        """Everything that has a name which this run gives; never a user's own files."""
        paths = self._folder.iterdir() if self._folder.is_dir() else ()
        named = ((_OURS.fullmatch(path.name), path) for path in paths)
        return [(name, path) for name, path in named if name is not None and self._gives(name[2], name[5])]

    def _gives(self, output: str | None, suffix: str) -> bool:
        """Whether a piece with that number of an output and that suffix is one of this run's."""
        if suffix == self._raw(0).suffix:
            return output is None
        number = 1 if output is None else int(output)
        return any(each.number == number and each.segment_suffix == suffix for each in self.renditions)
