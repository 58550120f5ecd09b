"""A song, heard: from decoded samples to what curves follow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.listen.beats import find_beats, straightened
from pipeline.listen.levels import part_of
from pipeline.listen.onsets import beat_strength
from pipeline.listen.sections import find_sections
from pipeline.listen.spectra import STEPS, Spectra
from pipeline.listen.tempo import FASTEST, SLOWEST, Tempi, find_tempi
from pipeline.signals import Signals
from pipeline.times import Array

_LAST = 0.05  # seconds: what the end itself sounds like is no beat
_TOLD = 1.02  # how far from a tempo that the preset names its own may be, to find the beats by


@dataclass(frozen=True)
class Pace:
    """What a preset says of a song's tempo: bounds in beats a minute, both the same for an exact one; its first beat
    in seconds; beats in a bar."""

    slowest: float = SLOWEST
    fastest: float = FASTEST
    first_beat: float | None = None
    meter: int = 4

    @property
    def exact(self) -> float | None:
        """The tempo, where it is told."""
        return self.slowest if self.slowest == self.fastest else None


def heard(digest: str, song: Spectra, stems: dict[str, Spectra], pace: Pace) -> Signals:
    """What curves follow of a song with these spectra. `digest` tells it, and how it was read, from any other."""
    strength = beat_strength(song.bands)
    tempi, beats, steady = _beats(strength, pace)
    bpm = 60 / float(np.diff(beats).mean()) if len(beats) > 1 else 0.0
    guesses = tuple(round(bpm * guess / tempi.guesses[0], 3) for guess in tempi.guesses[1:]) if bpm else ()
    return Signals(
        digest=digest,
        seconds=len(song.power) / STEPS,
        bpm=bpm,
        guesses=guesses,
        steady=steady,
        beats=beats,
        meter=pace.meter,
        sections=find_sections(song, beats, pace.meter),
        song=part_of(song),
        stems={name: part_of(stem) for name, stem in stems.items()},
    )


def _beats(strength: Array, pace: Pace) -> tuple[Tempi, Array, bool]:
    """The tempi, the beats, and whether these lie on a line. A told tempo or first beat is kept to."""
    exact = pace.exact
    bounds = (pace.slowest, pace.fastest) if exact is None else (exact / _TOLD, exact * _TOLD)
    tempi = find_tempi(strength, *bounds)
    found = find_beats(strength, tempi)
    end = len(strength) / STEPS
    found = found[found < end - _LAST]
    line = straightened(found, None if exact is None else 60 / exact)
    if line is None:
        return tempi, found if pace.first_beat is None else found[found >= pace.first_beat - 0.05], False
    start, period = line
    if pace.first_beat is not None:
        return tempi, np.arange(pace.first_beat, max(end, pace.first_beat + 1.5 * period), period), True
    if not len(found):
        return tempi, np.arange(0.0, max(end, 1.5 * period), period), True
    first, last = (round((beat - start) / period) for beat in (found[0], found[-1]))
    return tempi, start + period * np.arange(first, last + 1), True
