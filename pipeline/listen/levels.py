"""The levels that curves follow: how loud it is, in whole and in parts, and how hard the drums are hit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pipeline.curves.shapers import decay
from pipeline.listen.onsets import onset_strength, peaks
from pipeline.listen.spectra import STEPS, Matrix, Spectra, band_edges
from pipeline.ops.smoothstep import smoothstep
from pipeline.signals import Part, loudness, relative, shares
from pipeline.times import Array

# Hertz. The voices in the middle belong to no drum.
_RANGES = {"low": (30.0, 250.0), "mid": (250.0, 2000.0), "high": (2000.0, 16_000.0)}
# A snare is heard by its hiss, where hats are faint, and only what is far louder than they are counts. Of hiss, which
# is in all bands at once, the median grows; a note is in few of them.
_DRUMS: dict[str, tuple[float, float, float, Callable[[Matrix], NDArray[np.float32]]]] = {
    "kick": (30.0, 150.0, 0.25, lambda grown: grown.mean(1)),
    "snare": (1200.0, 5000.0, 0.4, lambda grown: np.asarray(np.median(grown, 1))),
    "hat": (7000.0, 16_000.0, 0.25, lambda grown: np.asarray(np.median(grown, 1))),
}
_SMOOTH_SECONDS = 0.06  # so that no level trembles with the wave itself
_RELEASE_SECONDS = 0.08  # in which a drum's level falls by half: longer than a frame, so that none misses it
_LEAST_ONSET, _ONSETS_APART = 0.35, 0.05  # of the strongest usual one; seconds
_HIT_LAG = 3  # steps


def part_of(spectra: Spectra) -> Part:
    """What curves may follow of a recording with these spectra."""
    bands, edges = spectra.bands, band_edges()
    levels = {"loud": relative(_smooth(loudness(spectra.power)))}
    for name, (low, high) in _RANGES.items():
        levels[name] = relative(_smooth(loudness(bands @ shares(edges, low, high))))
    for name, (low, high, floor, together) in _DRUMS.items():
        levels[name] = _released(_hits(together(_growth(bands, edges, low, high))), floor)
    strength = onset_strength(bands)
    onsets = peaks(strength, _LEAST_ONSET * _usual_peak(strength), _ONSETS_APART)
    # Halves of the digits are enough for curves, and of the space in a run.
    kept = {name: values.astype(np.float32) for name, values in levels.items()}
    return Part(kept, (bands**0.25).astype(np.float16), edges, spectra.chroma.astype(np.float16), onsets)


def _smooth(values: Array) -> Array:
    """A Hann window's mean, centred: nothing comes late."""
    if not len(values):
        return values
    window = np.hanning(round(2 * _SMOOTH_SECONDS * STEPS) + 1)
    return np.convolve(np.pad(values, len(window) // 2, mode="edge"), window / window.sum(), "valid")


def _growth(bands: Matrix, edges: Array, low: float, high: float) -> Matrix:
    """(N, B) how much louder each band between two frequencies became.

    Not as logarithms: a kick over a bass that sounds already is as hard a hit as one out of silence.
    """
    amplitude = np.sqrt(bands[:, shares(edges, low, high) > 0])
    before = np.pad(amplitude, ((_HIT_LAG, 0), (0, 0)))[: len(amplitude)]
    return np.asarray(np.maximum(amplitude - before, 0))


def _hits(grown: NDArray[np.float32]) -> Array:
    """(N,) how hard something hits; 1 where as hard as usual, or harder."""
    strength = grown.astype(np.float64)
    return np.asarray(np.minimum(strength / max(_usual_peak(strength), 1e-12), 1.0))


def _released(hits: Array, floor: float) -> Array:
    """Up at once at a hit, then down by half every `_RELEASE_SECONDS`; those below `floor` are other drums."""
    clear = smoothstep(np.clip((hits - floor) / (1 - floor), 0, 1))
    return decay(clear, _RELEASE_SECONDS)


def _usual_peak(strength: Array) -> float:
    """How strong the strong onsets are: few peaks are stronger."""
    if len(strength) < 3:
        return 0.0
    found = strength[1:-1][(strength[1:-1] >= strength[:-2]) & (strength[1:-1] > strength[2:])]
    found = found[found > 0.1 * found.max()] if len(found) else found
    return float(np.percentile(found, 96)) if len(found) else 0.0
