"""What makes a movement out of a signal: filters along the film, and waves of a count.

A filter looks at how its argument moves before (or around) a moment, on a clock of its own of a hundred steps a second:
24 and 60 frames a second see the same at the same second.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.signals import STEPS
from pipeline.times import Array, Clock

Filter = Callable[..., Array]
MOST_SECONDS = 6 * 3600


def grid(clock: Clock, hears: bool = True) -> Array:
    """The seconds (N,) at which filters look: along the whole film and its song.

    In a scene that hears its film's song these are the song's, from the film's beginning on; or, where the filtered
    value does not hear it, the scene's own.
    """
    film = 0.0 if clock.frames is None else float(clock.frames / clock.fps)
    song = 0.0 if clock.signals is None else clock.signals.seconds
    if clock.since is not None:
        film, song = (film + clock.before_it, song) if hears else (film, 0.0)
    return np.arange(int(min(max(film, song), MOST_SECONDS) * STEPS) + STEPS) / STEPS


def decay(values: Array, half_life: float) -> Array:
    """Up at once, down by half every `half_life` seconds; for values of at least 0."""
    fall = np.arange(len(values)) * (np.log(2) / (max(half_life, 1e-3) * STEPS))
    held: Array = np.exp(np.maximum.accumulate(np.log(np.maximum(values, 1e-12)) + fall) - fall)
    return np.where(held > 1e-9, held, 0.0)


def lag(values: Array, up: float, down: float | None = None) -> Array:
    """Half of the way up within `up` seconds, half of the way down within `down`; as long for both if left out."""
    rise, fall = (0.5 ** (1 / (max(seconds, 1e-3) * STEPS)) for seconds in (up, up if down is None else down))
    level, found = float(values[0]), []
    for value in values.tolist():
        level = value + (level - value) * (rise if value > level else fall)
        found.append(level)
    return np.array(found)


def smooth(values: Array, seconds: float) -> Array:
    """The mean over `seconds` around, the middle counting most (a Hann window): it begins to rise before the sound."""
    half = max(1, round(min(seconds, MOST_SECONDS) * STEPS / 2))
    window = np.hanning(2 * half + 1)
    padded = np.pad(values, half, mode="edge")
    length = 2 ** int(np.ceil(np.log2(len(padded) + len(window))))
    product = np.fft.rfft(padded, length) * np.fft.rfft(window / window.sum(), length)
    found: Array = np.fft.irfft(product, length)[2 * half : 2 * half + len(values)]
    return found


FILTERS: dict[str, tuple[Filter, int, int]] = {"decay": (decay, 1, 1), "lag": (lag, 1, 2), "smooth": (smooth, 1, 1)}
"""Each with how many numbers it takes at least and at most, beside its argument."""


def pulse(count: Array, width: Array) -> Array:
    """1 for the first share `width` of every whole step of a count, else 0: `pulse(beat/4, 0.1)`."""
    return np.where(np.mod(count, 1) < width, 1.0, 0.0)


def saw(count: Array) -> Array:
    """From 0 up to 1 with every step of a count, then down at once."""
    return np.mod(count, 1)


def tri(count: Array) -> Array:
    """From 0 up to 1 and down again with every step of a count."""
    away: Array = np.abs(2 * np.mod(count, 1) - 1)
    return 1 - away


def square(count: Array) -> Array:
    """1 for the first half of every step of a count, 0 for the second."""
    return np.where(np.mod(count, 1) < 0.5, 1.0, 0.0)
