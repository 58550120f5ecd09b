"""A film on disk while it is made: its pieces, each first a spool of raw frames and then a segment that ffmpeg made.

Frame n belongs to piece `n // length`. A spool is `NNNNNN.rgb24`, one (H, W, 3) uint8 after the other; a segment is
`NNNNNN.mp4`. Both may be there: a spool goes once its segment is whole and no kept checkpoint needs it.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.disk import digest_of, partial_path, replacing, share, sync
from pipeline.errors import MediaError
from pipeline.media.joining import count_frames
from pipeline.outputs import encode
from pipeline.preset import Preset

SEGMENT_SECONDS = 2
_OURS = re.compile(r"[0-9]{6,}(-assembly)?(\.part-[0-9]+)?\.(mp4|rgb24)")
_NAME = re.compile(r"([0-9]{6,})\.(mp4|rgb24)")


class Piece(NamedTuple):
    """One piece by its number, and how many frames it holds."""

    number: int
    frames: int


class SegmentMissing(Exception):
    """The segment of this number is gone, and later ones are there."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class ClosedMeanwhile(Exception):
    """The run went on while its pieces were looked at: what was a spool is a segment by now."""


class Pieces:
    """The pieces of a preset's film in a folder. Methods raise OSError when the disk refuses.

    `append`, `close`, `secure` and `drop` are one thread's, `encode` may be another's; who only looks may do so while
    another process writes.
    """

    def __init__(self, folder: Path, preset: Preset) -> None:
        self._folder, self._preset = folder, preset
        # It follows from the preset alone, so that every run cuts alike.
        self.length = max(8, round(SEGMENT_SECONDS * preset.fps))
        self._frame_bytes = preset.size.height * preset.size.width * 3
        self._spool: BinaryIO | None = None

    def append(self, index: int, pixels: NDArray[np.uint8]) -> Piece | None:
        """Add frame `index` to its spool; the piece, when that is full and closed now."""
        number, place = divmod(index, self.length)
        if self._spool is None:
            self._spool = self._raw(number).open("ab")
        self._spool.write(pixels.data)
        if place < self.length - 1:
            return None
        self.close()
        return Piece(number, self.length)

    def close(self) -> None:
        """Close the open spool, if there is one."""
        if self._spool is not None:
            self._spool.close()
            self._spool = None

    def last(self, frames: int) -> Piece | None:
        """The piece that a film of so many frames ends with, where that is not a full one."""
        number, rest = divmod(frames, self.length)
        return Piece(number, rest) if rest else None

    def encode(self, piece: Piece) -> None:
        """Make a segment from its spool, read back its frame count, and put it in place, synced.

        Raises MediaError when ffmpeg fails or a frame is missing.
        """
        number, frames = piece
        with replacing(self._segment(number)) as partial:
            encode(self._raw(number), partial, self._preset.size, self._preset.fps, self._preset.encode)
            found = count_frames(partial)
            if found != frames:
                raise MediaError(f"segment {number} came out with {found} of {frames} frames; is the disk full?")

    def secure(self, frame: int) -> dict[str, str]:
        """Sync the first `frame` frames; returns the digest of each spool that no full segment stands for, by number.

        Segments and spools are on the disk for good afterwards: a checkpoint may count them.
        """
        if self._spool is not None:
            self._spool.flush()
        digests = {}
        for number, path in self._there("rgb24").items():
            if not (number < frame // self.length and self._segment(number).exists()):
                sync(path)
                digests[str(number)] = digest_of(path)
        sync(self._folder)  # the segments just seen are there for good
        return digests

    def share(self, folder: Path, frame: int) -> None:
        """Take over the first `frame` frames of a film that begins alike from its `folder`, which is only read.

        Full pieces, which nobody writes to any more, are the same files by a second name; what there is of the last
        one is copied. What is gone meanwhile is left out: `verify` tells. Raises OSError.
        """
        full, rest = divmod(max(0, frame), self.length)
        for number in range(full):
            # The segment once more: it may have come, and its spool have gone, between the first two looks.
            for path in (self._segment(number), self._raw(number), self._segment(number)):
                with contextlib.suppress(FileNotFoundError):
                    share(folder / path.name, path)
                    break
        if rest:
            with contextlib.suppress(FileNotFoundError), (folder / self._raw(full).name).open("rb") as file:
                self._raw(full).write_bytes(file.read(rest * self._frame_bytes))
        sync(self._folder)

    def frames(self) -> int:
        """How many frames there are, in segments and spools."""
        raw, closed = self._there("rgb24"), self._there("mp4")
        last = max((*raw, *closed), default=-1)
        if last in raw:
            return last * self.length + self._spooled_frames(last)
        return 0 if last < 0 else last * self.length + count_frames(closed[last])

    def drop(self, frame: int) -> None:
        """Remove the spools of full pieces before `frame`, the oldest to go on from, whose segments are there."""
        for number, path in self._there("rgb24").items():
            if number < frame // self.length and self._segment(number).exists():
                path.unlink()

    def verify(self, frame: int, digests: Mapping[str, str]) -> None:
        """Each of the first `frame` frames lies in a whole segment or in the spool that `secure` gave the digest of.

        Raises ValueError saying what is gone or damaged.
        """
        for number in range(-(-frame // self.length)):
            frames = min(self.length, frame - number * self.length)
            if frames == self.length and self._is_whole(number):
                continue
            spool, digest, wanted = self._raw(number), digests.get(str(number)), frames * self._frame_bytes
            if not spool.is_file() or spool.stat().st_size < wanted:
                raise ValueError(f"segment {number} and its spooled frames are gone")
            # A whole segment that was damaged later has no digest of its spool noted, an open one always has.
            if (digest is None and frames < self.length) or (digest is not None and digest_of(spool, wanted) != digest):
                raise ValueError(f"the spooled frames of segment {number} are damaged")

    def rewind(self, frame: int) -> None:
        """Keep the first `frame` frames, which are verified, and nothing else; full pieces are segments afterwards.

        Nobody else may be writing here. Raises MediaError as `encode` does.
        """
        full, rest = divmod(max(0, frame), self.length)
        kept = {self._segment(number) for number in range(full)} | {self._raw(number) for number in range(full + 1)}
        for path in _ours(self._folder):
            if path not in kept:
                path.unlink()
        if self._raw(full).exists():
            with self._raw(full).open("r+b") as file:
                file.truncate(rest * self._frame_bytes)
        for number in range(full):
            if not self._is_whole(number):
                self.encode(Piece(number, self.length))

    def films(self, frames: int) -> list[Path]:
        """The segments that hold the first `frames` frames, in order."""
        return [self._segment(number) for number in range(-(-frames // self.length))]

    def closed(self) -> int:
        """How many segments there are."""
        return len(self._there("mp4"))

    @contextlib.contextmanager
    def so_far(self) -> Iterator[tuple[list[Path], int]]:
        """Films of all frames there are, in order, and how many frames these are; what is spooled is encoded meanwhile.

        Raises SegmentMissing, MediaError when one can't be read, ClosedMeanwhile
        when it is worth another try.
        """
        films = self._closed_films()
        number = len(films)
        spool, extra = self._raw(number), partial_path(self._folder / f"{number:06d}-assembly.mp4", ".mp4")
        spooled = spool.exists()
        try:
            whole = sum(map(count_frames, films))
            more = self._spooled_frames(number)
            if more:
                encode(spool, extra, self._preset.size, self._preset.fps, self._preset.encode, more)
            yield [*films, extra] if more else films, whole + more
        except (MediaError, FileNotFoundError):
            if spooled and not spool.exists():
                raise ClosedMeanwhile from None
            raise
        finally:
            extra.unlink(missing_ok=True)

    def _closed_films(self) -> list[Path]:
        found = self._there("mp4")
        missing = next((number for number in range(len(found)) if number not in found), None)
        if missing is not None:
            raise SegmentMissing(missing)
        last = len(found) - 1
        if found and count_frames(found[last]) < self.length and self._raw(last).exists():
            del found[last]  # the last one of a finished film: its spool says the same, or more
        return list(found.values())

    def _spooled_frames(self, number: int) -> int:
        spool = self._raw(number)
        return spool.stat().st_size // self._frame_bytes if spool.exists() else 0

    def kept_every(self) -> int | None:
        """Frames between two states that are kept: whole pieces, so that neither needs a spool. None: none is kept."""
        keep = self._preset.keep
        return None if keep is None else max(1, round(keep.span(self._preset.fps) / self.length)) * self.length

    def bytes_kept(self, frames: int | None) -> int:
        """What the states that are kept of a film of so many frames take, those of one without end in a minute."""
        every = self.kept_every()
        frames = round(60 * self._preset.fps) if frames is None else frames
        height, width = self._preset.canvas
        return 0 if every is None else frames // every * height * width * 3 * 4

    def bytes_needed(self, frames: int | None) -> int:
        """At most what `frames` more frames take, or those to come soon of a film without end.

        What is there only meanwhile, states that are kept, and the film twice (segments and joined) at a generous rate.
        """
        coming = 0 if frames is None else frames
        return self.bytes_working(frames) + int(0.2 * coming * self._frame_bytes) + self.bytes_kept(coming)

    def bytes_working(self, frames: int | None) -> int:
        """At most what of these is there only while it renders: spools and checkpoints."""
        spooled = 4 * self.length if frames is None else min(frames, 4 * self.length)
        return (spooled + 3 * 4) * self._frame_bytes

    def spooled(self, near: int) -> int | None:
        """The newest frame that is spooled, in the piece of frame `near` or the next; None where none is."""
        for number in (near // self.length + 1, near // self.length):
            with contextlib.suppress(FileNotFoundError):
                if frames := self._spooled_frames(number):
                    return number * self.length + frames - 1
        return None

    def read(self, index: int) -> NDArray[np.uint8] | None:
        """Frame `index`, (H, W, 3), out of its spool; None where it lies in none, or not whole."""
        number, place = divmod(index, self.length)
        try:
            with self._raw(number).open("rb") as file:
                file.seek(place * self._frame_bytes)
                data = file.read(self._frame_bytes)
        except FileNotFoundError:
            return None
        whole = len(data) == self._frame_bytes
        return np.frombuffer(data, np.uint8).reshape(*self._preset.size, 3) if whole else None

    def segment(self, number: int) -> Path:
        """Where the segment of this number lies, or will."""
        return self._segment(number)

    def _segment(self, number: int) -> Path:
        return self._folder / f"{number:06d}.mp4"

    def _raw(self, number: int) -> Path:
        return self._folder / f"{number:06d}.rgb24"

    def _is_whole(self, number: int) -> bool:
        try:
            return self._segment(number).is_file() and count_frames(self._segment(number)) == self.length
        except MediaError:
            return False

    def _there(self, kind: str) -> dict[int, Path]:
        """The segments (`mp4`) or spools (`rgb24`) by number, rising."""
        named = ((_NAME.fullmatch(path.name), path) for path in _ours(self._folder))
        return dict(sorted((int(name[1]), path) for name, path in named if name is not None and name[2] == kind))


def remove_pieces(folder: Path) -> None:
    """Remove every piece, and what was left half-written. Raises OSError."""
    for path in _ours(folder):
        path.unlink()


def _ours(folder: Path) -> list[Path]:
    """Everything that has a name which a run gives; never a user's own files."""
    return [path for path in folder.iterdir() if _OURS.fullmatch(path.name)] if folder.is_dir() else []
