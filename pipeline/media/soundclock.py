"""When each packet of a file's sound is heard, on the clock that its pictures share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import groupby
from pathlib import Path
from typing import Any

import av
import av.error
from av.stream import Disposition

TimedPackets = Iterator[tuple["av.Packet[av.AudioStream]", Fraction]]
"""Packets of one stream, each with the time in seconds at which it begins."""

# Where a clock steps back, or leaps, so far, another recording begins, and goes on where the one before ended.
_BACK_SECONDS, _LEAP_SECONDS, _LEAP_SECONDS_OF_STREAMS = 1, 3600, 10
_STREAMS = {"mpegts", "mpeg"}


def seams(path: Path) -> list[Fraction]:
    """What to add to the clock of each recording that was put behind another one; none in a file of one piece.

    Only broadcasts are joined so, and their pictures say where the next recording begins: sounds end raggedly.
    """
    with av.open(str(path)) as container:
        pictures = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        streams: list[av.VideoStream | av.AudioStream] = [*pictures, *container.streams.audio]
        if container.format.name not in _STREAMS or not streams:
            return []
        return [shift for shift, _ in groupby(shift for _, _, shift in _walked(container, streams[0], ()))][1:]


def timed(
    container: av.container.InputContainer, stream: av.AudioStream, shifts: Sequence[Fraction] = ()
) -> TimedPackets:
    """Each packet of a stream with the time in seconds at which it begins; `shifts` are what `seams` found.

    A file that breaks off ends there.
    """
    assert stream.time_base is not None
    for packet, begins, shift in _walked(container, stream, shifts):
        if shift:
            packet.pts = packet.dts = round(begins / stream.time_base)
        yield packet, begins


def _walked(
    container: av.container.InputContainer, stream: av.VideoStream | av.AudioStream, shifts: Sequence[Fraction]
) -> Iterator[tuple[av.Packet[Any], Fraction, Fraction]]:
    """Each packet with when it begins, and by how much its file's clock was moved for that."""
    clock = stream.time_base
    assert clock is not None
    leap = _LEAP_SECONDS_OF_STREAMS if container.format.name in _STREAMS else _LEAP_SECONDS
    waiting, shift, end = list(shifts), Fraction(0), None
    with contextlib.suppress(av.error.FFmpegError):
        for packet in container.demux(stream):
            if not packet.size:
                continue
            stamp = packet.dts if packet.dts is not None else packet.pts
            begins = (Fraction(0) if end is None else end) if stamp is None else stamp * clock + shift
            if end is not None and not -_BACK_SECONDS < begins - end < leap:
                moved = end - begins
                if waiting and abs(waiting[0] - shift - moved) < _BACK_SECONDS:
                    moved = waiting.pop(0) - shift
                begins, shift = begins + moved, shift + moved
            end = begins + (packet.duration or 0) * clock
            yield packet, begins, shift
