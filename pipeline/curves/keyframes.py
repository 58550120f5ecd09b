"""Keyframes: numbers at given times, and how to get from each to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from pipeline.curves.curve import Array, Curve, Moments
from pipeline.curves.times import Time, parse_time, require_order

MAX_KEYS = 1000
EASES: dict[str, Callable[[Array], Array]] = {
    "linear": lambda u: u,
    "smooth": lambda u: u * u * (3 - 2 * u),
    "ease-in": lambda u: u * u,
    "ease-out": lambda u: u * (2 - u),
    "hold": lambda u: np.zeros_like(u),
    "spline": lambda u: u,  # only its share of the way is asked for, between names
}


def split_keyframes(data: Mapping[Any, Any]) -> tuple[list[Time], list[Any], list[str]]:
    """Times, values and the ease of the stretch after each. Raises ValueError."""
    given = dict(data)
    default = _known_ease(given.pop("ease", "linear"))
    if not given or len(given) > MAX_KEYS:
        raise ValueError(f"keyframes need 1 to {MAX_KEYS} times, such as {{0s: 1.2, 8s: 2}}")
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

    def _seconds(self, fps: Fraction) -> Array:
        return np.array([time.at(fps) for time in self._times])

    def problem(self, moments: Moments) -> str | None:
        if (np.diff(self._seconds(moments.fps)) <= 0).any():
            return f"its keyframes are out of order at {moments.fps} frames per second"
        return None

    def values(self, moments: Moments) -> Array:
        times, numbers = self._seconds(moments.fps), self._numbers
        if len(times) == 1:
            return np.full(moments.seconds.shape, numbers[0])
        index = np.clip(np.searchsorted(times, moments.seconds, side="right") - 1, 0, len(times) - 2)
        length = np.diff(times)[index]
        u = np.clip((moments.seconds - times[index]) / length, 0, 1)
        result = np.empty_like(u)
        for ease in set(self._eases):
            here = np.array([each == ease for each in self._eases])[index]
            first, last = numbers[index[here]], numbers[index[here] + 1]
            if ease == "spline":
                slopes = _spline_slopes(times, numbers)
                starts, ends = slopes[index[here]] * length[here], slopes[index[here] + 1] * length[here]
                result[here] = _hermite(u[here], first, last, starts, ends)
            else:
                result[here] = first + (last - first) * EASES[ease](u[here])
        # A held stretch ends where the next keyframe begins, the last one included.
        return np.where(moments.seconds >= times[-1], numbers[-1], result)

    def breaks(self, start: float, end: float, fps: Fraction) -> list[float]:
        return [time for time in self._seconds(fps).tolist() if start < time < end]


def _hermite(u: Array, first: Array, last: Array, start: Array, end: Array) -> Array:
    """The cubic with these values and slopes at u = 0 and 1."""
    rest = 1 - u
    bumps: Array = u * rest * (start * rest - end * u)
    value: Array = first + (last - first) * u * u * (3 - 2 * u) + bumps
    return value


def _spline_slopes(times: Array, numbers: Array) -> Array:
    """The slopes of the natural cubic spline at its knots: no jump in slope or curvature."""
    count = len(times)
    length, rise = np.diff(times), np.diff(numbers)
    matrix, right = np.zeros((count, count)), np.zeros(count)
    matrix[0, :2], right[0] = (2, 1), 3 * rise[0] / length[0]
    matrix[-1, -2:], right[-1] = (1, 2), 3 * rise[-1] / length[-1]
    for i in range(1, count - 1):
        before, after = 1 / length[i - 1], 1 / length[i]
        matrix[i, i - 1 : i + 2] = (before, 2 * (before + after), after)
        right[i] = 3 * (rise[i - 1] * before**2 + rise[i] * after**2)
    slopes: Array = np.linalg.solve(matrix, right).astype(np.float64)
    return slopes
