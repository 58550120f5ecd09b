"""What was heard of a song, for eyes and ears: a chart, a table of beats, and the song with clicks on them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from pipeline.disk import write_whole
from pipeline.errors import MediaError, reason_of
from pipeline.frame import from_array
from pipeline.media.chart import Canvas, Panel, draw_chart
from pipeline.media.hearing import samples
from pipeline.media.picture import write_png
from pipeline.media.sound import Soundtrack
from pipeline.signals import STEPS, Signals

_RATE = 44_100
_MOST_POINTS = 4000  # across a chart
_CLICK_HERTZ, _BAR_HERTZ, _CLICK_SECONDS = 1000.0, 1500.0, 0.03
_PANELS = (
    ("loud", "the whole"),
    ("low", "30 to 250 Hz"),
    ("mid", "250 to 2000 Hz"),
    ("high", "2 to 16 kHz"),
    ("kick", "hits in 30 to 120 Hz"),
    ("snare", "hits in 150 to 6000 Hz"),
    ("hat", "hits in 7 to 16 kHz"),
)


def chart(title: str, signals: Signals) -> Canvas:
    """All levels over time, with the beats as ticks and the sections as lines, (H, W, 3) RGB."""
    stride = max(1, round(signals.seconds * STEPS / _MOST_POINTS))
    panels = []
    for stem, part in {"": signals.song, **signals.stems}.items():
        for name, note in _PANELS if not stem else _PANELS[:1]:
            values = _highest(part.levels[name], stride)
            seconds = np.arange(len(values)) * stride / STEPS
            shown = f"{stem}.{name}" if stem else name
            panels.append(Panel(shown, note, seconds.tolist(), values.tolist(), ticks=signals.beats.tolist()))
    return draw_chart(title, panels, lines=signals.sections[1:].tolist())


def _highest(values: NDArray[np.float32], stride: int) -> NDArray[np.float32]:
    padded = np.pad(values, (0, -len(values) % stride), mode="edge") if len(values) else np.zeros(1, np.float32)
    return np.asarray(padded.reshape(-1, stride).max(1))


def write_chart(title: str, signals: Signals, path: Path) -> None:
    """Raises MediaError."""
    write_png(from_array(chart(title, signals)), path)


def write_beats(signals: Signals, path: Path) -> None:
    """Every beat as a line of `time,beat,bar`: seconds, and the numbers of beat and bar from 0. Raises MediaError."""
    lines = ["time,beat,bar"]
    lines += [f"{time:.4f},{number},{number // signals.meter}" for number, time in enumerate(signals.beats)]
    _write(path, ("\n".join(lines) + "\n").encode())


def write_clicks(sound: Soundtrack, signals: Signals, path: Path) -> None:
    """The song, in one channel, with a click on every beat, a higher one on every bar. Raises MediaError."""
    heard = np.concatenate([np.zeros(0, np.float32), *samples(sound, _RATE)]) * np.float32(0.6)
    for number, time in enumerate(signals.beats):
        click = _click(_BAR_HERTZ if number % signals.meter == 0 else _CLICK_HERTZ)
        start = round(float(time) * _RATE)
        if 0 <= start < len(heard):
            end = min(len(heard), start + len(click))
            heard[start:end] += click[: end - start]
    write_sound(np.clip(heard, -1, 1), path)


def _click(hertz: float) -> NDArray[np.float32]:
    t = np.arange(round(_CLICK_SECONDS * _RATE)) / _RATE
    return np.asarray(0.4 * np.sin(2 * np.pi * hertz * t) * np.exp(-t / 0.006), np.float32)


def write_sound(heard: NDArray[np.float32], path: Path, bit_rate: int | None = None) -> None:
    """Write samples (N,) of one channel at 44,100 a second; the file's name says its kind. Raises MediaError."""
    try:
        with av.open(str(path), "w") as target:
            codec = target.default_audio_codec
            stream = target.add_stream(codec, rate=_RATE, layout="mono")
            assert isinstance(stream, av.AudioStream)
            if bit_rate is not None:
                stream.bit_rate = bit_rate
            frame = av.AudioFrame.from_ndarray(heard[None], format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = _RATE, 0, Fraction(1, _RATE)
            resampler = av.AudioResampler(stream.format, "mono", _RATE, stream.frame_size or None)
            for part in [*resampler.resample(frame), *resampler.resample(None)]:
                target.mux(stream.encode(part))
            target.mux(stream.encode(None))
    except (OSError, ValueError, av.error.FFmpegError) as error:
        raise MediaError(f"can't write {path}: {reason_of(error)}; end its name in .wav, .flac or .mp3") from error


def _write(path: Path, data: bytes) -> None:
    try:
        write_whole(path, data)
    except OSError as error:
        raise MediaError(f"can't write {path}: {error.strerror}; name another file") from error
