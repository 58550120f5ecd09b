"""The parts of a formula that follow a film's sound, and that look at how a value moves along the film."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from pipeline.curves.curve import CurveError
from pipeline.curves.keys import NO_SONG, no_beats
from pipeline.curves.shapers import Filter, grid
from pipeline.signals import Signals
from pipeline.times import Array, Clock, Moments

Work = Callable[[Mapping[str, Any]], Any]
"""What a part of a formula comes to, for names' values."""
MOMENTS, NAMES_AT = "<moments>", "<names at>"
_COUNT_BEATS = {"beat", "bar", "since_beat"}


def followed(name: str, stem: str | None) -> Work:
    """A signal of the film's sound, or of one of its stems."""
    return lambda names: _signals(names).value(name, names[MOMENTS].heard, stem)


def sampled(name: str, numbers: list[float], stem: str | None) -> Work:
    """`band(60, 120)`, or `chroma(0)`. Raises ValueError for numbers that are none of a sound's."""
    if name == "band" and not numbers[0] < numbers[1]:
        raise ValueError(f"band takes two frequencies in hertz, rising, such as band(60, 120), not {numbers}")
    if name == "chroma" and numbers[0] not in range(12):
        raise ValueError(f"chroma takes a pitch from 0 (C) to 11 (B), not {numbers[0]:g}")
    return lambda names: getattr(_signals(names), name)(*numbers, names[MOMENTS].heard, stem)


class Filtered:
    """A filter over an inner value, on the film's grid; many threads may ask at once.

    One that `hears` a song looks along that, in a scene too: what sounded before the scene is still fading in it.
    """

    def __init__(self, inner: Work, function: Filter, numbers: list[float], hears: bool) -> None:
        self._inner, self._function, self._numbers, self._hears = inner, function, numbers, hears
        self._films: dict[Clock, tuple[Array, Array]] = {}

    def __call__(self, names: Mapping[str, Any]) -> Any:
        moments: Moments = names[MOMENTS]
        found = self._films.get(moments.clock)
        if found is None:
            found = self._films.setdefault(moments.clock, self._work(moments.clock, names[NAMES_AT]))
        return np.interp(moments.heard if self._hears else moments.seconds, *found)

    def _work(self, clock: Clock, names_at: Callable[[Moments], Mapping[str, Any]]) -> tuple[Array, Array]:
        seconds = grid(clock, self._hears)
        moments = clock.at_heard(seconds) if self._hears else clock.at_seconds(seconds)
        found = np.asarray(self._inner(names_at(moments)), np.float64)
        values = self._function(np.nan_to_num(np.broadcast_to(found, seconds.shape)), *self._numbers)
        # Rounded, so that a longer film, whose sums come out with other last digits, sees the same.
        return seconds, np.round(values, 9)


def plain_numbers(name: str, args: list[ast.expr], least: int, most: int) -> list[float]:
    """Arguments that must be plain numbers of at least 0. Raises ValueError for any others."""
    found = [arg.value for arg in args if isinstance(arg, ast.Constant)]
    values = [float(value) for value in found if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(values) != len(args) or not least <= len(args) <= most:
        count = str(least) if least == most else f"{least} to {most}"
        what = "" if name in ("band", "chroma") else ", in seconds, behind its first argument"
        raise ValueError(f"{name} takes {count} plain number{'s' if most > 1 else ''} of at least 0{what}")
    return values


def _signals(names: Mapping[str, Any]) -> Signals:
    signals: Signals | None = names[MOMENTS].clock.signals
    if signals is None:
        raise CurveError(NO_SONG)
    return signals


def not_heard(wanted: frozenset[str], clock: Clock) -> str | None:
    """Why a film's sound says nothing of this."""
    if not wanted:
        return None
    listed = ", ".join(sorted(wanted))
    if clock.signals is None:
        return f"follows {listed}, and {NO_SONG}"
    stems = {name.partition(".")[0] for name in wanted if "." in name}
    for stem in sorted(stems - {*clock.signals.stems}):
        there = ", ".join(clock.signals.stems)
        return f"follows {stem}, and `listen` has no such stem; " + (f"there are {there}" if there else "name it there")
    said = no_beats(clock) if wanted & _COUNT_BEATS else None
    return None if said is None else f"follows {listed}, and {said}"
