"""Names along the film, such as layers, that cross-fade from each to the next."""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
from pydantic import BeforeValidator, GetCoreSchemaHandler, PlainSerializer, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from pipeline.curves.curve import Moment
from pipeline.curves.keyframes import EASES, split_keyframes
from pipeline.curves.times import Time

MAX_NAME = 200
MAX_NAMES = 1000
_ONE = np.ones(())


class NameTrack:
    """One name, or several at their times. Raises ValueError when it can't be read."""

    def __init__(self, source: object) -> None:
        if isinstance(source, str):
            self.source: Any = source
            self._times, names, self._eases = [Time(Fraction(0))], [source], ["hold"]
        elif isinstance(source, dict):
            self.source = {
                str(key): list(value) if isinstance(value, tuple) else value for key, value in source.items()
            }
            self._times, names, self._eases = split_keyframes(self.source, MAX_NAMES)
        else:
            raise ValueError("must be a name, or names at their times, such as {0s: blocks.2.1, 6s: blocks.4.1}")
        for name in names:
            if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
                raise ValueError(f"{name!r} is no name")
        self._names: list[str] = names
        self.names: tuple[str, ...] = tuple(dict.fromkeys(names))
        """each of them once, in their order"""
        self._known: dict[Fraction, list[float]] = {}

    def weights(self, moment: Moment) -> tuple[float, ...]:
        """How much each of `names` counts now; they sum to 1."""
        times = self._seconds(moment.fps)
        index = max(0, bisect_right(times, moment.seconds) - 1)
        weights = dict.fromkeys(self.names, 0.0)
        share = 0.0
        if index + 1 < len(times):
            way = (moment.seconds - times[index]) / (times[index + 1] - times[index])
            share = float(EASES[self._eases[index]](min(1.0, max(0.0, way)) * _ONE))
            weights[self._names[index + 1]] += share
        weights[self._names[index]] += 1 - share
        return tuple(weights.values())

    def _seconds(self, fps: Fraction) -> list[float]:
        if fps not in self._known:
            self._known[fps] = [time.at(fps) for time in self._times]
        return self._known[fps]

    def problem(self, fps: Fraction) -> str | None:
        """Why it can't be used in a film at `fps`."""
        times = self._seconds(fps)
        if any(later <= earlier for earlier, later in pairwise(times)):
            return f"its keyframes are out of order at {fps} frames per second"
        return None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NameTrack) and other.source == self.source

    def __hash__(self) -> int:
        return hash(repr(self.source))

    def __str__(self) -> str:
        return str(self.source)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.is_instance_schema(cls)


def parse_names(value: object) -> NameTrack:
    """Raises ValueError."""
    return value if isinstance(value, NameTrack) else NameTrack(value)


NameTrackField = Annotated[
    NameTrack,
    BeforeValidator(parse_names),
    PlainSerializer(lambda track: track.source),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "object"}]}),
]
