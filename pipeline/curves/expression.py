"""Expressions such as `1.3 + 0.2*sin(2*pi*t/4)`: arithmetic over float64 arrays, and what a film's sound says."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from pipeline.curves.curve import Curve
from pipeline.curves.following import MOMENTS, NAMES_AT, not_heard
from pipeline.curves.formula import SEED, Formula, Function, Language, as_number, choose, on_numbers
from pipeline.curves.shapers import pulse, saw, square, tri
from pipeline.signals import Signals
from pipeline.times import Array, Clock, Moments


def _fold(function: Function) -> Function:
    return lambda first, *rest: _fold(function)(function(first, rest[0]), *rest[1:]) if rest else first


def value_noise(seed: int, position: Any, channel: Any = 0.0) -> Any:
    """Smooth noise between -1 and 1: random numbers at whole positions, and a curve without corners between them."""
    position, channel = np.broadcast_arrays(np.float64(as_number(position)), np.float64(as_number(channel)))
    base = np.floor(position)
    u = position - base
    ease = u**3 * (u * (6 * u - 15) + 10)
    first, last = _lattice(seed, base, channel), _lattice(seed, base + 1, channel)
    return np.where(np.isfinite(position) & np.isfinite(channel), first + (last - first) * ease, np.nan)


def _lattice(seed: int, whole: Array, channel: Array) -> Array:
    """Uniform in [-1, 1) by splitmix64 (Steele, Lea, Flood 2014) of the seed, a whole number and a channel."""
    state = np.uint64(seed) + np.zeros(whole.shape, np.uint64)
    for word in (whole, np.floor(channel)):
        state = state ^ np.nan_to_num(np.clip(word, -(2.0**53), 2.0**53)).astype(np.int64).astype(np.uint64)
        state = state + np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state = state ^ (state >> np.uint64(31))
    result: Array = (state >> np.uint64(11)).astype(np.float64) / 2.0**52 - 1
    return result


_MANY = 8
OURS = Language(
    ("t", "f", "n", "p", "pi"),
    {
        **{name: (on_numbers(getattr(np, name)), 1, 1) for name in ("sin", "cos", "tan", "exp", "log", "sqrt", "abs")},
        "floor": (on_numbers(np.floor), 1, 1),
        "min": (on_numbers(_fold(np.minimum)), 2, _MANY),
        "max": (on_numbers(_fold(np.maximum)), 2, _MANY),
        "where": (choose, 3, 3),
        "clip": (on_numbers(lambda x, low, high: np.minimum(np.maximum(x, low), high)), 3, 3),
        "noise": (value_noise, 1, 2),
        "pulse": (on_numbers(pulse), 2, 2),
        **{name: (on_numbers(wave), 1, 1) for name, wave in (("saw", saw), ("tri", tri), ("square", square))},
    },
    hears=True,
)


class Expression(Curve):
    """A formula of time. Raises ValueError when it can't be read."""

    def __init__(self, text: str) -> None:
        if not re.search(r"\S", text):
            raise ValueError("is empty; give a number, keyframes, or an expression")
        self.source = self.text = text
        self._formula = Formula(text, OURS)

    def __reduce__(self) -> tuple[Any, ...]:
        return Expression, (self.text,), self.read_from

    def problem(self, clock: Clock) -> str | None:
        used = sorted(self._formula.names & {"n", "p"})
        if used and clock.frames is None:
            return f"uses {' and '.join(used)}, which an endless film does not have; use t, or give a `duration`"
        if self._formula.filters and clock.frames is None:
            return f"uses {' and '.join(sorted(self._formula.filters))}, which look along a film with an end; give one"
        return not_heard(self._formula.heard, clock)

    def values(self, moments: Moments) -> Array:
        result = self._formula(self._names(moments), moments.clock.seed)
        return np.array(np.broadcast_to(result, moments.seconds.shape), np.float64)

    def _names(self, moments: Moments) -> dict[str, Any]:
        frames = math.nan if moments.clock.frames is None else float(moments.clock.frames)
        return {
            "t": moments.seconds,
            "f": moments.frame,
            "n": np.float64(frames),
            "p": moments.frame / frames,
            "pi": np.float64(math.pi),
            MOMENTS: moments,
            NAMES_AT: lambda other: {**self._names(other), SEED: other.clock.seed},
        }

    @property
    def cost(self) -> int:
        return self._formula.cost

    def depends_on_length(self, clock: Clock) -> bool:
        ahead = "smooth" in self._formula.filters and (clock.signals is None or _outlasts(clock, clock.signals))
        return bool(self._formula.names & {"n", "p"}) or ahead


def _outlasts(clock: Clock, signals: Signals) -> bool:
    return clock.frames is None or clock.before_it + float(clock.frames / clock.fps) > signals.seconds
