"""How fast a song goes: the tempo at every second, and which others it could be read as."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.listen.spectra import STEPS
from pipeline.times import Array

SLOWEST, FASTEST = 40.0, 240.0  # beats a minute
_USUAL, _OCTAVES, _PRIOR = 120.0, 0.5, 0.2  # where people tap, how far from it (log-normal), and how much it counts
_MULTIPLES = 8
_WINDOW, _EVERY = 12.0, 1.0  # seconds
_PER_OCTAVE = 60  # tempi that are told apart
_STIFFNESS = 400.0  # against changes of tempo, for each octave squared and second


@dataclass(frozen=True)
class Tempi:
    """What a song's pulse says: `bpm` (M,) at `seconds` (M,), and `guesses`, the tempi of the whole, best first."""

    seconds: Array
    bpm: Array
    guesses: tuple[float, ...]


def find_tempi(strength: Array, slowest: float = SLOWEST, fastest: float = FASTEST) -> Tempi:
    """The tempi of an onset strength (N,), between two bounds in beats a minute."""
    grid = slowest * 2 ** (np.arange(int(np.log2(fastest / slowest) * _PER_OCTAVE) + 1) / _PER_OCTAVE)
    prior = -0.5 * _PRIOR * np.square(np.log2(grid / _USUAL) / _OCTAVES)
    whole = pulse(strength, grid) + prior
    starts = np.arange(0, max(1.0, len(strength) / STEPS - _WINDOW + _EVERY), _EVERY)
    local = np.stack([pulse(strength[int(s * STEPS) : int((s + _WINDOW) * STEPS)], grid) for s in starts])
    path = _smoothest(local + prior + 0.5 * whole, grid)
    return Tempi(starts + _WINDOW / 2, grid[path], _guesses(whole, grid))


def pulse(strength: Array, bpm: Array) -> Array:
    """(K,) how much alike an onset strength is, tempi (K,) of beats later; 1 at most."""
    if len(strength) < 2:
        return np.zeros(len(bpm))
    correlation = _autocorrelation(strength - strength.mean())
    lags = 60 * STEPS / bpm[:, None] * np.arange(1, _MULTIPLES + 1)
    alike: Array = np.interp(lags, np.arange(len(correlation)), correlation, right=0.0).mean(1)
    return alike


def _autocorrelation(values: Array) -> Array:
    """(N,) by lags from 0 on; 1 at 0. Each counts the pairs it has."""
    length = 2 ** int(np.ceil(np.log2(2 * len(values))))
    spectrum = np.fft.rfft(values, length)
    found = np.fft.irfft(np.square(np.abs(spectrum)), length)[: len(values)]
    return np.asarray(found / max(found[0], 1e-12), np.float64)


def _smoothest(score: Array, grid: Array) -> Array:
    """The indices of the tempi (M,) with the largest sum of scores (M, K), if changing costs."""
    octaves = np.log2(grid)
    cost = _STIFFNESS * np.square(octaves[:, None] - octaves[None, :]) / _EVERY
    total, came = score[0], []
    for row in score[1:]:
        ways = total[None, :] - cost
        came.append(ways.argmax(1))
        total = row + ways.max(1)
    path = [int(total.argmax())]
    for way in reversed(came):
        path.append(int(way[path[-1]]))
    return np.array(path[::-1])


def _guesses(score: Array, grid: Array) -> tuple[float, ...]:
    """The best tempi, no two within 4 % of each other."""
    found: list[float] = []
    for index in np.argsort(-score, kind="stable"):
        if all(abs(np.log2(grid[index] / other)) > 0.06 for other in found):
            found.append(float(grid[index]))
        if len(found) == 3:
            break
    return tuple(found)
