"""Songs whose beats are known: clicks, or a small band of drums, hats and chords."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.media.ffmpeg import ffmpeg_program

RATE = 44_100
Samples = NDArray[np.float32]
Times = NDArray[np.float64]


def steady(bpm: float, seconds: float, first: float = 0.37) -> Times:
    """The beats of a song that keeps time."""
    return np.arange(first, seconds, 60 / bpm)


def drifting(slow: float, fast: float, seconds: float, first: float = 0.5) -> Times:
    """The beats of a song that grows faster."""
    beats = [first]
    while beats[-1] < seconds - 1:
        beats.append(beats[-1] + 60 / (slow + (fast - slow) * beats[-1] / seconds))
    return np.array(beats)


def clicks(beats: Times, seconds: float) -> Samples:
    """A click of 10 ms on every beat."""
    t = np.arange(round(0.01 * RATE)) / RATE
    return _laid([(float(beat), 0.8 * np.sin(2 * np.pi * 1000 * t) * np.exp(-t / 0.003)) for beat in beats], seconds)


def band(beats: Times, seconds: float, swing: float = 0.5, meter: int = 4) -> Samples:
    """Kick, snare, hats in eighths, and a chord a bar."""
    hits: list[tuple[float, NDArray[np.float64]]] = []
    chords = ((220, 262, 330), (175, 220, 262), (262, 330, 392), (196, 247, 294))
    for index, (beat, after) in enumerate(zip(beats, [*beats[1:], 2 * beats[-1] - beats[-2]], strict=True)):
        place = index % meter
        if place == 0:
            hits.append((beat, _chord(chords[index // meter % 4], meter * (after - beat))))
        hits += [(beat, _kick())] if place == 0 or (place == 2 and meter == 4) else []
        hits += [(beat, _noise(0.15, 0.35, index))] if (place % 2 if meter == 4 else place) else []
        hits += [(beat, _noise(0.04, 0.2, index + 1000))]
        hits += [(beat + swing * (after - beat), _noise(0.04, 0.15, index + 2000))]
    return 0.7 * _laid(hits, seconds)


def _laid(hits: Sequence[tuple[float, NDArray[np.float64]]], seconds: float) -> Samples:
    track = np.zeros(round(seconds * RATE), np.float32)
    for at, sound in hits:
        start = round(at * RATE)
        end = min(len(track), start + len(sound))
        track[start:end] += sound[: max(0, end - start)].astype(np.float32)
    return track


def _chord(notes: Sequence[float], seconds: float) -> NDArray[np.float64]:
    t = np.arange(round(seconds * RATE)) / RATE
    return sum((0.06 * np.sin(2 * np.pi * note * t) for note in notes), np.zeros(len(t))) * np.minimum(1, t / 0.3)


def _kick() -> NDArray[np.float64]:
    t = np.arange(round(0.25 * RATE)) / RATE
    return 0.9 * np.sin(2 * np.pi * (50 * t + 4 * (1 - np.exp(-t * 30)))) * np.exp(-t / 0.08)


def _noise(seconds: float, level: float, seed: int) -> NDArray[np.float64]:
    t = np.arange(round(seconds * RATE)) / RATE
    return level * np.random.default_rng(seed).standard_normal(len(t)) * np.exp(-t * 5 / seconds)


def write_song(path: Path, song: Samples, *options: str) -> Path:
    """The song in a file, of the kind that its name or ffmpeg's options say."""
    command = [ffmpeg_program(), "-v", "error", "-y", "-f", "f32le", "-ar", str(RATE), "-ac", "1", "-i", "-"]
    subprocess.run([*command, *options, str(path)], input=song.astype(np.float32).tobytes(), check=True)
    return path


def agreement(found: Times, true: Times, window: float = 0.07) -> tuple[float, float]:
    """The F-measure of found beats against the true ones (Davies et al. 2009), and the mean error in seconds."""
    errors, free = [], set(range(len(true)))
    for beat in found:
        near = min(free, key=lambda index: abs(true[index] - beat), default=None)
        if near is not None and abs(true[near] - beat) <= window:
            errors.append(beat - true[near])
            free.remove(near)
    return 2 * len(errors) / max(1, len(found) + len(true)), float(np.mean(errors)) if errors else np.inf
