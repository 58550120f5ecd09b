"""Films as files, through PyAV: opening them, or a clear error, and what their packets say of themselves."""

from __future__ import annotations

import contextlib
import re
from array import array
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import av.error
import numpy as np
from av.format import Flags

from pipeline.activity import report
from pipeline.disk import require_regular, state_of
from pipeline.errors import MediaError, reason_of
from pipeline.media.timeline import UNSAID, Packets, Timeline
from pipeline.media.timestamps import MOST_TICKS, Header, timeline

_TOLD_EVERY = 512  # packets
_MOST_PACKETS = 1 << 24  # three days at 60 a second


@contextlib.contextmanager
def opened(path: Path) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """The film at `path` and the first stream of its pictures that can be decoded. Raises MediaError."""
    with _container(path) as container:
        streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
        if not streams:
            raise MediaError(f"{path} holds no pictures, only sound or data; give a film")
        # PyAV's types do not say so, but a stream that nothing here can decode has no codec.
        stream = next((s for s in streams if s.codec_context is not None), None)
        if stream is None:
            raise MediaError(
                f"the pictures of {path} are in a codec that nothing here can decode; if it plays elsewhere, "
                "convert it there to H.264"
            )
        stream.thread_type = "AUTO"
        yield container, stream


def _container(path: Path) -> av.container.InputContainer:
    try:
        require_regular(path)
    except FileNotFoundError:
        raise MediaError(f"can't read the film {path}: no such file; check its path") from None
    except OSError as error:
        raise MediaError(f"can't read the film {path}: {reason_of(error)}; give a film") from error
    try:
        return av.open(str(path))
    except (OSError, ValueError, av.error.FFmpegError) as error:
        raise MediaError(
            f"{path} can't be opened as a film ({reason_of(error)}); if it is one, its index is missing, as in "
            f"a recording that was cut off; try to play it, or convert it with ffmpeg"
        ) from error


def packets(
    container: av.container.InputContainer, stream: av.VideoStream
) -> Iterator[tuple[int, av.Packet[av.VideoStream]]]:
    """The stream's packets with their numbers, up to the end or the first place that can't be read."""
    number = 0
    with contextlib.suppress(av.error.FFmpegError):
        for packet in _demuxed(container, stream):
            if packet.size == 0 and packet.dts is None:
                continue  # PyAV's own sign that the file is over
            yield number, packet
            number += 1


def _demuxed(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.Packet[av.VideoStream]]:
    while True:
        try:
            yield from container.demux(stream)
            return
        except IndexError:
            continue  # PyAV trips over a stream that begins behind the others' beginning; the film goes on there


def decoder_of(stream: av.VideoStream) -> av.VideoCodecContext:
    """The stream's decoder; for VP9 with alpha libvpx's, since ffmpeg's own leaves alpha out."""
    if stream.metadata.get("alpha_mode") == "1" and stream.codec_context.name == "vp9":
        decoder: av.VideoCodecContext = av.VideoCodecContext.create("libvpx-vp9", "r")
        decoder.extradata = stream.codec_context.extradata
        return decoder
    return stream.codec_context


def timeline_of(path: Path) -> Timeline:
    """When the film's pictures are shown; its packets are read once, until it changes."""
    return _scanned(path, state_of(path))


@lru_cache(maxsize=8)
def _scanned(path: Path, state: tuple[int, ...]) -> Timeline:
    said, size = [array("q") for _ in range(6)], path.stat().st_size
    with opened(path) as (container, stream):
        clock = stream.time_base or Fraction(1, 90000)
        animation = container.format.name in ("gif", "apng")
        for number, packet in packets(container, stream):
            if number >= _MOST_PACKETS:
                raise MediaError(f"{path} holds more than {_MOST_PACKETS} pictures; cut it into pieces")
            if number % _TOLD_EVERY == 0:
                report(f"reading the times of {path.name}", packet.pos or 0, size)
            words = (packet.pts, packet.dts, packet.duration, packet.size)
            for numbers, word in zip(said, words, strict=False):
                numbers.append(UNSAID if word is None or abs(word) > MOST_TICKS else word)
            said[4].append(packet.size > 0 and not packet.is_discard)
            said[5].append(packet.is_keyframe and not animation)  # where each builds on the one before
        pts, dts, durations, sizes, shown, keys = (np.array(numbers, np.int64) for numbers in said)
        streaming = bool(Flags(container.format.flags) & Flags.ts_discont)
        header = Header(
            clock=clock,
            rates=(stream.guessed_rate, stream.average_rate, stream.base_rate),
            end=None if streaming else _stated_end(stream, clock),
            jumps=streaming,
            animation=animation,
        )
    if not shown.any():
        raise MediaError(f"{path} holds no pictures that are shown; try to play it")
    return timeline(Packets(pts, dts, durations, sizes, shown.astype(bool), keys.astype(bool)), header)


def _stated_end(stream: av.VideoStream, clock: Fraction) -> Fraction | None:
    """When the header says that the pictures end, on the file's clock."""
    if stream.duration is not None:
        return ((stream.start_time or 0) + stream.duration) * clock
    return _parse_clock(stream.metadata.get("DURATION", ""))


def _parse_clock(text: str) -> Fraction | None:
    """`00:00:04.000000000`, as Matroska tags write it; None for anything else."""
    found = re.fullmatch(r"(\d{1,9}):(\d{1,2}):(\d{1,2}(?:\.\d{1,20})?)", text.strip(), re.ASCII)
    if found is None:
        return None
    hours, minutes, seconds = found.groups()
    return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
