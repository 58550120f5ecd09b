"""What a film's sound says at every moment, for curves to follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Matrix = NDArray[np.float16]

STEPS = 100
"""a second, of everything that is sampled"""
COUNTS = ("beat", "bar", "since_beat", "since_onset", "section")
LEVELS = ("loud", "low", "mid", "high", "kick", "snare", "hat")
NAMES = (*COUNTS, *LEVELS)
PITCHES = 12
_NEVER = 1e6  # seconds since something that has not been yet


@dataclass(frozen=True)
class Part:
    """One recording: the song itself, or a stem. Row n of what is sampled belongs to n/100 s.

    `levels` are (N,) in [0, 1] by the names in `LEVELS`; `bands` (N, 80) are fourth roots of power densities between
    `edges` (81,) in hertz, `chroma` (N, 12) shares of the pitch classes from C on; `onsets` (K,) are seconds.
    """

    levels: Mapping[str, NDArray[np.float32]]
    bands: Matrix
    edges: Array
    chroma: Matrix
    onsets: Array


@dataclass(frozen=True, eq=False)
class Signals:
    """A song as curves hear it. Two are equal if their `digest` is: that of the files and of how they were read.

    `beats` (B,) and `sections` (S,) are seconds: the first beat is number 0, and a section begins at 0.
    """

    digest: str
    seconds: float
    """how long it lasts"""
    bpm: float
    """beats a minute, on average; 0: no beat was found"""
    guesses: tuple[float, ...]
    """other tempi it might be read as"""
    steady: bool
    """whether the beats lie on a straight line"""
    beats: Array
    meter: int
    """beats in a bar"""
    sections: Array
    song: Part
    stems: Mapping[str, Part] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Signals) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def part(self, stem: str | None) -> Part:
        """The song, or one of its stems."""
        return self.song if stem is None else self.stems[stem]

    def value(self, name: str, seconds: Array, stem: str | None = None) -> Array:
        """The signal of a name in `NAMES` at times (N,)."""
        part = self.part(stem)
        match name:
            case "beat":
                return self.beat(seconds)
            case "bar":
                return self.beat(seconds) / self.meter
            case "since_beat":
                return self._since_beat(seconds)
            case "since_onset":
                return _since(part.onsets, seconds)
            case "section":
                begun = np.searchsorted(self.sections, seconds + 1e-6, side="right").astype(np.float64)
                return np.maximum(begun - 1, 0.0)
        return _sampled(part.levels[name], seconds)

    def beat(self, seconds: Array) -> Array:
        """The number of the beat at times (N,), between two beats a fraction; before the first below 0."""
        if len(self.beats) < 2:
            return np.zeros_like(seconds)
        numbers = np.interp(seconds, self.beats, np.arange(len(self.beats)))
        first, last = self.beats[1] - self.beats[0], self.beats[-1] - self.beats[-2]
        numbers = np.where(seconds < self.beats[0], (seconds - self.beats[0]) / first, numbers)
        beyond = len(self.beats) - 1 + (seconds - self.beats[-1]) / last
        return np.asarray(np.where(seconds > self.beats[-1], beyond, numbers), np.float64)

    def time_of_beat(self, number: float) -> float:
        """When a beat is, in seconds; before the first and behind the last as if they went on."""
        beats = self.beats
        last = len(beats) - 1
        if number < 0:
            return float(beats[0] + number * (beats[1] - beats[0]))
        if number > last:
            return float(beats[-1] + (number - last) * (beats[-1] - beats[-2]))
        return float(np.interp(number, np.arange(len(beats)), beats))

    def sections_passed(self, seconds: Array) -> Array:
        """How many sections have passed at times (N,), within one a fraction; the last has no end."""
        return np.interp(seconds, self.sections, np.arange(len(self.sections), dtype=np.float64))

    def time_of_sections(self, numbers: Array) -> Array:
        """When so many sections (N,) have passed, in seconds."""
        return np.interp(numbers, np.arange(len(self.sections)), self.sections)

    def _since_beat(self, seconds: Array) -> Array:
        if len(self.beats) < 2:
            return np.full_like(seconds, _NEVER)
        number = np.floor(self.beat(seconds) + 1e-9)
        inner = np.clip(number, 0, len(self.beats) - 1)
        begun = np.interp(inner, np.arange(len(self.beats)), self.beats)
        first, last = self.beats[1] - self.beats[0], self.beats[-1] - self.beats[-2]
        begun = begun + np.where(number < inner, (number - inner) * first, (number - inner) * last)
        return np.asarray(np.maximum(seconds - begun, 0.0), np.float64)

    def band(self, low: float, high: float, seconds: Array, stem: str | None = None) -> Array:
        """How loud it is between two frequencies in hertz, in [0, 1] over the song, at times (N,)."""
        part = self.part(stem)
        heard = shares(part.edges, low, high)
        used = heard > 0
        power = part.bands[:, used].astype(np.float64) ** 4 @ heard[used]
        return _sampled(relative(loudness(power)), seconds)

    def chroma(self, pitch: float, seconds: Array, stem: str | None = None) -> Array:
        """How strong a pitch class is, 0 for C to 11 for B, in [0, 1] over the song, at times (N,)."""
        return _sampled(relative(self.part(stem).chroma[:, int(pitch) % PITCHES].astype(np.float64)), seconds)


def shares(edges: Array, low: float, high: float) -> Array:
    """(B,) how many hertz of each band lie between `low` and `high`."""
    inside = np.minimum(edges[1:], high) - np.maximum(edges[:-1], low)
    found: Array = np.maximum(inside, 0.0)
    return found


def loudness(power: NDArray[np.floating]) -> Array:
    """Power as ears take it: ten times as much is twice as loud (Stevens 1957)."""
    felt: Array = np.power(np.maximum(np.asarray(power, np.float64), 0.0), 0.3)
    return felt


def relative(values: Array, low: float = 5, high: float = 95) -> Array:
    """Values (N,) as shares of the way between two of their percentiles, from 0 to 1; all 0 where nothing changes."""
    if not len(values):
        return values
    bottom, top = np.percentile(values, [low, high])
    if top - bottom <= 1e-9 * max(abs(float(top)), 1e-30):
        return np.zeros_like(values)
    within: Array = np.clip((values - bottom) / (top - bottom), 0.0, 1.0)
    return within


def _sampled(values: NDArray[np.floating], seconds: Array) -> Array:
    """Between the samples in a straight line; nothing before the first and behind the last."""
    if not len(values):
        return np.zeros_like(seconds)
    found: Array = np.interp(seconds * STEPS, np.arange(len(values)), values, left=0.0, right=0.0)
    return found


def _since(events: Array, seconds: Array) -> Array:
    if not len(events):
        return np.full_like(seconds, _NEVER)
    last = np.searchsorted(events, seconds + 1e-6, side="right") - 1
    passed: Array = np.maximum(seconds - events[np.maximum(last, 0)], 0.0)
    return np.asarray(np.where(last >= 0, passed, _NEVER), np.float64)
