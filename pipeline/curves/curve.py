"""What a curve is: a number for every moment of the film."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import numpy as np
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from pipeline.errors import PipelineError
from pipeline.times import Array, Clock, Moments

T = TypeVar("T")
_GOLDEN = (5**0.5 - 1) / 2


class CurveError(PipelineError):
    """A curve has no finite value at some moment of the film."""


def looked_at(count: int, most: int, marks: Array) -> Array:
    """Which of `count` places in a row a check looks at, in order: all, or if they are more than `most`, a sample.

    It holds one place of every stretch, both ends, and the places next to `marks`, which may lie between two.
    """
    if count <= most:
        return np.arange(count, dtype=np.float64)
    stretch = np.arange(most) * (count / most)
    # Spread within their stretches, so that no period of a curve is missed for being theirs too.
    sample = np.floor(stretch + (np.arange(most) * _GOLDEN) % 1 * (count / most))
    near = np.concatenate([np.floor(marks), np.ceil(marks)])
    return np.unique(np.clip(np.concatenate([sample, near, [0, count - 1]]), 0, count - 1))


class PerFilm(Generic[T]):
    """What is worked out once for each film, by its clock. Any number of threads may ask at once."""

    def __init__(self, work: Callable[[Clock], T]) -> None:
        self._work = work
        self._known: dict[Clock, T] = {}

    def __call__(self, clock: Clock) -> T:
        found = self._known.get(clock)
        # Two that ask at once both work, to the same end, and get one's result.
        return self._known.setdefault(clock, self._work(clock)) if found is None else found


class Curve(ABC):
    """A number for every moment, and a pure function of it: no call changes what another gets, in any thread.

    `source` is the plain data it was read from, and reads back as the same curve."""

    source: Any
    file: str | None = None
    """the file its values were read from, if any"""
    content: Any = None
    """what stood in the file, as plain data: another one under the same name makes another curve"""

    @abstractmethod
    def values(self, moments: Moments) -> Array:
        """The numbers (N,), infinite or not a number where there is none."""

    def at(self, moment: Moments) -> float:
        """The number at one moment (1,). Raises CurveError, naming the time, where there is none."""
        value = float(self.values(moment)[0])
        if not math.isfinite(value):
            raise CurveError(f"{self} has no finite value at {moment.seconds[0]:.2f}s (frame {moment.frame[0]:g})")
        return value

    @property
    def read_from(self) -> dict[str, Any]:
        """Where it comes from, for a copy that is made anew, such as another process's."""
        return {"source": self.source, "file": self.file, "content": self.content}

    @property
    def constant(self) -> float | None:
        """The number, for a curve that never moves."""
        return None

    @property
    def cost(self) -> int:
        """About how many passes over an array of moments its values take; 0: it never moves."""
        return 0 if self.constant is not None else 1

    @property
    def keys(self) -> int:
        """How many keyframes it has; one with an expression counts for ten, since it takes at least as long."""
        return 0

    def breaks(self, start: float, end: float, clock: Clock) -> Array:
        """The times in seconds, strictly between `start` and `end`, where the curve jumps or bends; not too many."""
        return np.empty(0)

    def knots(self, clock: Clock) -> Array:
        """The times of its keyframes in seconds."""
        return np.empty(0)

    def depends_on_length(self, clock: Clock) -> bool:
        """Whether a film with this clock would look another way if it were made longer."""
        return False

    def problem(self, clock: Clock) -> str | None:
        """Why it can't be evaluated in such a film at all."""
        return None

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self) or not isinstance(other, Curve):
            return False
        return (other.source, other.content) == (self.source, self.content)

    def __hash__(self) -> int:
        return hash(repr(self.source))

    def __str__(self) -> str:
        text = repr(self.source)
        return text if len(text) <= 60 else text[:57] + "..."

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.source!r})"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.is_instance_schema(cls)


class Constant(Curve):
    """A plain number."""

    def __init__(self, number: int | float) -> None:
        self.source = number

    @property
    def constant(self) -> float:
        return float(self.source)

    def values(self, moments: Moments) -> Array:
        return np.full(moments.seconds.shape, float(self.source))
