"""Where sounds begin: how much louder the bands grow from step to step."""

from __future__ import annotations

import numpy as np

from pipeline.listen.spectra import STEPS, Matrix, band_edges
from pipeline.times import Array

_LAG = 2  # steps
_STRETCH = 20_000  # steps that are worked on at once: an hour of sound is large
_LOCAL_SECONDS = 6.0
_FAINT = 1e-3  # of the loudest band there is: what lies below is silence
# Feet go by the drums and the bass, whatever hiss there is; the borders are hertz.
_PARTS = ((0.0, 200.0, 2.0), (200.0, 2500.0, 1.0), (2500.0, 1e9, 0.5))
_LATE_SECONDS = 0.005  # a window sees what begins before its middle is there; measured on clicks and drums


def beat_strength(bands: Matrix) -> Array:
    """(N,) how strongly each step, of band densities (N, 80), asks for a beat."""
    low = band_edges()[:-1]
    parts = [weight * onset_strength(bands[:, (low >= a) & (low < b)]) for a, b, weight in _PARTS]
    return np.asarray(sum(parts), np.float64)


def onset_strength(bands: Matrix) -> Array:
    """(N,) how strongly something begins at each step, from band densities (N, B). Source: Boeck, Widmer 2013.

    Each band is compared with the loudest of itself and its neighbours `_LAG` steps before, so that vibrato counts for
    nothing. Quiet passages count as much as loud ones.
    """
    if not bands.size:
        return np.zeros(len(bands))
    scale = 1 / max(_FAINT * float(np.sqrt(bands.max())), 1e-12)
    starts = range(0, len(bands), _STRETCH)
    return _levelled(np.concatenate([_rise(bands, start, start + _STRETCH, scale) for start in starts]))


def _rise(bands: Matrix, start: int, end: int, scale: float) -> Array:
    """How much the bands grow on average, as logarithms, at steps from `start` to `end`; silence comes before all."""
    lead = max(0, _LAG - start)
    level = np.log1p(np.sqrt(bands[max(0, start - _LAG) : end]) * np.float32(scale))
    level = np.pad(level, ((lead, 0), (0, 0)))
    wide = np.pad(level, ((0, 0), (1, 1)), mode="edge")
    before = np.maximum(np.maximum(wide[:, :-2], wide[:, 1:-1]), wide[:, 2:])
    return np.asarray(np.maximum(level[_LAG:] - before[:-_LAG], 0).mean(1, dtype=np.float64))


def _levelled(rise: Array) -> Array:
    """Less what goes on all the time, and measured by what is usual around."""
    above = np.maximum(rise - moving_mean(rise, 1.0), 0)
    usual = np.sqrt(moving_mean(np.square(above), _LOCAL_SECONDS))
    floor = 0.05 * float(usual.max(initial=0.0))
    return above / np.maximum(usual, max(floor, 1e-9))


def moving_mean(values: Array, seconds: float) -> Array:
    """(N,) the mean over `seconds` around each step, over less at both ends."""
    half = max(1, round(seconds * STEPS / 2))
    total = np.concatenate([[0.0], np.cumsum(values)])
    end = np.minimum(np.arange(len(values)) + half + 1, len(values))
    start = np.maximum(np.arange(len(values)) - half, 0)
    mean: Array = (total[end] - total[start]) / (end - start)
    return mean


def peaks(strength: Array, least: float, apart: float) -> Array:
    """The times in seconds of peaks of at least `least`, `apart` seconds from any stronger one, between two steps."""
    if len(strength) < 3:
        return np.empty(0)
    found = np.flatnonzero((strength[1:-1] >= strength[:-2]) & (strength[1:-1] > strength[2:])) + 1
    found = found[strength[found] >= least]
    kept = np.zeros(len(strength), bool)
    reach = max(1, round(apart * STEPS))
    for step in found[np.argsort(-strength[found], kind="stable")]:
        if not kept[max(0, step - reach) : step + reach + 1].any():
            kept[step] = True
    return at_summit(strength, np.flatnonzero(kept).astype(np.float64))


def at_summit(strength: Array, steps: Array) -> Array:
    """Seconds of the summit near each of `steps`, by the parabola through three values."""
    strength = np.pad(strength, 1)
    middle = np.clip(np.rint(steps).astype(np.int64) + 1, 1, len(strength) - 2)
    low, here, high = strength[middle - 1], strength[middle], strength[middle + 1]
    bend = low - 2 * here + high
    shift = np.where(bend < 0, 0.5 * (low - high) / np.where(bend < 0, bend, 1), 0)
    seconds: Array = (middle - 1 + np.clip(shift, -0.5, 0.5)) / STEPS + _LATE_SECONDS
    return seconds
