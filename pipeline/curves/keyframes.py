"""Keyframes: numbers at given times, and how to get from each to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.curves.curve import Array, Curve, Moments
from pipeline.curves.times import Time, parse_time, require_order

MAX_KEYS = 100_000
_DENSE = 1000
EASES: dict[str, Callable[[Array], Array]] = {
    "linear": lambda u: u,
    "smooth": lambda u: u * u * (3 - 2 * u),
    "ease-in": lambda u: u * u,
    "ease-out": lambda u: u * (2 - u),
    "hold": lambda u: np.zeros_like(u),
    "spline": lambda u: u,  # only its share of the way is asked for, between names
}
_EASE_NAMES = tuple(EASES)
_EASE_NUMBERS = {name: number for number, name in enumerate(_EASE_NAMES)}


def split_keyframes(data: Mapping[Any, Any], most: int = MAX_KEYS) -> tuple[list[Time], list[Any], list[str]]:
    """Times, values and the ease of the stretch after each. Raises ValueError."""
    given = dict(data)
    default = _known_ease(given.pop("ease", "linear"))
    if not given or len(given) > most:
        raise ValueError(f"keyframes need 1 to {most} times, such as {{0s: 1.2, 8s: 2}}; here are {len(given)}")
    times, values, eases = [], [], []
    for key, value in given.items():
        times.append(parse_time(key))
        paired = isinstance(value, list | tuple)
        if paired and len(value) != 2:
            raise ValueError(f"at {key}: a value with its ease is a list of two, such as [2, hold]")
        values.append(value[0] if paired else value)
        eases.append(_known_ease(value[1]) if paired else default)
    require_order(times)
    return times, values, eases


def _known_ease(name: object) -> str:
    if not isinstance(name, str) or name not in EASES:
        raise ValueError(f"ease {name!r} must be one of {', '.join(EASES)}")
    return name


@dataclass(frozen=True)
class _Track:
    """Keyframes in a film of one frame rate: times in seconds, and per stretch its length and its ease's number."""

    times: Array
    lengths: Array
    eases: NDArray[np.int64]
    slopes: Array | None
    """at each time, where there is a spline"""


class Keyframes(Curve):
    """Numbers at times; before the first and after the last they stay. Raises ValueError when it can't be read."""

    def __init__(self, data: Mapping[Any, Any]) -> None:
        self.source = {str(key): list(value) if isinstance(value, tuple) else value for key, value in data.items()}
        self._times, values, self._eases = split_keyframes(self.source)
        for key, value in zip(self.source, values, strict=False):
            finite = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
            if not finite:
                raise ValueError(f"at {key}: {value!r} is no finite number")
        self._numbers = np.array(values, np.float64)
        self._tracks: dict[Fraction, _Track] = {}

    def _track(self, fps: Fraction) -> _Track:
        if fps not in self._tracks:
            times = np.array([time.at(fps) for time in self._times])
            lengths = np.diff(times)
            curved = "spline" in self._eases and len(times) > 1 and bool((lengths > 0).all())
            slopes = _spline_slopes(times, self._numbers) if curved else None
            eases = np.array([_EASE_NUMBERS[ease] for ease in self._eases])
            self._tracks[fps] = _Track(times, lengths, eases, slopes)
        return self._tracks[fps]

    def knots(self, fps: Fraction) -> Array:
        return self._track(fps).times

    @property
    def cost(self) -> int:
        return 4

    @property
    def keys(self) -> int:
        return len(self._times)

    def problem(self, moments: Moments) -> str | None:
        if (self._track(moments.fps).lengths <= 0).any():
            return f"its keyframes are out of order at {moments.fps} frames per second"
        return None

    def values(self, moments: Moments) -> Array:
        track, numbers = self._track(moments.fps), self._numbers
        times = track.times
        if len(times) == 1:
            return np.full(moments.seconds.shape, numbers[0])
        index = np.clip(np.searchsorted(times, moments.seconds, side="right") - 1, 0, len(times) - 2)
        length = track.lengths[index]
        u = np.clip((moments.seconds - times[index]) / length, 0, 1)
        result = np.empty_like(u)
        eases = track.eases[index]
        for number in np.unique(eases):
            here, ease = eases == number, _EASE_NAMES[number]
            first, last = numbers[index[here]], numbers[index[here] + 1]
            if ease == "spline":
                assert track.slopes is not None
                starts, ends = track.slopes[index[here]] * length[here], track.slopes[index[here] + 1] * length[here]
                result[here] = _hermite(u[here], first, last, starts, ends)
            else:
                result[here] = first + (last - first) * EASES[ease](u[here])
        # A held stretch ends where the next keyframe begins, the last one included.
        return np.where(moments.seconds >= times[-1], numbers[-1], result)

    def breaks(self, start: float, end: float, fps: Fraction) -> Array:
        times = self.knots(fps)
        found: Array = times[np.searchsorted(times, start, side="right") : np.searchsorted(times, end, side="left")]
        return found


def _hermite(u: Array, first: Array, last: Array, start: Array, end: Array) -> Array:
    """The cubic with these values and slopes at u = 0 and 1."""
    rest = 1 - u
    bumps: Array = u * rest * (start * rest - end * u)
    value: Array = first + (last - first) * u * u * (3 - 2 * u) + bumps
    return value


def _spline_slopes(times: Array, numbers: Array) -> Array:
    """The slopes of the natural cubic spline at its knots: no jump in slope or curvature."""
    length, rise = np.diff(times), np.diff(numbers)
    inverse = 1 / length
    # Three diagonals: below, on, and above the main one; and the right side.
    below, above = np.append(inverse[:-1], 1.0), np.append(1.0, inverse[1:])
    main = np.concatenate([[2.0], 2 * (inverse[:-1] + inverse[1:]), [2.0]])
    inner = 3 * (rise[:-1] * inverse[:-1] ** 2 + rise[1:] * inverse[1:] ** 2)
    right = np.concatenate([[3 * rise[0] / length[0]], inner, [3 * rise[-1] / length[-1]]])
    if len(times) <= _DENSE:  # to the last digit what films were made with so far
        matrix = np.diag(main) + np.diag(below, -1) + np.diag(above, 1)
        return np.asarray(np.linalg.solve(matrix, right), np.float64)
    return _tridiagonal(below, main, above, right)


def _tridiagonal(below: Array, main: Array, above: Array, right: Array) -> Array:
    """The solution of a system of three diagonals, the main one dominant (Thomas 1949)."""
    under, diagonal, over, result = below.tolist(), main.tolist(), above.tolist(), right.tolist()
    for i in range(1, len(diagonal)):
        share = under[i - 1] / diagonal[i - 1]
        diagonal[i] -= share * over[i - 1]
        result[i] -= share * result[i - 1]
    result[-1] /= diagonal[-1]
    for i in range(len(diagonal) - 2, -1, -1):
        result[i] = (result[i] - over[i] * result[i + 1]) / diagonal[i]
    return np.array(result)
