"""Values given outside a preset's file, such as `--set dream.steps=4`, put in the place of the file's."""

from __future__ import annotations

import contextlib
import json
import numbers
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from pipeline.errors import KeyPath, PresetError, Problem, format_path, parse_path, shortened, split_setting
from pipeline.frame import Size
from pipeline.media.paths import placed
from pipeline.preset.entries import find_entry
from pipeline.preset.explain import unknown
from pipeline.preset.model import Preset
from pipeline.preset.yaml12 import Document, read_value
from pipeline.stages import Entry
from pipeline.stages.lookup import PluginError

_SHOWN = 100
_VALUES = "text, a number, true or false, None, a path, or a list or mapping of these"


@dataclass(frozen=True)
class Override:
    """A value that replaces the file's: `key` is a path such as `fps`, `dream.steps` or `stages[2].steps`.

    `label` names where it came from in messages, such as `--set`.
    """

    key: str
    value: str
    label: str = "--set"
    quoted: bool = False
    """whether the value is text as it stands, not YAML"""
    given: str | None = None
    """the key as it was given, where that is another; empty where nobody gave one, and the label says all"""
    folder: Path | None = None
    """where relative paths in the value are meant from; the current folder if left out"""

    @staticmethod
    def of(text: str) -> Override:
        """The override that `KEY=VALUE` stands for. Raises PresetError."""
        setting = split_setting(text)
        if setting is None:
            raise PresetError(
                [Problem(f"--set {shortened(text, _SHOWN)}", (), "needs KEY=VALUE, such as dream.steps=4")]
            )
        return Override(*setting)

    def __str__(self) -> str:
        if self.given == "":
            return self.label
        key = f"{self.key if self.given is None else self.given}=" if self.label in ("--set", "override") else ""
        return f"{self.label} {shortened(key + self.value, _SHOWN)}"


Overrides = Mapping[str, object] | Iterable[Override | tuple[str, object] | str]
"""What callers give: a mapping of keys to values, or a row of overrides, (key, value), and `KEY=VALUE`.

Text is read as YAML, as `--set` reads it; numbers, lists and paths stand for themselves.
"""


def as_overrides(given: Overrides) -> list[Override]:
    """What a caller gave, as overrides. Raises PresetError for what is none."""
    if isinstance(given, Mapping):
        return [_override(pair) for pair in given.items()]
    if isinstance(given, str | Override):
        return [_override(given)]
    return [_override(each) for each in given]


def _override(given: object) -> Override:
    if isinstance(given, Override):
        return given
    if isinstance(given, str):
        return Override.of(given)
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], str):
        key, value = given
        try:
            value = str(value) if isinstance(value, Size) else value  # a tuple, which JSON would take for a list
            text = value if isinstance(value, str) else json.dumps(value, default=_worded)
        except (TypeError, ValueError, RecursionError):
            where = f"override {shortened(key, _SHOWN)}"
            raise PresetError([Problem(where, (), f"is of type {type(value).__name__}, must be {_VALUES}")]) from None
        return Override(key, text, "override")
    needs = "needs KEY=VALUE, (key, value) or an Override; a mapping of keys to values does as well"
    raise PresetError([Problem("override", (), f"{shortened(repr(given), _SHOWN)}: {needs}")])


def _worded(value: object) -> str | int | float:
    """How a preset writes what JSON can't."""
    if isinstance(value, os.PathLike | Fraction):
        return str(value)
    if isinstance(value, numbers.Integral):  # numpy's
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    raise TypeError


def apply_override(
    document: Document, override: Override, fill: Callable[[Any, KeyPath], Any] = lambda value, _: value
) -> None:
    """Change the document's data; `fill` replaces the variables in a value at a place.

    Raises PresetError that names the override.
    """
    value = override.value if override.quoted else placed(read_value(override.value, str(override)), override.folder)
    place = put(document, override, value)
    document.replace(place, str(override))
    put(document, override, fill(value, place))


def put(document: Document, override: Override, value: object) -> KeyPath:
    """Put a value where an override means it; returns the place. Raises PresetError that names the override."""
    keys = document.written(override_path(document, override))
    if not keys:
        raise _refusal(override, "needs a key, such as fps=30 or dream.steps=4")
    target: Any = document.data
    key: Any
    for depth, key in enumerate(keys[:-1]):
        _require_room(override, target, keys[: depth + 1])
        if (target[key] if isinstance(target, list) else target.get(key)) is None:
            target[key] = [None] if keys[depth + 1] == 0 and isinstance(keys[depth + 1], int) else {}
        target = target[key]
    _require_room(override, target, keys)
    target[keys[-1]] = value
    return keys


def _require_room(override: Override, target: object, path: KeyPath) -> None:
    key = path[-1]
    inside = isinstance(target, dict) if isinstance(key, str) else isinstance(target, list) and key < len(target)
    if not inside:
        raise _refusal(override, f"{format_path(path[:-1]) or 'the preset'} has no {format_path(path[-1:])}")


def override_path(document: Document, override: Override) -> KeyPath:
    """`dream.steps` stands for the one stage called dream; `stages[2].steps` and `fps` for themselves."""
    try:
        parts = parse_path(override.key)
    except ValueError as error:
        raise _refusal(override, str(error)) from None
    scenes = document.data.get("scenes")
    stages = document.data.get("stages", [] if scenes else None)
    if not parts or parts[0] in Preset.model_fields or not isinstance(stages, list):
        return parts
    head = parts[0]
    matching = [
        index
        for index, stage in enumerate(stages)
        if isinstance(stage, dict) and head in (stage.get("id"), stage.get("stage"))
    ]
    if len(parts) == 1:
        if matching:
            raise _refusal(override, f"{head} is a stage; {_key_hint(stages[matching[0]])}")
        return parts
    if len(matching) == 1:
        return ("stages", matching[0], *parts[1:])
    if matching:
        choices = " or ".join(f"stages[{index}]" for index in matching)
        message = f"there are {len(matching)} stages called {head!r}; say {choices}, or give them an `id`"
    elif head in document.data:
        return parts
    else:
        names = [*Preset.model_fields, *(s["stage"] for s in stages if isinstance(s, dict) and "stage" in s)]
        message = unknown("key", str(head), map(str, names))
        message += f"; in the first scene it is scenes[0].{format_path(parts)}" if scenes else ""
    raise _refusal(override, message)


def _refusal(override: Override, message: str) -> PresetError:
    return PresetError([Problem(str(override), (), message)])


def _key_hint(stage: dict[str, Any]) -> str:
    """Which of a stage's keys a bare `zoom=2` may have meant."""
    kind, called = str(stage.get("stage")), stage.get("id", stage.get("stage"))
    model = None
    with contextlib.suppress(PluginError):
        model = find_entry(kind)
    key = kind if kind in (Entry if model is None else model).model_fields else "KEY"
    return f"say which of its keys, as in {called}.{key}=VALUE (`dreamreel stages {kind}` lists them)"
