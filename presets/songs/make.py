"""The song that ships, out of nothing but numpy: `python presets/songs/make.py` writes glasshouse.m4a beside itself.

96 beats a minute, 24 bars, one minute: four bars of chimes and pad, eight with kick and bass, four of rest, eight with
everything.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float64]

RATE, BEAT, BARS = 44_100, 0.625, 24
BAR = 4 * BEAT
# Notes as MIDI counts them: a chord a bar, and the bass below it.
CHORDS = ((57, 60, 64, 67, 71), (53, 57, 60, 64, 67), (48, 55, 60, 64, 71), (55, 59, 62, 66, 69))
ROOTS = (33, 29, 36, 31)
ARPEGGIO = (0, 2, 4, 3, 1, 4, 2, 3, 0, 3, 4, 2, 1, 2, 4, 3)
DRUMS, SNARE, REST = range(4, 24), (*range(8, 12), *range(16, 24)), range(12, 16)
chance = np.random.default_rng(7)


def hertz(note: float) -> float:
    return 440.0 * 2 ** ((note - 69) / 12)


def clock(seconds: float) -> Sound:
    return np.arange(round(seconds * RATE)) / RATE


def add(track: Sound, sound: Sound, at: float, pan: float = 0.0) -> None:
    """Lay a sound of one channel into a track (2, N); `pan` is -1 left to 1 right."""
    start = round(at * RATE)
    part = sound[: max(0, track.shape[1] - start)]
    sides = np.cos((np.array([pan, -pan]) + 1) * np.pi / 4)[:, None] * np.sqrt(2)
    track[:, start : start + len(part)] += sides * part


def pad(note: float) -> Sound:
    """Two detuned, dark saws that swell and overlap with the next bar."""
    t = clock(BAR + 1.2)
    voice = np.zeros_like(t)
    for detune in (-0.06, 0.05):
        phase = 2 * np.pi * hertz(note + detune) * t + chance.uniform(0, 6)
        bright = 0.5 + 0.3 * np.sin(2 * np.pi * 0.21 * t + note)
        voice += sum(np.sin(k * phase) / k * np.exp(-(k - 1) * (1.1 - 0.5 * bright)) for k in range(1, 9))
    return voice * np.minimum(1, t / 0.7) * np.clip((BAR + 1.2 - t) / 1.2, 0, 1)


def chime(note: float) -> Sound:
    t = clock(1.6)
    ring = sum(
        level * np.sin(2 * np.pi * hertz(note) * ratio * t) * np.exp(-t * fall)
        for ratio, level, fall in ((1, 1.0, 3.2), (2.0, 0.35, 5.5), (3.01, 0.18, 9.0), (5.4, 0.06, 16.0))
    )
    return ring * np.minimum(1, t / 0.004)


def bass(note: float, beats: float) -> Sound:
    t = clock(beats * BEAT)
    body = np.sin(2 * np.pi * hertz(note) * t) + 0.35 * np.sin(4 * np.pi * hertz(note) * t) * np.exp(-t * 4)
    return np.tanh(1.5 * body) * np.minimum(1, t / 0.01) * np.clip((t[-1] - t) / 0.05, 0, 1)


def kick() -> Sound:
    t = clock(0.4)
    pitch = 46 * t + (150 - 46) / 38 * (1 - np.exp(-38 * t))
    return np.sin(2 * np.pi * pitch) * np.exp(-t * 7.5) + 0.15 * chance.standard_normal(len(t)) * np.exp(-t * 220)


def snare() -> Sound:
    t = clock(0.35)
    hiss = chance.standard_normal(len(t))
    hiss[1:] -= 0.7 * hiss[:-1]
    return 0.5 * hiss * np.exp(-t * 17) + 0.5 * np.sin(2 * np.pi * 190 * t) * np.exp(-t * 24)


def hat(fall: float) -> Sound:
    t = clock(0.2)
    hiss = chance.standard_normal(len(t))
    for _ in range(3):
        hiss = np.diff(hiss, prepend=0.0)
    return hiss * np.exp(-t * fall) * 0.25


def ducked(track: Sound, hits: list[float], depth: float) -> Sound:
    """Less of a track where a kick wants room."""
    since = np.full(track.shape[1], 9.0)
    for hit in hits:
        start = round(hit * RATE)
        since[start:] = np.arange(track.shape[1] - start) / RATE
    return track * (1 - depth * np.exp(-since / 0.13))


def roomy(track: Sound, seconds: float, share: float) -> Sound:
    """A track with the echo of a large room."""
    t = clock(seconds * 2)
    echo = chance.standard_normal((2, len(t))) * np.exp(-t * 3.4 / seconds) * np.minimum(1, t / 0.02)
    length = 2 ** int(np.ceil(np.log2(track.shape[1] + len(t))))
    wet = np.fft.irfft(np.fft.rfft(track, length) * np.fft.rfft(echo, length), length)[:, : track.shape[1]]
    return track + share * wet * np.sqrt(np.square(track).mean() / np.square(wet).mean())


def song() -> Sound:
    """The whole, (2, N) in [-1, 1]."""
    shape = (2, round(BARS * BAR * RATE))
    pads, chimes, low, drums = (np.zeros(shape) for _ in range(4))
    kicks: list[float] = []
    for bar in range(BARS):
        start, chord, root = bar * BAR, CHORDS[bar % 4], ROOTS[bar % 4]
        for index, note in enumerate(chord):
            add(pads, pad(note), start, pan=(index - 2) * 0.3)
        for step, index in enumerate(ARPEGGIO):
            if bar in REST and step % 4:
                continue
            add(
                chimes, chime(chord[index] + 12 + 12 * (step % 8 == 6)), start + step * BEAT / 4, pan=0.5 * (-1) ** step
            )
        if bar in DRUMS and bar not in REST:
            for beat in range(4):
                kicks.append(start + beat * BEAT)
                add(drums, 1.0 * kick(), kicks[-1])
                add(drums, 0.35 * hat(38), start + (beat + 0.5) * BEAT, pan=0.25)
            for at, beats in ((0, 1.5), (1.5, 1), (2.5, 0.5), (3, 1)):
                add(low, bass(root + 12 * (at == 2.5), beats), start + at * BEAT)
        if bar in SNARE:
            for beat in (1, 3):
                add(drums, 0.6 * snare(), start + beat * BEAT)
            for step in range(16):
                add(drums, (0.22 if step % 4 else 0.1) * hat(70), start + step * BEAT / 4, pan=-0.3)
    mix = roomy(0.09 * ducked(pads, kicks, 0.55) + 0.13 * chimes, 1.8, 0.35)
    mix += 0.22 * ducked(low, kicks, 0.6) + 0.75 * drums
    fade = np.clip((BARS * BAR - np.arange(shape[1]) / RATE) / 2.5, 0, 1)
    return np.tanh(mix * 0.95) * fade / np.abs(np.tanh(mix * 0.95)).max() * 0.9


def main() -> None:
    target = Path(__file__).with_name("glasshouse.m4a")
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(),
        "-v",
        "error",
        "-y",
        "-f",
        "f32le",
        "-ar",
        str(RATE),
        "-ac",
        "2",
        "-i",
        "-",
    ]
    command += ["-c:a", "aac", "-b:a", "112k", "-fflags", "+bitexact", "-flags:a", "+bitexact", str(target)]
    subprocess.run(command, input=song().T.astype(np.float32).tobytes(), check=True)


if __name__ == "__main__":
    main()
