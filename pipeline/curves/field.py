"""Curves as fields of a stage's config: read, bounded, written back, and checked along the whole film."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import (
    BaseModel,
    BeforeValidator,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from pipeline.curves.curve import Constant, Curve
from pipeline.curves.deforum import Deforum, PerFrame, PerSecond
from pipeline.curves.expression import Expression
from pipeline.curves.files import curve_from_file, parse_deforum
from pipeline.curves.keyframes import Keyframes
from pipeline.curves.turns import NumbersInTurn
from pipeline.times import Moments

MAX_KEYS_IN_ALL = 1_000_000  # of all curves of a preset: some seconds of checking
_HELP = "must be a number, keyframes such as {0s: 1.2, 8s: 2}, or an expression of t in quotes"


def parse_curve(value: object, folder: Path | None = None, checked: bool = True) -> Curve:
    """A number, keyframes, an expression, or Deforum's schedule; or a file with one of them.

    A file's path is taken from `folder`; not `checked`, it may be gone. Raises ValueError with what is wrong.
    """
    if isinstance(value, Curve):
        return value
    if isinstance(value, dict) and "file" in value:
        return curve_from_file(value, Path.cwd() if folder is None else folder, checked)
    if isinstance(value, int | float) and not isinstance(value, bool):
        if abs(value) >= 1e300 or value != value:
            raise PydanticKnownError("finite_number")
        return Constant(value)
    if isinstance(value, str):
        return Expression(value)
    if isinstance(value, dict) and "deforum" in value:
        return parse_deforum(value)
    if isinstance(value, dict) and "every" in value:
        return NumbersInTurn(value)
    if isinstance(value, dict):
        return Keyframes(value)
    raise ValueError(_HELP)


def _parse(value: object, info: ValidationInfo) -> Curve:
    given = info.context or {}
    # By the value, since a union tries it more than once.
    keys: dict[int, int] = given.get("keyframes", {})
    _require_few(keys)
    curve = parse_curve(value, given.get("folder"), given.get("checked", True))
    if curve.keys:
        keys[id(value)] = curve.keys
        _require_few(keys)
    return curve


def _require_few(keys: dict[int, int]) -> None:
    if sum(keys.values()) > MAX_KEYS_IN_ALL:
        raise ValueError(
            f"with it the preset's curves have more than {MAX_KEYS_IN_ALL} keyframes in all, those with expressions "
            "counted ten times; use fewer, or plain numbers"
        )


def _parse_many(value: object, info: ValidationInfo) -> object:
    return tuple(_parse(item, info) for item in value) if isinstance(value, list | tuple) else value


_SCHEMA: dict[str, Any] = {"anyOf": [{"type": "number"}, {"type": "string"}, {"type": "object"}]}
_source = PlainSerializer(lambda curve: curve.source)
_sources = PlainSerializer(lambda curves: None if curves is None else [curve.source for curve in curves])
CurveField = Annotated[Curve, BeforeValidator(_parse), _source, WithJsonSchema(_SCHEMA)]
"""A number that may move along the film."""
CurvePair = Annotated[
    tuple[Curve, Curve], BeforeValidator(_parse_many), _sources, WithJsonSchema({"type": "array", "items": _SCHEMA})
]
"""Two of them, written as a list."""
CurveList = Annotated[
    tuple[Curve, ...] | None,
    BeforeValidator(_parse_many),
    _sources,
    WithJsonSchema({"type": "array", "items": _SCHEMA}),
]
"""Any number of them, or none."""


@dataclass(frozen=True)
class Within:
    """The bounds of a curve, or of each curve of a list; stands beside it in `Annotated`."""

    ge: float
    le: float
    whole: bool = False
    deforum: PerFrame | None = None
    """what a Deforum schedule says per frame and this key per second; None: it says the value itself"""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        whole = {"multipleOf": 1} if self.whole else {}
        return {**handler(schema), "minimum": self.ge, "maximum": self.le, **whole}

    def _checked(self, value: Any) -> Any:
        self._check_constants(value)
        if isinstance(value, tuple):
            return tuple(self._per_second(curve) for curve in value)
        return self._per_second(value)

    def _per_second(self, curve: Any) -> Any:
        return PerSecond(curve, self.deforum) if isinstance(curve, Deforum) and self.deforum is not None else curve

    def _check_constants(self, value: Any) -> None:
        for curve in _each(value):
            number = curve.constant
            if number is None:
                continue
            if number < self.ge:
                raise PydanticKnownError("greater_than_equal", {"ge": self.ge})
            if number > self.le:
                raise PydanticKnownError("less_than_equal", {"le": self.le})
            if self.whole and number != round(number):
                raise PydanticKnownError("int_from_float")


def _each(value: Any) -> tuple[Curve, ...]:
    if isinstance(value, Curve):
        return (value,)
    return tuple(item for item in value if isinstance(item, Curve)) if isinstance(value, tuple) else ()


def curves_of(config: BaseModel) -> Iterator[tuple[str, str, Curve, Within | None]]:
    """Every curve of a config: its key, its place in a list such as `[1] `, itself, and its bounds."""
    for key, field in type(config).model_fields.items():
        value = getattr(config, key)
        bounds = next((item for item in field.metadata if isinstance(item, Within)), None)
        for index, part in enumerate(value if isinstance(value, tuple) else ()):
            if isinstance(part, BaseModel):
                for inner, place, curve, within in curves_of(part):
                    yield f"{key}[{index}].{inner}", place, curve, within
        for index, curve in enumerate(_each(value)):
            yield key, f"[{index}] " if isinstance(value, tuple) else "", curve, bounds


def range_problem(values: np.ndarray[Any, Any], moments: Moments, ge: float, le: float) -> str | None:
    """The first of a curve's values that is not finite or not in bounds, with its time; None when all are well."""
    with np.errstate(invalid="ignore"):
        wrong = ~((values >= ge - 1e-9 * abs(ge)) & (values <= le + 1e-9 * abs(le)))
    if not wrong.any():
        return None
    first = int(np.argmax(wrong))
    value, second, frame = values[first], moments.seconds[first], moments.frame[first]
    when = f"at {second:.2f}s (frame {frame:.6g})"
    if not np.isfinite(value):
        return f"has no finite value {when}: it divides by zero there, or leaves the numbers"
    bound = f"at least {ge:g}" if value < ge else f"at most {le:g}"
    return f"is {value:.6g} {when}, must be {bound}"
