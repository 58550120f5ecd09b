"""Finished pieces of video: counting their frames, joining them, and pictures from them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.activity import report
from pipeline.disk import partial_path, replacing
from pipeline.errors import MediaError
from pipeline.media.ffmpeg import run_ffmpeg

_NEAR_SECONDS = 2  # decoding on is quicker than beginning anew at the last picture that decodes by itself


def count_frames(path: Path) -> int:
    """The number of video frames in a file, from its packets. Raises MediaError when it can't be read."""
    try:
        with av.open(str(path)) as film:
            return sum(1 for packet in film.demux(video=0) if packet.size > 0)
    except (av.FFmpegError, OSError, IndexError) as error:
        raise MediaError(f"{path} can't be read back: {error}") from error


def join(pieces: Sequence[Path], film: Path, fps: Fraction, comment: str) -> None:
    """Join mp4 pieces into `film` by stream copy; frame n stays at exactly n/fps. `comment` goes into its metadata.

    Raises MediaError when ffmpeg fails or a frame is missing; `film` is then as it was.
    """
    listing, metadata = partial_path(film, ".txt"), partial_path(film, ".ini")
    try:
        # Relative names, in the film's own folder: what that is called can't be written in a list of ffmpeg's.
        lines = ["ffconcat version 1.0", *(f"file '{_quoted(piece, film.parent)}'" for piece in pieces)]
        listing.write_bytes(os.fsencode("\n".join(lines)))
        metadata.write_text(f";FFMETADATA1\ncomment={_escaped(comment)}\n", encoding="utf-8")
        with replacing(film) as partial:
            arguments = ["-f", "concat", "-safe", "0", "-i", f"./{listing.name}", "-i", f"./{metadata.name}"]
            arguments += ["-map", "0:v", "-map_metadata", "1", "-c", "copy"]
            arguments += ["-video_track_timescale", str(fps.numerator), "-fflags", "+bitexact"]
            arguments += ["-movflags", "+faststart", "-f", "mp4", f"./{partial.name}"]
            run_ffmpeg(arguments, f"joining {film}", film.parent)
            expected, found = sum(_counted(pieces)), count_frames(partial)
            if expected != found:
                raise MediaError(f"joining {film} gave {found} of {expected} frames")
    finally:
        listing.unlink(missing_ok=True)
        metadata.unlink(missing_ok=True)


def _counted(pieces: Sequence[Path]) -> Iterator[int]:
    for number, piece in enumerate(pieces):
        report("counting the frames of the joined film", number, len(pieces))
        yield count_frames(piece)


def _quoted(path: Path, folder: Path) -> str:
    return os.path.relpath(path, folder).replace("'", "'\\''")


def _escaped(text: str) -> str:
    for character in "\\=;#\n":
        text = text.replace(character, "\\" + character)
    return text


def read_frames_at(film: Path, indices: Sequence[int], fps: Fraction) -> list[NDArray[np.uint8]]:
    """The frames of a constant-rate film at `indices` that rise, (H, W, 3) RGB. Raises MediaError."""
    found = []
    try:
        with av.open(str(film)) as container:
            stream = container.streams.video[0]
            assert stream.time_base is not None
            last, frames = -1, container.decode(stream)
            for index in indices:
                wanted = int(index / fps / stream.time_base)
                if index - last > _NEAR_SECONDS * fps:
                    container.seek(wanted, stream=stream)
                    frames = container.decode(stream)
                frame = next(f for f in frames if f.pts is not None and f.pts >= wanted)
                found.append(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
                last = index
    except (av.FFmpegError, OSError, StopIteration) as error:
        raise MediaError(f"{film} can't be read back: {error}") from error
    return found


def contact_sheet(pictures: Sequence[NDArray[np.uint8]], columns: int, width: int) -> NDArray[np.uint8]:
    """Pictures of one size side by side, each `width` pixels wide, on black."""
    height = max(1, round(pictures[0].shape[0] * width / pictures[0].shape[1]))
    small = [cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA) for picture in pictures]
    rows = -(-len(small) // columns)
    sheet = np.zeros((rows * height, columns * width, 3), np.uint8)
    for place, picture in enumerate(small):
        top, left = place // columns * height, place % columns * width
        sheet[top : top + height, left : left + width] = picture
    return sheet
