"""Sound decoded, laid on a film's clock, brought to its pace, and encoded as AAC, or for WebM as Opus."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import chain

import av
import av.error
import av.filter

from pipeline.media.soundclock import TimedPackets

Step = tuple[str, str]
"""A filter of ffmpeg's and its options."""

# What AAC has a layout for, by the number of channels; any other is mixed down to stereo.
_LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 8: "7.1"}
_BITS_PER_CHANNEL = 96_000
_USUAL_RATE = 48_000
# Decoders may need so much before the first sample that is right.
_LEAD_SECONDS = 1
# Where a file's clock and its samples are further apart, silence fills the gap, or samples go; below, it is noise.
_DRIFT_SECONDS = 0.03


def encoded(
    packets: TimedPackets,
    target: av.container.OutputContainer,
    since: Fraction,
    seconds: Fraction,
    speed: Fraction,
) -> Iterator[av.Packet[av.AudioStream]]:
    """Packets of AAC, or in WebM of Opus, `seconds` long, from others; none when nothing sounds in that time.

    The film begins at the packets' time `since`; where the sound begins later or has gaps, there is silence. The
    stream for them is added to `target`. Raises FFmpegError.
    """
    frames = decoded(packets, since, since + seconds * speed)
    first = next(frames, None)
    if first is None:
        return
    web = target.format.name == "webm"
    rate = first.sample_rate if first.sample_rate in _aac_rates() and not web else _USUAL_RATE
    layout = _LAYOUTS.get(first.layout.nb_channels if not web else min(2, first.layout.nb_channels), "stereo")
    stream = target.add_stream("libopus" if web else "aac", rate=rate, layout=layout)
    stream.bit_rate = _BITS_PER_CHANNEL * stream.layout.nb_channels
    stream.codec_context.flags |= av.codec.context.Flags.bitexact
    steps = (
        ("aresample", f"async=1:first_pts=0:min_hard_comp={_DRIFT_SECONDS}"),
        ("atrim", f"end={float(seconds * speed):.6f}"),
        *tempo(speed, first.sample_rate),
        ("aformat", f"sample_fmts={'flt' if web else 'fltp'}:sample_rates={rate}:channel_layouts={layout}"),
    )
    for frame in filtered(chain((first,), frames), steps):
        yield from stream.encode(frame)
    yield from stream.encode(None)


def _aac_rates() -> list[int]:
    rates = av.Codec("aac", "w").audio_rates
    return [] if rates is None else rates


def tempo(speed: Fraction, rate: int) -> list[Step]:
    """ffmpeg's tempo filter, several where one does not reach; the pitch stays."""
    if speed == 1:
        return []
    factors = []
    while speed > 2:
        factors.append(Fraction(2))
        speed /= 2
    while speed < Fraction(1, 2):
        factors.append(Fraction(1, 2))
        speed *= 2
    steps = [("atempo", f"{float(factor):.9g}") for factor in (*factors, speed)]
    # It moves a clap by up to its window, a 24th of a second of samples. Told half the rate it takes half of them.
    return [("asetrate", str(rate // 2)), *steps, ("asetrate", str(rate))]


def decoded(packets: TimedPackets, since: Fraction, until: Fraction) -> Iterator[av.AudioFrame]:
    """Frames whose times count from `since`, in samples; what can't be decoded is left out."""
    decoder: av.AudioCodecContext | None = None
    end = Fraction(0)
    for packet, begins in chain(packets, [(None, Fraction(0))]):
        if packet is not None and begins < since - _LEAD_SECONDS:
            continue
        if packet is None or begins >= until:
            packet = None  # the decoder gives what it still holds
        elif decoder is None:
            assert isinstance(packet.stream, av.AudioStream)
            decoder, end = packet.stream.codec_context, begins - since
        frames = []
        if decoder is not None:
            with contextlib.suppress(av.error.FFmpegError):
                frames = decoder.decode(packet)
        for frame in frames:
            time = end
            if frame.pts is not None and frame.time_base is not None:
                time = frame.pts * frame.time_base - since
            frame.time_base = Fraction(1, frame.sample_rate)
            frame.pts = round(time * frame.sample_rate)
            end = time + Fraction(frame.samples, frame.sample_rate)
            yield frame
        if packet is None:
            return


def filtered(frames: Iterator[av.AudioFrame], steps: Sequence[Step]) -> Iterator[av.AudioFrame]:
    """What a row of filters makes of frames, the first of which says what the others are brought to."""
    first = next(frames)
    graph = _graph(first, steps)
    for frame in chain((first,), _like(first, frames), (None,)):
        graph.push(frame)
        yield from _pulled(graph)


def _graph(first: av.AudioFrame, steps: Sequence[Step]) -> av.filter.Graph:
    graph = av.filter.Graph()
    source = graph.add_abuffer(
        sample_rate=first.sample_rate, format=first.format, layout=first.layout, time_base=first.time_base
    )
    graph.link_nodes(source, *(graph.add(name, options) for name, options in steps), graph.add("abuffersink"))
    graph.configure()
    return graph


def _like(first: av.AudioFrame, frames: Iterator[av.AudioFrame]) -> Iterator[av.AudioFrame]:
    """Frames as the first one is: a broadcast may go over from stereo to 5.1, or to another rate."""
    before, resampler = _shape(first), None
    for frame in frames:
        if _shape(frame) != before:
            before = _shape(frame)
            resampler = av.AudioResampler(first.format, first.layout, first.sample_rate)
        yield from (frame,) if before == _shape(first) or resampler is None else resampler.resample(frame)


def _shape(frame: av.AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


def _pulled(graph: av.filter.Graph) -> Iterator[av.AudioFrame]:
    while True:
        try:
            frame = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        assert isinstance(frame, av.AudioFrame)
        yield frame
