"""Reading films through PyAV: what a file holds, and its pictures with their exact times."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import av.error
import av.filter
from torch import Tensor

from pipeline.errors import MediaError
from pipeline.frame import Size
from pipeline.media.pixels import is_hdr, to_frame

# A seek goes so much further back: past any reordering of pictures, and past what a deinterlacer looks back on.
_MARGIN = Fraction(1)
_COMMON_RATES = tuple(Fraction(n * 1000, 1001) for n in (24, 30, 48, 60, 120)) + tuple(
    Fraction(n) for n in (10, 12, 15, 24, 25, 30, 48, 50, 60, 100, 120)
)


class Shot(NamedTuple):
    """One picture of a film: when it is shown, in seconds from the first, until when, and how to get it."""

    time: Fraction
    until: Fraction
    read: Callable[[], Tensor]
    """gives (1, 3, H, W) in [0, 1] on the CPU"""


@dataclass(frozen=True)
class FilmInfo:
    """What a film says about itself."""

    size: Size
    """upright, with square pixels"""
    fps: Fraction
    seconds: Fraction
    """from the first picture's beginning to the last one's end, as the file says"""
    origin: Fraction = Fraction(0)
    """the time of the first picture on the file's own clock, which its sound shares"""


class Film:
    """A film on disk. Raises MediaError when there is none that can be decoded.

    `pictures` may be called again and again; each call opens the file anew. `broken` counts what it could not
    decode and bridged, `missing` is how many seconds short of its word the film ended, once it did.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.broken = 0
        self.missing = Fraction(0)
        with self._opened() as (container, stream):
            first = self._first_frame(container, stream)
            self._check(first)
            rates = (stream.guessed_rate, stream.average_rate, stream.base_rate)
            rate = next((rate for rate in rates if rate and 0 < rate <= 1000), 25)
            self._timed = first.pts is not None
            self._interlaced = first.interlaced_frame
            self._rotation = first.rotation
            clock = stream.time_base or Fraction(1, 90000)
            self._aspect = stream.sample_aspect_ratio or Fraction(1)
            self.info = FilmInfo(
                size=_upright(first.width, first.height, self._aspect, self._rotation),
                fps=plain_rate(Fraction(rate)),
                seconds=Fraction(0) if stream.duration is None else stream.duration * clock,
                origin=Fraction(0) if first.pts is None else first.pts * clock,
            )
            tag = stream.metadata.get("DURATION")
        if self.info.seconds == 0:
            seconds = _parse_clock(tag) if tag is not None else self._scan()
            self.info = FilmInfo(self.info.size, self.info.fps, seconds, self.info.origin)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
        if not self.path.is_file():
            raise MediaError(f"can't read the film {self.path}: no such file; check its path")
        try:
            container = av.open(str(self.path))
        except (OSError, av.error.FFmpegError) as error:
            raise MediaError(
                f"{self.path} can't be opened as a film ({_reason(error)}); if it is one, its index is missing, as in "
                f"a recording that was cut off; try to play it, or convert it with ffmpeg"
            ) from error
        with container:
            streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
            if not streams:
                raise MediaError(f"{self.path} holds no pictures, only sound or data; give a film")
            streams[0].thread_type = "AUTO"
            yield container, streams[0]

    def _first_frame(self, container: av.container.InputContainer, stream: av.VideoStream) -> av.VideoFrame:
        decoder = _decoder(stream)
        for packet in container.demux(stream):
            with contextlib.suppress(av.error.FFmpegError):
                for frame in decoder.decode(packet if packet.size else None):
                    return frame
        raise MediaError(
            f"{self.path} holds no picture that can be decoded ({stream.codec_context.name}); try to play it"
        )

    def _check(self, frame: av.VideoFrame) -> None:
        if is_hdr(frame):
            raise MediaError(
                f"{self.path} is HDR ({frame.color_trc}), presets work in SDR; convert it first: ffmpeg -i IN -vf "
                "zscale=t=linear:npl=100,tonemap=hable,zscale=p=bt709:t=bt709:m=bt709:r=tv,format=yuv420p OUT"
            )

    def _scan(self) -> Fraction:
        """The film's length from its packets, where the header does not say; nothing is decoded."""
        end, count = self.info.origin, 0
        with self._opened() as (container, stream):
            clock = stream.time_base or Fraction(1, 90000)
            with contextlib.suppress(av.error.FFmpegError):
                for packet in container.demux(stream):
                    count += packet.size > 0
                    if packet.pts is not None:
                        end = max(end, (packet.pts + (packet.duration or 0)) * clock)
        timed = end - self.info.origin
        return timed if self._timed and timed > 0 else count / self.info.fps

    def pictures(self, since: Fraction, size: Size | None = None, *, seek: bool = True) -> Iterator[Shot]:
        """The pictures in order, from one that is shown at `since` seconds or earlier.

        Each is read at `size`, by default `info.size`. Whatever can't be decoded is left out and counted.
        Without `seek` the film is decoded from its beginning, which is slow and always right.
        """
        size = self.info.size if size is None else size
        if seek and self._timed and since > _MARGIN:
            shots = self._decode(since - _MARGIN, since, size)
            first = next(shots, None)
            if first is not None and first.time <= since:
                yield first
                yield from shots
                return
        yield from self._decode(None, Fraction(0), size)

    def _decode(self, seek_to: Fraction | None, since: Fraction, size: Size) -> Iterator[Shot]:
        tick = 1 / self.info.fps
        end = Fraction(0)
        for frame in self._frames(seek_to, since):
            time = end
            if self._timed and frame.pts is not None and frame.time_base is not None:
                time = frame.pts * frame.time_base - self.info.origin
            elif self._timed:
                time = max(Fraction(0), since) if end == 0 else end
            length = tick
            if frame.duration and frame.time_base is not None:
                length = frame.duration * frame.time_base
            end = time + length
            yield Shot(time, end, self._reader(frame, size))
        self.missing = max(Fraction(0), self.info.seconds - end)

    def _reader(self, frame: av.VideoFrame, size: Size) -> Callable[[], Tensor]:
        return lambda: to_frame(frame, size, self._rotation)

    def _frames(self, seek_to: Fraction | None, since: Fraction) -> Iterator[av.VideoFrame]:
        """Every frame that can be decoded, deinterlaced where the film is interlaced."""
        with self._opened() as (container, stream):
            if seek_to is not None:
                assert stream.time_base is not None
                container.seek(int((self.info.origin + seek_to) / stream.time_base), stream=stream)
            frames = self._decoded(container, stream, since)
            yield from _deinterlaced(frames, stream) if self._interlaced else frames

    def _decoded(
        self, container: av.container.InputContainer, stream: av.VideoStream, since: Fraction
    ) -> Iterator[av.VideoFrame]:
        decoder = _decoder(stream)
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets)
                frames = decoder.decode(packet if packet.size else None)
            except StopIteration:
                return
            except av.error.EOFError:
                return
            except av.error.FFmpegError:
                self.broken += 1
                continue
            for frame in frames:
                if not frame.is_corrupt:
                    yield frame
                elif frame.time is None or frame.time - self.info.origin >= since:
                    self.broken += 1  # before that, a seek landed amid pictures that build on each other
            if not packet.size:
                return


