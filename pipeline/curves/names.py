"""Names along the film, such as layers, that cross-fade from each to the next."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, GetCoreSchemaHandler, PlainSerializer, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

from pipeline.curves.keys import Keys, plain
from pipeline.curves.turns import Turns
from pipeline.times import Clock, Moments

MAX_NAME = 200
MAX_NAMES = 1000


class NameTrack:
    """One name, or several at their times. Raises ValueError when it can't be read."""

    def __init__(self, source: object) -> None:
        if not isinstance(source, str | dict):
            raise ValueError("must be a name, or names at their times, such as {0s: blocks.2.1, 6s: blocks.4.1}")
        self.source: Any = source if isinstance(source, str) else plain(source)
        given: Any = {"0s": [source, "hold"]} if isinstance(source, str) else self.source
        self._keys: Keys | Turns = Turns(given) if "every" in given else Keys(given, MAX_NAMES)
        for name in self._keys.values:
            if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
                raise ValueError(f"{name!r} is no name")
        self.names: tuple[str, ...] = tuple(dict.fromkeys(self._keys.values))
        """each of them once, in their order"""

    def weights(self, moment: Moments) -> tuple[float, ...]:
        """How much each of `names` counts at one moment; they sum to 1."""
        index, following, way = self._keys.way(moment)
        share = float(way[0])
        weights = dict.fromkeys(self.names, 0.0)
        weights[self._keys.values[following[0]]] += share
        weights[self._keys.values[index[0]]] += 1 - share
        return tuple(weights.values())

    def problem(self, clock: Clock) -> str | None:
        """Why it can't be used in a film with this clock."""
        return self._keys.problem(clock)

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
