"""Sound for a finished film: the source's own or another, from the right moment on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.error
from av.stream import Disposition

from pipeline.disk import require_regular
from pipeline.errors import MediaError, reason_of
from pipeline.media.resound import encoded
from pipeline.media.soundclock import TimedPackets, seams, timed

# What an mp4 holds and players play; anything else becomes AAC.
_COPIED = {"aac", "mp3", "ac3", "eac3", "alac"}
_COPIED_IN_WEBM = {"opus", "vorbis"}
# What a decoder wants to have heard before its first right sample; players skip it, the film's edit list says so.
_LEAD_SECONDS = Fraction(1, 20)
_NEED_NO_LEAD = {"alac"}
_PACKETS_TRIED = 64
_BYTES_TRIED = 256 * 2**20


class NotCopied(Exception):
    """Sound that has to be encoded anew."""


@dataclass(frozen=True)
class Soundtrack:
    """The sound in a file, from `since` seconds on that file's own clock, at `speed` times its pace."""

    path: Path
    since: Fraction | None = None
    """None: from where its clock begins"""
    speed: Fraction = Fraction(1)


def find_sound(path: Path) -> int | None:
    """The number of the stream with a file's sound; None where the file is silent.

    It is the first that can be decoded, of those that the file calls its default where there are any: a phone's film
    may begin with one that only that phone understands. Raises MediaError when none can be, or the file not be read.
    """
    try:
        require_regular(path)
        with av.open(str(path)) as container:
            sounds = sorted(container.streams.audio, key=lambda s: not s.disposition & Disposition.default)
            undecodable = []
            for stream in sounds:
                decodable = _is_decodable(path, stream)
                if decodable:
                    return stream.index
                undecodable += [_codec(stream)] if decodable is False else []
    except (OSError, av.error.FFmpegError) as error:
        raise MediaError(f"can't read the sound of {path}: {reason_of(error)}; give another, or none") from error
    if undecodable:
        raise MediaError(
            f"the sound of {path} can't be decoded ({', '.join(undecodable)}); convert it, give another, or none"
        )
    return None


def _is_decodable(path: Path, stream: av.AudioStream) -> bool | None:
    """Whether a stream's beginning can be decoded; None where it holds nothing."""
    packets, read = 0, 0
    with av.open(str(path)) as container, contextlib.suppress(av.error.FFmpegError):  # of a file that breaks off
        for packet in container.demux():
            read += packet.size
            if packet.stream.index == stream.index and packet.size:
                packets += 1
                if stream.codec_context is None or packets > _PACKETS_TRIED:
                    return False
                with contextlib.suppress(av.error.FFmpegError):
                    if packet.decode():
                        return True
            if read > _BYTES_TRIED:
                return stream.codec_context is not None
    return False if packets else None


def _codec(stream: av.AudioStream) -> str:
    """The codec's own name: its decoder may be called otherwise, as mp3's is `mp3float`."""
    return "an unknown codec" if stream.codec_context is None else stream.codec_context.codec.canonical_name


def add_sound(
    target: av.container.OutputContainer, sound: Soundtrack, seconds: Fraction, *, copied: bool = True
) -> Iterator[av.Packet[av.AudioStream]]:
    """The packets of a film's sound, `seconds` long; the stream for them is in `target` once the first is asked for.

    Where `copied`, they are the file's own if the film can hold them and their pace stays; the same file gives the same
    bytes. Nothing is sought: few containers can be trusted to find the right place, so the file is read from its
    beginning and its clock says what is heard when. Raises NotCopied, MediaError, OSError or FFmpegError.
    """
    number = find_sound(sound.path)
    if number is None:
        return
    with av.open(str(sound.path)) as container:
        stream = container.streams[number]
        assert isinstance(stream, av.AudioStream)
        since = sound.since
        if since is None:
            since = Fraction(container.start_time or 0, av.time_base)
        parts = seams(sound.path)
        packets = timed(container, stream, parts)
        if not copied or sound.speed != 1 or _codec(stream) not in _held_by(target):
            yield from encoded(packets, target, since, seconds, sound.speed)
        elif parts:
            raise NotCopied  # another recording may be of another kind
        else:
            yield from _copied(packets, target, stream, since, seconds)


def _held_by(target: av.container.OutputContainer) -> set[str]:
    return _COPIED_IN_WEBM if target.format.name == "webm" else _COPIED


def _copied(
    packets: TimedPackets,
    target: av.container.OutputContainer,
    stream: av.AudioStream,
    since: Fraction,
    seconds: Fraction,
) -> Iterator[av.Packet[av.AudioStream]]:
    rate, clock = stream.codec_context.sample_rate, stream.time_base
    if not rate or not clock:
        raise NotCopied
    length = Fraction(stream.codec_context.frame_size or 0, rate)
    copy: av.AudioStream | None = None
    lead = 0 if _codec(stream) in _NEED_NO_LEAD else _LEAD_SECONDS
    due: Fraction | None = None
    kind = b""
    last: int | None = None
    for packet, begins in packets:
        at = begins - since
        lasts = length if length else (packet.duration or 0) * clock
        if at + lasts <= -lead:
            continue
        if at >= seconds:
            return
        if copy is None:
            copy, kind = target.add_stream_from_template(stream), _adts_kind(packet)
            copy.time_base = Fraction(1, rate)
        if kind != _adts_kind(packet):
            raise NotCopied
        if due is not None and abs(at - due) <= clock:
            at = due  # a clock of milliseconds can't say it any better
        due = at + lasts
        stamp = round(at * rate)
        if last is not None and stamp <= last:
            continue  # time stands still: a broken file says the same again
        last = stamp
        packet.stream, packet.time_base = copy, Fraction(1, rate)
        packet.pts = packet.dts = stamp
        packet.duration = round(lasts * rate)
        yield packet


def _adts_kind(packet: av.Packet[av.AudioStream]) -> bytes:
    """What an AAC packet of a broadcast says of its profile, rate and channels; mp4 says it once for all."""
    head = bytes(memoryview(packet)[:4])
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return b""
    return bytes((head[2] & 0xFD, head[3] & 0xC0))
