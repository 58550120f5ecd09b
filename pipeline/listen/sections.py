"""Where a song turns into something else: verse, chorus, break."""

from __future__ import annotations

import numpy as np

from pipeline.listen.spectra import STEPS, Spectra
from pipeline.times import Array

_FRAME, _SMOOTH = 0.5, 4  # seconds that are looked at as one; frames whose mean is taken
_KERNEL = 12.0  # seconds before and after a border that are compared
_HARMONY = 0.3  # how much chords count beside timbre: they change all the time
_LEAST_APART = 8.0
_CLEAR = 0.12  # of the clearest border there could be


def find_sections(spectra: Spectra, beats: Array, meter: int) -> Array:
    """The times in seconds at which sections begin, the first at 0, on the nearest bars. Source: Foote 2000."""
    novelty = _novelty(_features(spectra))
    found: list[float] = []
    for frame in np.argsort(-novelty, kind="stable"):
        second = frame * _FRAME
        if novelty[frame] < _CLEAR:
            break
        if second >= _LEAST_APART / 2 and all(abs(second - other) >= _LEAST_APART for other in found):
            found.append(float(second))
    return np.array([0.0, *sorted({_on_time(second, beats, meter) for second in found})])


def _on_time(second: float, beats: Array, meter: int) -> float:
    """The nearest bar, if one is near, else the nearest beat."""
    for candidates, near in ((beats[::meter], 1.0), (beats, _FRAME)):
        if len(candidates):
            nearest = float(candidates[np.abs(candidates - second).argmin()])
            if abs(nearest - second) <= near:
                return nearest
    return second


def _features(spectra: Spectra) -> Array:
    """(F, 92): timbre and harmony of half a second each, normalised over the song."""
    size = round(_FRAME * STEPS)
    count = len(spectra.bands) // size
    if count < 2:
        return np.zeros((0, 1))
    level = np.log(spectra.bands[: count * size] + 1e-9 * max(float(spectra.bands.max()), 1e-12))
    timbre = level.reshape(count, size, -1).mean(1)
    harmony = spectra.chroma[: count * size].reshape(count, size, -1).mean(1)
    parts = [
        weight * (part - part.mean(0)) / max(float(part.std()), 1e-6) / part.shape[1] ** 0.5
        for part, weight in ((timbre, 1.0), (harmony, _HARMONY))
    ]
    features = np.concatenate(parts, 1).astype(np.float64)
    padded = np.pad(features, ((_SMOOTH // 2, _SMOOTH - _SMOOTH // 2 - 1), (0, 0)), mode="edge")
    smooth: Array = np.lib.stride_tricks.sliding_window_view(padded, _SMOOTH, axis=0).mean(2)
    return smooth


def _novelty(features: Array) -> Array:
    """(F,) in [0, 1]: how unlike each other what comes before and after each frame is, and how alike in itself."""
    half = round(_KERNEL / _FRAME)
    if len(features) < 4:
        return np.zeros(len(features))
    padded = np.pad(features, ((half, half), (0, 0)), mode="edge")
    taper = np.exp(-0.5 * np.square((np.arange(2 * half) - half + 0.5) / (half / 2)))
    signs = np.sign(np.arange(2 * half) - half + 0.5) * taper
    unit = padded / np.maximum(np.linalg.norm(padded, axis=1, keepdims=True), 1e-9)
    windows = np.lib.stride_tricks.sliding_window_view(unit, 2 * half, axis=0)[: len(features)]
    # The checkerboard kernel is an outer product, so the sum over similarities is a length.
    found: Array = np.square(windows @ signs).sum(1) / np.square(taper.sum())
    edge = np.minimum(np.arange(len(features)), np.arange(len(features))[::-1])
    return found * np.minimum(1, edge / half)
