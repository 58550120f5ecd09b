"""Reading films through PyAV: what a file holds, and its pictures with their exact times."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import av.error
import av.filter
from av.format import Flags
from torch import Tensor

from pipeline.errors import MediaError
from pipeline.frame import Size
from pipeline.media.container import decoder_of, opened, packets, timeline_of
from pipeline.media.pixels import Orientation, hdr_transfer, orientation_of, to_frame

# A seek goes so much further back: past any reordering of pictures, and past what a deinterlacer looks back on.
_MARGIN = Fraction(1)
# Pictures that are held until it is sure that none has an earlier time; no codec shuffles more of them.
_HELD, _HELD_BYTES = 16, 1 << 28
_LOOKED_AT = 100  # packets after a seek, among which a key frame must be known again


class Shot(NamedTuple):
    """One picture of a film: when it is shown, in seconds from the first, until when, and how to get it."""

    time: Fraction
    until: Fraction
    read: Callable[[], Tensor]
    """gives (1, 3, H, W) in [0, 1] on the CPU"""


@dataclass(frozen=True)
class FilmInfo:
    """What is known of a film before it is shown."""

    size: Size
    """upright, with square pixels"""
    fps: Fraction
    seconds: Fraction
    """from the first picture's beginning to the last one's end"""
    origin: Fraction = Fraction(0)
    """the time of the first picture on the file's own clock, which its sound shares"""
    notes: tuple[str, ...] = ()
    """what had to be repaired, or may surprise"""


class _Lost(Exception):
    """A seek came out among packets that can't be told."""


