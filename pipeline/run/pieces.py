"""A film on disk while it is made: its pieces, each first a spool of raw frames and then what ffmpeg made of it.

Both may be there: a spool goes once its segments are whole and no kept checkpoint needs it. What they are called,
`piece_files` says.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from pipeline.disk import GrowingDigest, digest_of, remove, replacing, require_guard, share, sync, write_whole
from pipeline.errors import MediaError
from pipeline.media.joining import count_frames
from pipeline.outputs import Rendition, Spool, encode
from pipeline.preset import Preset
from pipeline.run.piece_files import Piece, PieceFiles


class SegmentMissing(Exception):
    """The segment of this number is gone, and later ones are there."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class ClosedMeanwhile(Exception):
    """The run went on while its pieces were looked at: what was a spool is a segment by now."""


class Pieces(PieceFiles):
    """The pieces of a preset's film in a folder. Methods raise OSError when the disk refuses.

    `append`, `close`, `secure` and `drop` are one thread's, `encode` may be another's; who only looks may do so while
    another process writes.
    """

    def __init__(self, folder: Path, preset: Preset) -> None:
        super().__init__(folder, preset)
        self._preset = preset
        self._spool: BinaryIO | None = None
        self._digests: dict[int, GrowingDigest] = {}

    def append(self, index: int, pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> Piece | None:
        """Add frame `index`, of the spools' depth, to its spool; the piece, when that is full and closed now."""
        number, place = divmod(index, self.length)
        if self._spool is None:
            self._spool = self._raw(number).open("ab")
        require_guard()  # of the file that is open: whoever takes over makes another
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
        """Make the segments of its spool, read back their frame counts, and put them in place, synced.

        Raises MediaError when ffmpeg fails or a frame is missing.
        """
        for rendition in self._shown_in(piece):
            with replacing(self._segment(piece.number, rendition)) as partial:
                encode(self._spool_of(piece), partial, rendition)
                found, wanted = count_frames(partial), self._wanted(piece, rendition)
                if found != wanted:
                    said = f"segment {piece.number} came out with {found} of {wanted} frames"
                    raise MediaError(f"{said}; is the disk full?")

    def _spool_of(self, piece: Piece) -> Spool:
        first = piece.number * self.length
        return Spool(self._raw(piece.number), self.deep, first, first + piece.frames)

    def secure(self, frame: int) -> dict[str, str]:
        """Sync the first `frame` frames; returns the digest of each spool that no full segment stands for, by number.

        Segments and spools are on the disk for good afterwards: a checkpoint may count them.
        """
        if self._spool is not None:
            self._spool.flush()
        known, self._digests, digests = self._digests, {}, {}
        for number, path in self._spools().items():
            if not (number < frame // self.length and self._has_segments(number)):
                sync(path)
                self._digests[number] = known[number] if number in known else GrowingDigest(path)
                digests[str(number)] = self._digests[number]()
        sync(self._folder)  # the segments just seen are there for good
        return digests

    def share(self, folder: Path, frame: int) -> None:
        """Take over the first `frame` frames of a film that begins alike from its `folder`, which is only read.

        Full pieces, which nobody writes to any more, are the same files by a second name; what there is of the last
        one is copied. What is gone meanwhile is left out: `verify` tells. Raises OSError.
        """
        full, rest = divmod(max(0, frame), self.length)
        for number in range(full):
            segments = [self._segment(number, each) for each in self._shown_in(Piece(number, self.length))]
            # The segments once more: they may have come, and their spool have gone, between the first two looks.
            for paths in (segments, [self._raw(number)], segments):
                with contextlib.suppress(FileNotFoundError):
                    for path in paths:
                        share(folder / path.name, path)
                    break
        if rest:
            with contextlib.suppress(FileNotFoundError), (folder / self._raw(full).name).open("rb") as file:
                write_whole(self._raw(full), file.read(rest * self.frame_bytes))
        sync(self._folder)

    def frames(self) -> int:
        """How many frames there are, in segments and spools."""
        spools, closed = self._spools(), self._closed()
        last = max((*spools, *closed), default=-1)
        if last in spools:
            return last * self.length + self._spooled_frames(last)
        if last < 0:
            return 0
        first = self.renditions[0]
        before = first.frames(last * self.length)
        return first.film_frames(before + count_frames(self._segment(last, first)))

    def drop(self, frame: int) -> None:
        """Remove the spools of full pieces before `frame`, the oldest to go on from, whose segments are there."""
        for number, path in self._spools().items():
            if number < frame // self.length and self._has_segments(number):
                remove(path)

    def verify(self, frame: int, digests: Mapping[str, str]) -> None:
        """Each of the first `frame` frames lies in a whole segment or in the spool that `secure` gave the digest of.

        Raises ValueError saying what is gone or damaged.
        """
        for number in range(-(-frame // self.length)):
            frames = min(self.length, frame - number * self.length)
            if frames == self.length and self._is_whole(number):
                continue
            spool, digest, wanted = self._raw(number), digests.get(str(number)), frames * self.frame_bytes
            if not spool.is_file() or spool.stat().st_size < wanted:
                raise ValueError(f"segment {number} and its spooled frames are gone")
            # A whole segment that was damaged later has no digest of its spool noted, an open one always has.
            if (digest is None and frames < self.length) or (digest is not None and digest_of(spool, wanted) != digest):
                raise ValueError(f"the spooled frames of segment {number} are damaged")

    def rewind(self, frame: int) -> None:
        """Keep the first `frame` frames, which are verified, and nothing else; full pieces are segments afterwards.

        Nobody else may be writing here. Raises MediaError as `encode` does.
        """
        self._digests = {}
        full, rest = divmod(max(0, frame), self.length)
        kept = {self._segment(number, each) for number in range(full) for each in self.renditions}
        kept |= {self._raw(number) for number in range(full + 1)}
        for _, path in self._ours():
            if path not in kept:
                remove(path)
        if self._raw(full).exists():
            with self._raw(full).open("r+b") as file:
                require_guard()
                file.truncate(rest * self.frame_bytes)
        for number in range(full):
            if not self._is_whole(number):
                self.encode(Piece(number, self.length))

    def films(self, frames: int, rendition: Rendition) -> list[Path]:
        """The segments of an output that hold the first `frames` frames of the film, in order."""
        starts = range(0, frames, self.length)
        pieces = (Piece(number, min(self.length, frames - start)) for number, start in enumerate(starts))
        return [self._segment(piece.number, rendition) for piece in pieces if self._wanted(piece, rendition)]

    def closed(self) -> int:
        """How many pieces have all of their segments."""
        return len(self._closed())

    @contextlib.contextmanager
    def so_far(self) -> Iterator[tuple[list[list[Path]], int]]:
        """For each output, films of all frames there are, in order; and how many frames of the film these are.

        What is spooled is encoded meanwhile. Raises SegmentMissing, MediaError when one can't be read, ClosedMeanwhile
        when it is worth another try.
        """
        closed = self._closed_whole()
        number = len(closed)
        spooled = self._raw(number).exists()
        segments = [[self._segment(each, rendition) for each in closed] for rendition in self.renditions]
        films = [[path for path in found if path.exists()] for found in segments]
        extras: list[Path] = []
        try:
            first = self.renditions[0]
            whole = first.film_frames(sum(map(count_frames, films[0])))
            more = self._spooled_frames(number)
            for rendition in self._shown_in(Piece(number, more)):
                extras.append(self._extra(number, rendition))
                encode(self._spool_of(Piece(number, more)), extras[-1], rendition)
                films[rendition.number - 1].append(extras[-1])
            yield films, whole + more
        except (MediaError, FileNotFoundError):
            if spooled and not self._raw(number).exists():
                raise ClosedMeanwhile from None
            raise
        finally:
            for extra in extras:
                extra.unlink(missing_ok=True)

    def _closed_whole(self) -> list[int]:
        """The numbers of pieces that have their segments, without a short last one whose spool says the same, or more.

        Raises SegmentMissing."""
        found = self._closed()
        missing = next((number for number in range(len(found)) if number not in found), None)
        if missing is not None:
            raise SegmentMissing(missing)
        if found and self._raw(found[-1]).exists() and not self._is_whole(found[-1]):
            del found[-1]
        return found

    def _spooled_frames(self, number: int) -> int:
        spool = self._raw(number)
        return spool.stat().st_size // self.frame_bytes if spool.exists() else 0

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

        What is there only meanwhile, states that are kept, and every output twice (segments and joined) at a generous
        rate.
        """
        coming = 0 if frames is None else frames
        written = sum(2 * each.frame_bytes * each.fps / each.master.fps for each in self.renditions)
        return self.bytes_working(frames) + int(written * coming) + self.bytes_kept(coming)

    def bytes_working(self, frames: int | None) -> int:
        """At most what of these is there only while it renders: spools and checkpoints."""
        spooled = 4 * self.length if frames is None else min(frames, 4 * self.length)
        return (spooled + 3 * 4) * self.frame_bytes
