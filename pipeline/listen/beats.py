"""Beats: where people would tap, by dynamic programming, and on a straight line where the song keeps time."""

from __future__ import annotations

import numpy as np

from pipeline.listen.onsets import at_summit
from pipeline.listen.spectra import STEPS
from pipeline.listen.tempo import Tempi
from pipeline.times import Array

_TIGHTNESS = 120.0
_STEADY_SECONDS = 0.015  # a song keeps time whose beats are no further from a line, in the root of the mean square
_FAINT = 0.1  # of what is usual: the first and the last beat are at least so strong


def find_beats(strength: Array, tempi: Tempi) -> Array:
    """The times in seconds of the beats of an onset strength (N,). Source: Ellis 2007, with a tempo that may change."""
    if len(strength) < 3 or not strength.any():
        return np.empty(0)
    steps = _tracked(_blurred(strength), 60 * STEPS / _tempo_at(tempi, len(strength)))
    steps = _sounding(steps, strength)
    return at_summit(strength, steps) if len(steps) else np.empty(0)


def _tempo_at(tempi: Tempi, steps: int) -> Array:
    """(N,) beats a minute."""
    return np.interp(np.arange(steps) / STEPS, tempi.seconds, tempi.bpm)


def _blurred(strength: Array) -> Array:
    kernel = np.exp(-0.5 * np.square(np.arange(-4, 5) / 1.5))
    return np.convolve(strength, kernel / kernel.sum(), "same") / max(float(strength.std()), 1e-9)


def _tracked(strength: Array, period: Array) -> Array:
    """The steps of the row of beats with the most strength whose distances are nearest to the period."""
    total, came = strength.copy(), np.full(len(strength), -1)
    for step in range(len(strength)):
        here = period[step]
        first, last = step - int(2 * here), step - int(here / 2)
        if last <= 0:
            continue
        first = max(0, first)
        before = np.arange(first, last)
        ways = total[first:last] - _TIGHTNESS * np.square(np.log((step - before) / here))
        best = int(ways.argmax())
        if ways[best] > 0:
            total[step] += ways[best]
            came[step] = first + best
    last_period = int(period[-1]) + 1
    step = int(total[-last_period:].argmax()) + max(0, len(total) - last_period)
    row = []
    while step >= 0:
        row.append(step)
        step = int(came[step])
    return np.array(row[::-1], np.float64)


def _sounding(steps: Array, strength: Array) -> Array:
    """Without the beats before the first and behind the last that can be heard."""
    near = np.array([strength[max(0, int(s) - 3) : int(s) + 4].max(initial=0.0) for s in steps])
    heard = np.flatnonzero(near >= _FAINT * max(float(np.median(near)), 1e-9))
    return steps[heard[0] : heard[-1] + 1] if len(heard) else steps[:0]


def straightened(beats: Array, period: float | None = None) -> tuple[float, float] | None:
    """The first beat and the time between two of a song that keeps time, in seconds; None: it does not.

    A line through the beats, by their numbers, without those far from it; with a told `period` always one of that.
    """
    if period is not None:
        turns = beats / period * 2 * np.pi
        phase = float(np.arctan2(np.sin(turns).sum(), np.cos(turns).sum())) / (2 * np.pi) if len(beats) else 0.0
        return phase % 1 * period, period
    if len(beats) < 4:
        return None
    numbers = _numbered(beats)
    trusted = np.ones(len(beats), bool)
    for _ in range(3):
        slope, start = np.polyfit(numbers[trusted], beats[trusted], 1)
        away = np.abs(beats - (start + slope * numbers))
        trusted = away <= max(0.04, 3 * float(np.median(away)))
        if trusted.sum() < max(4, 0.6 * len(beats)):
            return None
    if float(np.sqrt(np.square(away[trusted]).mean())) > _STEADY_SECONDS:
        return None
    return float(start), float(slope)


def _numbered(beats: Array) -> Array:
    """The number of each beat from the first on; where one was missed, two further."""
    gaps = np.diff(beats)
    usual = np.array([np.median(gaps[max(0, i - 4) : i + 5]) for i in range(len(gaps))])
    return np.concatenate([[0.0], np.cumsum(np.maximum(1, np.rint(gaps / usual)))])