def _decoder(stream: av.VideoStream) -> av.VideoCodecContext:
    """The stream's decoder; for VP9 with alpha libvpx's, since ffmpeg's own leaves alpha out."""
    if stream.metadata.get("alpha_mode") == "1" and stream.codec_context.name == "vp9":
        decoder: av.VideoCodecContext = av.VideoCodecContext.create("libvpx-vp9", "r")
        decoder.extradata = stream.codec_context.extradata
        return decoder
    return stream.codec_context


def _deinterlaced(frames: Iterator[av.VideoFrame], stream: av.VideoStream) -> Iterator[av.VideoFrame]:
    """Whole pictures out of half ones, at the film's own rate; progressive frames pass as they are."""
    graph: av.filter.Graph | None = None
    for frame in frames:
        if graph is None:
            graph = av.filter.Graph()
            graph.link_nodes(
                graph.add_buffer(template=stream, time_base=stream.time_base),
                graph.add("bwdif", "mode=send_frame:deint=interlaced"),
                graph.add("buffersink"),
            ).configure()
        graph.vpush(frame)
        yield from _pulled(graph)
    if graph is not None:
        graph.vpush(None)
        yield from _pulled(graph)


def _pulled(graph: av.filter.Graph) -> Iterator[av.VideoFrame]:
    while True:
        try:
            yield graph.vpull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return


def _upright(width: int, height: int, aspect: Fraction, rotation: int) -> Size:
    """The shown size: pixels made square by enlarging, then turned."""
    wide = round(width * aspect) if aspect > 1 else width
    high = round(height / aspect) if aspect < 1 else height
    return Size(wide, high) if rotation % 180 else Size(high, wide)


def plain_rate(rate: Fraction) -> Fraction:
    """`rate` as the common one it stands for, when a coarse clock blurred it; else with a short fraction."""
    for common in _COMMON_RATES:
        if abs(rate / common - 1) < Fraction(1, 5000):
            return common
    return rate.limit_denominator(1001)


def _parse_clock(text: str) -> Fraction:
    """`00:00:04.000000000`, as Matroska tags write it."""
    hours, minutes, seconds = text.strip().split(":")
    return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
