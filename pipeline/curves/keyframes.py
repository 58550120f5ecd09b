"""Keyframes: numbers at given times, and how to get from each to the next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.curves.curve import Curve, PerFilm
from pipeline.curves.keys import Keys, plain
from pipeline.times import Array, Clock, Moments

MAX_KEYS = 100_000
_DENSE = 1000


class Keyframes(Curve):
    """Numbers at times; before the first and after the last they stay. Raises ValueError when it can't be read."""

    def __init__(self, data: Mapping[Any, Any]) -> None:
        self.source = plain(data)
        self._keys = Keys(self.source, MAX_KEYS)
        for key, value in zip(self.source, self._keys.values, strict=False):
            finite = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
            if not finite:
                raise ValueError(f"at {key}: {value!r} is no finite number")
        self._numbers = np.array(self._keys.values, np.float64)
        self._slopes = PerFilm(self._spline)

    def _spline(self, clock: Clock) -> Array:
        return _spline_slopes(self.knots(clock), self._numbers)

    def knots(self, clock: Clock) -> Array:
        return self._keys.seconds(clock)

    @property
    def cost(self) -> int:
        return 4

    @property
    def keys(self) -> int:
        return len(self._keys.times)

    def problem(self, clock: Clock) -> str | None:
        return self._keys.problem(clock)

    def values(self, moments: Moments) -> Array:
        numbers, times = self._numbers, self.knots(moments.clock)
        index, following, u = self._keys.place(moments)
        first, last = numbers[index], numbers[following]
        result = first + (last - first) * self._keys.eased(index, u)
        here = self._keys.has_ease("spline", index) & (following > index)
        if here.any():
            slopes, length = self._slopes(moments.clock), times[following[here]] - times[index[here]]
            starts, ends = slopes[index[here]] * length, slopes[following[here]] * length
            result[here] = _hermite(u[here], first[here], last[here], starts, ends)
        # A held stretch ends where the next keyframe begins, the last one included.
        return np.where(moments.seconds >= times[-1], numbers[-1], result)

    def breaks(self, start: float, end: float, clock: Clock) -> Array:
        times = self.knots(clock)
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
