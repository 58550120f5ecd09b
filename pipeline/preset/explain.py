"""Pydantic's findings in the words of STYLE: the value, what is allowed, the nearest match."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from pipeline.errors import KeyPath, Problem
from pipeline.nearest import did_you_mean
from pipeline.preset.yaml12 import Document

MOST_TOLD = 50
_BOUNDS = {
    "greater_than": ("gt", "greater than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}
_LENGTHS = {"too_short": ("min_length", "at least"), "too_long": ("max_length", "at most")}
_KINDS = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping of keys",
    "model_type": "a mapping of keys",
    "finite_number": "a finite number",
}


def explain(error: ValidationError, model: type[BaseModel], base: KeyPath, document: Document) -> list[Problem]:
    """One problem for each finding in a `model` that stands at `base` in the document."""
    # One more than are told, so that it is seen that there are more.
    return [_problem(finding, model, base, document) for finding in error.errors()[: MOST_TOLD + 1]]


def _problem(finding: Any, model: type[BaseModel], base: KeyPath, document: Document) -> Problem:
    loc, model = _descend(finding["loc"], model)
    path = base + loc
    message = _message(finding, model)
    if isinstance(finding["input"], str) and "${" in finding["input"] and finding["type"] != "extra_forbidden":
        message += "; `${name}` stands for a variable where the preset has `vars:`"
    field = _field(model, loc)
    if field is not None and field.description and finding["type"] != "missing":
        message += f" ({field.description})"
    return document.problem(path, message)


def _descend(loc: KeyPath, model: type[BaseModel]) -> tuple[KeyPath, type[BaseModel]]:
    """The path as a preset writes it, without pydantic's tags of which model was meant; and the innermost model."""
    path: list[str | int] = []
    inner: dict[str, type[BaseModel]] = {}
    for part in loc:
        if part in inner:
            model, inner = inner[str(part)], {}
            continue
        path.append(part)
        field = _field(model, (part,))
        inner = inner if field is None else {each.__name__: each for each in _models(field.annotation)}
    return tuple(path), model


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _field(model: type[BaseModel], loc: KeyPath) -> FieldInfo | None:
    """The field that the last name in a path stands for, if it is the model's."""
    names = [str(part) for part in loc if isinstance(part, str)]
    by_key = {field.alias or name: field for name, field in model.model_fields.items()}
    return by_key.get(names[-1]) if names else None


def _message(finding: Any, model: type[BaseModel]) -> str:
    kind, value, limits = finding["type"], shown(finding["input"]), finding.get("ctx", {})
    if kind == "missing":
        field = _field(model, finding["loc"])
        return f"is missing: {field.description if field is not None else 'needed'}"
    if kind == "extra_forbidden":
        return unknown("key", str(finding["loc"][-1]), [f.alias or name for name, f in model.model_fields.items()])
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return f"is {value}, must be {words} {limits[key]}"
    if kind in _KINDS:
        return f"is {value}, must be {_KINDS[kind]}"
    if kind in _LENGTHS:
        key, words = _LENGTHS[kind]
        return f"is {value}, must have {words} {limits[key]}"
    if kind == "string_pattern_mismatch":
        return f"is {value}, which does not fit"
    if kind == "literal_error":
        expected = limits["expected"].replace(chr(39), "")
        near = did_you_mean(str(finding["input"]), re.split(r", | or ", expected))
        return f"is {value}, must be {expected}{near}"
    if kind == "value_error":
        if isinstance(finding["input"], dict):
            return str(limits["error"])  # a message about several keys
        return f"is {value}: {limits['error']}"
    return f"is {value}: {finding['msg'][0].lower()}{finding['msg'][1:]}"


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """`unknown key 'octavs'; did you mean 'octaves'? (there are: ...)`."""
    names = list(known)
    return f"unknown {what} {name!r}{did_you_mean(name, names)} (there are: {', '.join(names)})"


def shown(value: object) -> str:
    """A value as a message shows it: short, and without Python's own words for plain types."""
    words = {True: "true", False: "false", None: "empty"}
    if isinstance(value, bool) or value is None:
        return words[value]
    if isinstance(value, dict):
        return "a mapping"
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
