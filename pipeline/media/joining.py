"""Finished pieces of video: counting their frames, joining them, and pictures from them."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.activity import report
from pipeline.disk import replacing
from pipeline.errors import MediaError
from pipeline.media.sound import NotCopied, Soundtrack, add_sound
from pipeline.media.spherical import mark_film

_MUXERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
_NEAR_SECONDS = 2  # decoding on is quicker than beginning anew at the last picture that decodes by itself


def count_frames(path: Path) -> int:
    """The number of video frames in a file, from its packets. Raises MediaError when it can't be read."""
    try:
        with av.open(str(path)) as film:
            return sum(1 for packet in film.demux(video=0) if packet.size > 0)
    except (av.FFmpegError, OSError, IndexError) as error:
        raise MediaError(f"{path} can't be read back: {error}") from error


def join(
    pieces: Sequence[Path],
    film: Path,
    fps: Fraction,
    comment: str,
    sound: Soundtrack | None = None,
    *,
    on_sphere: bool = False,
) -> None:
    """Join pieces into `film`, whose suffix says what container it is, with its sound and `comment` as metadata.

    Frame n stays at exactly n/fps in mp4 and mov; Matroska and WebM count milliseconds. A film `on_sphere` is marked as
    that in mp4 and mov. Pictures are copied bit for bit, and sound too where the container can hold it and its pace
    stays; the same files give the same bytes. Raises MediaError when a piece or the sound can't be read, the film not
    be written, or a frame is missing; `film` is then as it was.
    """
    counts = list(_counted(pieces))
    with replacing(film) as partial:
        try:
            try:
                _mux(pieces, counts, partial, fps, comment, sound, copied=True)
            except (NotCopied, av.FFmpegError, OSError):
                if sound is None:
                    raise
                # mp4 refuses some kinds of what it mostly takes, such as mp3 at 8 kHz.
                _mux(pieces, counts, partial, fps, comment, sound, copied=False)
            if on_sphere and film.suffix in (".mp4", ".mov"):
                mark_film(partial)
        except (av.FFmpegError, OSError) as error:
            raise MediaError(f"joining {film} failed: {error.strerror or error}") from error
        if count_frames(partial) != sum(counts):
            raise MediaError(f"joining {film} gave {count_frames(partial)} of {sum(counts)} frames")


def _counted(pieces: Sequence[Path]) -> Iterator[int]:
    for number, piece in enumerate(pieces):
        report("counting the frames of the joined film", number, len(pieces))
        yield count_frames(piece)


def _mux(
    pieces: Sequence[Path],
    counts: Sequence[int],
    film: Path,
    fps: Fraction,
    comment: str,
    sound: Soundtrack | None,
    *,
    copied: bool,
) -> None:
    muxer, options = _MUXERS[film.suffix], {"fflags": "+bitexact"}
    if muxer in ("mp4", "mov"):
        options |= {"movflags": "+faststart", "video_track_timescale": str(fps.numerator)}
    with av.open(str(film), "w", format=muxer, options=options) as target:
        target.metadata["comment"] = comment
        with av.open(str(pieces[0])) as first:
            template = first.streams.video[0]
            stream = target.add_stream_from_template(template, opaque=True)
            if "alpha_mode" in template.metadata:  # without it players leave out the transparency of VP9
                stream.metadata["alpha_mode"] = template.metadata["alpha_mode"]
        stream.time_base = 1 / Fraction(fps.numerator)
        packets: list[Iterator[av.Packet[Any]]] = [_pictures(pieces, counts, fps, stream)]
        if sound is not None:
            packets.append(add_sound(target, sound, sum(counts) / fps, copied=copied))
        frames = sum(counts)
        for packet in heapq.merge(*packets, key=_due):
            report("joining the film", max(0, min(frames, round(_due(packet) * fps))), frames)
            target.mux(packet)


def _pictures(
    pieces: Sequence[Path], counts: Sequence[int], fps: Fraction, stream: av.VideoStream
) -> Iterator[av.Packet[av.VideoStream]]:
    """The packets of pieces one behind the other, for `stream`."""
    for piece, first in zip(pieces, accumulate(counts, initial=0), strict=False):
        with av.open(str(piece)) as container:
            for packet in container.demux(container.streams.video[0]):
                if packet.size == 0 or packet.pts is None or packet.dts is None:
                    continue
                places = [first + round(stamp * packet.time_base * fps) for stamp in (packet.pts, packet.dts)]
                packet.pts, packet.dts = (place * fps.denominator for place in places)
                packet.duration, packet.time_base, packet.stream = fps.denominator, 1 / Fraction(fps.numerator), stream
                yield packet


def _due(packet: av.Packet[Any]) -> Fraction:
    assert packet.dts is not None
    return packet.dts * packet.time_base


def read_frames_at(film: Path, indices: Sequence[int], fps: Fraction) -> list[NDArray[np.uint8]]:
    """The frames of a constant-rate film at `indices` that rise, (H, W, 3) RGB. Raises MediaError."""
    found = []
    try:
        with av.open(str(film)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            assert stream.time_base is not None
            last, frames = -1, container.decode(stream)
            for index in indices:
                # Half a frame early: the clock may be coarse.
                wanted = max(0, int((index - Fraction(1, 2)) / fps / stream.time_base))
                if index - last > _NEAR_SECONDS * fps:
                    container.seek(int(index / fps / stream.time_base), stream=stream)
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