class Film:
    """A film on disk. Raises MediaError when there is none that can be decoded, and for HDR unless that is `hdr`.

    Its packets are read once, without decoding, and `timestamps` makes times of what they say. `pictures` may be
    called again and again; each call opens the file anew. `broken` counts what it could not decode and bridged,
    `missing` is how many seconds before `info.seconds` its last picture was over, once it ended.
    """

    def __init__(self, path: Path, *, hdr: bool = False) -> None:
        self.path = path
        self.broken = 0
        self.missing = Fraction(0)
        with opened(path) as (container, stream):
            first, frame = self._first(container, stream)
            if hdr_transfer(frame) is not None and not hdr:
                self._refuse_hdr(frame)
            aspect = stream.sample_aspect_ratio or Fraction(1)
        self._timeline = timeline_of(path)
        self._interlaced = frame.interlaced_frame
        self._sought_right = frame.format.name != "pal8"  # a palette may come with the first packet alone
        self._orientation, unusual = orientation_of(frame)
        self._held = max(2, min(_HELD, _HELD_BYTES // (frame.width * frame.height * 4)))
        self._origin = self._begin(first)
        self.broken = 0
        self.info = FilmInfo(
            size=_upright(frame.width, frame.height, aspect, self._orientation),
            fps=self._timeline.fps,
            seconds=self._timeline.end - self._origin,
            origin=self._origin,
            notes=self._timeline.notes + unusual,
        )

    def _first(self, container: av.container.InputContainer, stream: av.VideoStream) -> tuple[int, av.VideoFrame]:
        for number, frame in self._decoded(packets(container, stream), stream, None):
            return number, frame
        raise MediaError(
            f"{self.path} holds no picture that can be decoded ({stream.codec_context.name}); try to play it"
        )

    def _refuse_hdr(self, frame: av.VideoFrame) -> None:
        curve = (hdr_transfer(frame) or "").upper()
        raise MediaError(
            f"{self.path} is HDR ({curve}), presets work in SDR; `hdr: tone-map` of the video stage brings it there, "
            "or convert it first: ffmpeg -i IN -vf "
            "zscale=t=linear:npl=100,tonemap=hable,zscale=p=bt709:t=bt709:m=bt709:r=tv,format=yuv420p OUT"
        )

    def _begin(self, first: int) -> Fraction:
        """When the first picture that can be decoded is shown: those before it may need ones that were cut off."""
        begin = self._timeline.begin
        if self._timeline.time(first) == begin:
            return begin
        self._origin = Fraction(0)
        return next((time for time, _, _ in self._timed(None, Fraction(0))), begin)

    def pictures(self, since: Fraction, size: Size | None = None, *, seek: bool = True) -> Iterator[Shot]:
        """The pictures in order, from one that is shown at `since` seconds or earlier.

        Each is read at `size`, by default `info.size`. Whatever can't be decoded is left out and counted.
        Without `seek` the film is decoded from its beginning, which is slow and always right.
        """
        size = self.info.size if size is None else size
        shown: Fraction | None = None
        if seek and self._sought_right and since > _MARGIN:
            try:
                for shot in self._shots(since - _MARGIN, since, size):
                    if shown is None and shot.time > since:
                        break  # what is before can't be decoded from there
                    yield shot
                    shown = shot.time
                if shown is not None:
                    return
            except _Lost:
                pass
        yield from (s for s in self._shots(None, Fraction(0), size) if shown is None or s.time > shown)

    def _shots(self, seek_to: Fraction | None, since: Fraction, size: Size) -> Iterator[Shot]:
        until = Fraction(0)
        for time, length, frame in self._timed(seek_to, since):
            shown = time - self._origin
            until = shown + length
            yield Shot(shown, until, self._reader(frame, size))
        self.missing = max(Fraction(0), self.info.seconds - until)

    def _reader(self, frame: av.VideoFrame, size: Size) -> Callable[[], Tensor]:
        return lambda: to_frame(frame, size, self._orientation)

    def _timed(self, seek_to: Fraction | None, since: Fraction) -> Iterator[tuple[Fraction, Fraction, av.VideoFrame]]:
        """The pictures in the decoder's order with their times in rising order, and how long the file shows them.

        The decoder knows the order of showing; where a file's times are in another, as in AVI, which counts packets,
        it is the times that are wrong. Where they agree, as nearly always, each picture gets its own packet's.
        """
        waiting: deque[av.VideoFrame] = deque()
        times: list[tuple[Fraction, int]] = []
        last: Fraction | None = None
        for number, frame in self._frames(seek_to, since):
            time = self._timeline.time(number)
            if time is None:
                continue
            waiting.append(frame)
            heapq.heappush(times, (time, number))
            if len(waiting) > self._held:
                last, length = self._next_time(times, last)
                yield last, length, waiting.popleft()
        while waiting:
            last, length = self._next_time(times, last)
            yield last, length, waiting.popleft()

    def _next_time(self, times: list[tuple[Fraction, int]], last: Fraction | None) -> tuple[Fraction, Fraction]:
        """The earliest of them; two pictures from one packet share the time until the next."""
        time, number = heapq.heappop(times)
        if last is not None and time <= last:
            tick = 1 / self._timeline.fps
            later = next((t for t, _ in sorted(times) if t > last), last + 2 * tick)
            time = last + min(tick, (later - last) / 2)
        return time, self._timeline.length(number)

    def _frames(self, seek_to: Fraction | None, since: Fraction) -> Iterator[tuple[int, av.VideoFrame]]:
        """Every frame that can be decoded and its packet's number, deinterlaced where the film is interlaced."""
        with opened(self.path) as (container, stream):
            found = packets(container, stream) if seek_to is None else self._sought(container, stream, seek_to)
            frames = self._decoded(found, stream, since)
            yield from _deinterlaced(frames, stream.time_base or Fraction(1)) if self._interlaced else frames

    def _sought(
        self, container: av.container.InputContainer, stream: av.VideoStream, seek_to: Fraction
    ) -> Iterator[tuple[int, av.Packet[av.VideoStream]]]:
        """The packets from a key frame at `seek_to` or earlier on, each known by what it says. Raises _Lost."""
        # Where there is no index, a seek comes out amid a packet, and that one is lost.
        early = 2 if Flags(container.format.flags) & Flags.ts_discont else 0
        stamp = self._timeline.entry(self._origin + seek_to, early)
        if stamp is None:
            raise _Lost
        try:
            container.seek(stamp, stream=stream)
        except av.error.FFmpegError:
            raise _Lost from None
        number: int | None = None
        for count, packet in packets(container, stream):
            if number is None:
                number = self._timeline.find(packet.pts, packet.dts, packet.size) if packet.is_keyframe else None
                if number is None and count > _LOOKED_AT:
                    raise _Lost
            elif self._timeline.agrees(number + 1, packet.pts, packet.dts, packet.size):
                number += 1
            else:
                raise _Lost
            if number is not None:
                yield number, packet
        if number is None:
            raise _Lost

    def _decoded(
        self, numbered: Iterator[tuple[int, av.Packet[av.VideoStream]]], stream: av.VideoStream, since: Fraction | None
    ) -> Iterator[tuple[int, av.VideoFrame]]:
        """Whole pictures with the numbers of their packets, which travel through the decoder as their times.

        What is corrupt before `since` is not counted: a seek landed amid pictures that build on each other.
        """
        decoder = decoder_of(stream)
        number = 0
        for number, packet in numbered:
            if packet.size > 0:
                packet.pts = number
                yield from self._whole(decoder, packet, number, since)
        yield from self._whole(decoder, None, number, since)

    def _whole(
        self,
        decoder: av.VideoCodecContext,
        packet: av.Packet[av.VideoStream] | None,
        number: int,
        since: Fraction | None,
    ) -> Iterator[tuple[int, av.VideoFrame]]:
        try:
            frames = decoder.decode(packet)
        except av.error.EOFError:
            return
        except av.error.FFmpegError:
            self.broken += 1
            return
        for frame in frames:
            source = number if frame.pts is None else frame.pts
            if not frame.is_corrupt:
                yield source, frame
            elif since is None or (self._timeline.time(source) or self._origin) - self._origin >= since:
                self.broken += 1


def _deinterlaced(
    frames: Iterator[tuple[int, av.VideoFrame]], time_base: Fraction
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Whole pictures out of half ones, one for each; progressive frames pass as they are."""
    graph: av.filter.Graph | None = None
    form: tuple[int, int, str] | None = None
    numbers: deque[int] = deque()
    for number, frame in frames:
        found = frame.width, frame.height, frame.format.name
        if graph is None or found != form:  # a filter that meets another size than its first ends the process
            yield from _ended(graph, numbers)
            graph, form = _deinterlacer(*found, time_base), found
        numbers.append(number)
        graph.vpush(frame)
        yield from _pulled(graph, numbers)
    yield from _ended(graph, numbers)


def _deinterlacer(width: int, height: int, form: str, time_base: Fraction) -> av.filter.Graph:
    graph = av.filter.Graph()
    graph.link_nodes(
        graph.add_buffer(width=width, height=height, format=av.VideoFormat(form), time_base=time_base),
        graph.add("bwdif", "mode=send_frame:deint=interlaced"),
        graph.add("buffersink"),
    ).configure()
    return graph


def _ended(graph: av.filter.Graph | None, numbers: deque[int]) -> Iterator[tuple[int, av.VideoFrame]]:
    if graph is not None:
        graph.vpush(None)
        yield from _pulled(graph, numbers)
        numbers.clear()


def _pulled(graph: av.filter.Graph, numbers: deque[int]) -> Iterator[tuple[int, av.VideoFrame]]:
    while numbers:
        try:
            frame = graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        yield numbers.popleft(), frame


def _upright(width: int, height: int, aspect: Fraction, orientation: Orientation) -> Size:
    """The shown size: pixels made square by enlarging, then turned."""
    wide = round(width * aspect) if aspect > 1 else width
    high = round(height / aspect) if aspect < 1 else height
    return Size(wide, high) if orientation.turns % 2 else Size(high, wide)
