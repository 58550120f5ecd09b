"""Values that take turns: every few seconds, beats of the song, or with each of its sections, and round again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, GetCoreSchemaHandler, PlainSerializer, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from pipeline.curves.curve import Curve
from pipeline.curves.keys import NO_SONG, no_beats, plain
from pipeline.ops.smoothstep import smoothstep
from pipeline.times import Array, Clock, Moments, Time, parse_time

MAX_TURNS = 1000
SECTION = "section"
_KEYS = ("every", "of", "blend")


class Every:
    """How long a turn lasts: a length of film, beats of its song, or a section of it. Raises ValueError."""

    def __init__(self, value: object) -> None:
        self.text = str(value).strip()
        self._time: Time | None = None if self.text == SECTION else _length(self.text)

    @property
    def frames(self) -> bool:
        """Whether it counts frames, and lasts another time at another frame rate."""
        return self._time is not None and self._time.frames is not None

    def turns(self, moments: Moments) -> Array:
        """How many have passed at moments (N,), in fractions; below 0 before the film, or the song's first beat."""
        clock = moments.clock
        if self._time is None or self._time.beats is not None:
            if clock.signals is None:
                return np.zeros_like(moments.heard)
            if self._time is None:
                return clock.signals.sections_passed(moments.heard)
            assert self._time.beats is not None
            return clock.signals.beat(moments.heard) / float(self._time.beats)
        return moments.seconds / self._seconds(clock)

    def times(self, turns: Array, clock: Clock) -> Array:
        """When so many have passed, in seconds: the inverse of `turns`."""
        if self._time is not None and self._time.beats is None:
            return turns * self._seconds(clock)
        if clock.signals is None:
            return np.empty(0)
        if self._time is None:
            return clock.signals.time_of_sections(turns) - clock.before_it
        assert self._time.beats is not None
        times = [clock.signals.time_of_beat(turn * float(self._time.beats)) for turn in turns]
        return np.array(times) - clock.before_it

    def problem(self, clock: Clock) -> str | None:
        """Why it can't be counted in a film with this clock."""
        if self._time is None:
            return f"changes with every section, and {NO_SONG}" if clock.signals is None else None
        said = None if self._time.beats is None else no_beats(clock)
        return said and f"counts beats, and {said}"

    def _seconds(self, clock: Clock) -> float:
        assert self._time is not None
        return float(self._time.to_seconds(clock.fps) or Fraction(1))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Every) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __str__(self) -> str:
        return self.text

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.is_instance_schema(cls)


def _length(text: str) -> Time:
    try:
        time = parse_time(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is no turn; one lasts such as 4s, 96f, 8b for beats of the song, or section"
        ) from None
    if not (time.seconds or time.frames or time.beats):
        raise ValueError("a turn must be longer than nothing")
    return time


EveryField = Annotated[
    Every,
    BeforeValidator(lambda value: value if isinstance(value, Every) else Every(value)),
    PlainSerializer(str),
    WithJsonSchema(
        {"type": "string", "pattern": r"^(\d+f|[\d.]+b|(\d+h)?(\d+m)?([\d.]+s)?|section)$", "examples": ["8b"]}
    ),
]


class Turns:
    """What takes turns: `{every: 8b, of: [a, b, c], blend: 0.2}`. Raises ValueError when it can't be read.

    In the last share `blend` of its turn each fades into the next; 0 changes at once. Before the film, and before its
    song's first beat, it is the turn of the first.
    """

    def __init__(self, data: Mapping[Any, Any]) -> None:
        self.source = plain(data)
        for key in self.source:
            if key not in _KEYS:
                raise ValueError(f"{key!r} does not stand beside `every`; what does is `of` and `blend`")
        self.values: Any = self.source.get("of")
        if not isinstance(self.values, list) or not 2 <= len(self.values) <= MAX_TURNS:
            raise ValueError(f"`every` needs `of`: a list of 2 to {MAX_TURNS} that take turns, such as of: [1.1, 1.4]")
        self.every = Every(self.source["every"])
        self._blend = _share(self.source.get("blend", 0))

    def way(self, moments: Moments) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
        """Which of them has its turn at moments (N,), which is next, and how much of that counts, 0 to 1."""
        passed = np.maximum(self.every.turns(moments), 0)
        index = np.floor(passed + 1e-9)
        share = np.clip(passed - index, 0, 1)
        way = (
            smoothstep(np.clip((share - 1 + self._blend) / self._blend, 0, 1)) if self._blend else np.zeros_like(share)
        )
        here = index.astype(np.int64) % len(self.values)
        return here, (here + 1) % len(self.values), way

    def problem(self, clock: Clock) -> str | None:
        """Why they can't be used in a film with this clock."""
        return self.every.problem(clock)

    def changes(self, start: float, end: float, clock: Clock) -> Array:
        """The times in seconds, strictly between `start` and `end`, where a turn or a blend begins."""
        first, last = self.every.turns(clock.at_seconds(np.array([start, end])))
        whole = np.arange(math.floor(first), math.ceil(last) + 1, dtype=np.float64)
        times = np.unique(self.every.times(np.concatenate([whole, whole + 1 - self._blend]), clock))
        return times[(times > start) & (times < end)]


def _share(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"blend is {value!r}, must be a share of a turn, 0 to 1")
    return float(value)


class NumbersInTurn(Curve):
    """Numbers that take turns. Raises ValueError when it can't be read."""

    def __init__(self, data: Mapping[Any, Any]) -> None:
        self._turns = Turns(data)
        self.source = self._turns.source
        for number in self._turns.values:
            if isinstance(number, bool) or not isinstance(number, int | float) or not abs(number) < 1e300:
                raise ValueError(f"{number!r} in `of` is no finite number")
        self._numbers = np.array(self._turns.values, np.float64)

    @property
    def cost(self) -> int:
        return 4

    @property
    def keys(self) -> int:
        return len(self._numbers)

    def problem(self, clock: Clock) -> str | None:
        return self._turns.problem(clock)

    def values(self, moments: Moments) -> Array:
        index, following, way = self._turns.way(moments)
        first = self._numbers[index]
        found: Array = first + (self._numbers[following] - first) * way
        return found

    def breaks(self, start: float, end: float, clock: Clock) -> Array:
        return self._turns.changes(start, end, clock)
