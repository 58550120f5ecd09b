"""What may be written at a place of a preset's text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.backbones import find_recipe
from pipeline.errors import KeyPath, PipelineError, PresetError
from pipeline.objectives.classes import named_classes
from pipeline.preset.entries import entry_names
from pipeline.preset.spans import spans_of
from pipeline.preset.yaml12 import read_document
from pipeline.studio.controls import known_words
from pipeline.studio.schema import entry_schema, top_schema, types, variants

_MARK = "zzcompletehere"
_TYPED = re.compile(r"[\w.:/-]*\Z")
_BEGINS_KEY = re.compile(r"(?:^|[\n{,])[ \t]*(?:- *)*\Z")
_MOST = 200


def complete(text: str, line: int, column: int) -> dict[str, Any]:
    """What may stand at a place, and from where on it takes the place of what was typed already."""
    text = text.replace("\r\n", "\n")
    spans = spans_of(text)
    at = spans.index(line, column)
    begun = _TYPED.search(text[:at])
    typed = "" if begun is None else begun[0]
    start = at - len(typed)
    found = _where(text, start, at)
    options = [] if found is None else list(_options(*found))
    near = [each for each in options if str(each["label"]).lower().startswith(typed.lower())]
    within = [each for each in options if typed.lower() in str(each["label"]).lower() and each not in near]
    row, place = spans.position(start)
    return {"from": {"line": row, "column": place}, "options": [*near, *within][:_MOST]}


def _where(text: str, start: int, at: int) -> tuple[KeyPath, bool, Any] | None:
    """The path of the key or value that is being typed, whether it is a key, and the preset around it.

    A word is put there, and looked for in what the text says then; where the rest is no YAML yet, in what stands above.
    """
    rest = text[at:]
    line_end = rest.find("\n")
    tails = (rest, rest[line_end:] if line_end >= 0 else "", "")
    words = (_MARK, f"{_MARK}: 0")
    if _BEGINS_KEY.search(text[:start]):
        words = words[::-1]
    for tail in tails:
        for word in words:
            for closing in ("", "}", "]", "}]", "}}", "}}]", "}]}", "}]}}"):
                whole = f"{text[:start]}{word}{tail}" if not closing else f"{text[:start]}{word}{closing}\n"
                try:
                    data = read_document(whole.encode(), "").data
                except PresetError:
                    continue
                found = _find(data, ())
                if found is not None:
                    return *found, data
    return None


def _find(data: Any, path: KeyPath) -> tuple[KeyPath, bool] | None:
    if isinstance(data, dict):
        for key, value in data.items():
            if _MARK in str(key):
                return path, True
            found = _find(value, (*path, key))
            if found is not None:
                return found
    elif isinstance(data, list):
        for index, value in enumerate(data):
            if (found := _find(value, (*path, index))) is not None:
                return found
    elif isinstance(data, str) and _MARK in data:
        return path, False
    return None


def _options(path: KeyPath, is_key: bool, data: Any) -> Iterator[dict[str, Any]]:
    there = _inner(data, path if is_key else path[:-1])
    if not is_key and path[-1:] == ("stage",):
        yield from _stages()
        return
    schema, whole = _schema_at(path, data)
    if is_key:
        yield from _keys(path, schema, whole, there if isinstance(there, dict) else {})
    else:
        yield from _values(path, schema, whole, data)


def _stages() -> Iterator[dict[str, Any]]:
    for name in entry_names():
        schema = entry_schema(name) or {}
        about = str(schema.get("description", "")).partition("\n")[0]
        yield _option(name, "stage", about)


def _keys(
    path: KeyPath, schema: Mapping[str, Any] | None, whole: Mapping[str, Any], there: Mapping[Any, Any]
) -> Iterator[dict[str, Any]]:
    properties: dict[str, Any] = {}
    for variant in variants(schema, whole):
        properties |= variant.get("properties", {})
    if path and _entry_end(path) == len(path):
        properties = ({} if "stage" in there else {"stage": {"description": "which stage it is"}}) | properties
    for key, each in properties.items():
        if key not in there:
            default = each.get("default")
            detail = "" if default is None else str(default)
            yield _option(key, detail, str(each.get("description", "")), f"{key}: ")


def _values(
    path: KeyPath, schema: Mapping[str, Any] | None, whole: Mapping[str, Any], data: Any
) -> Iterator[dict[str, Any]]:
    key = str(next((part for part in reversed(path) if isinstance(part, str)), ""))
    stage = _inner(data, path[: _entry_end(path)])
    around = stage if isinstance(stage, dict) else {}
    about = "" if schema is None else str(schema.get("description", ""))
    words: list[str] = []
    for variant in variants(schema, whole):
        words += [str(word) for word in variant.get("enum", [])]
        words += ["true", "false"] if "boolean" in types(variant) else []
        words += [str(variant["const"])] if "const" in variant else []
    words += known_words(key, around)
    if key in ("class", "journey", "nearest"):
        words += _classes(around)
    default = None if schema is None else schema.get("default")
    for word in dict.fromkeys(words):
        yield _option(word, "default" if word == str(default).lower() else "", about)


def _classes(stage: Mapping[Any, Any]) -> list[str]:
    try:
        return [name.partition(",")[0] for name in named_classes(find_recipe(str(stage.get("model", "lite0"))))]
    except PipelineError:
        return []


def _schema_at(path: KeyPath, data: Any) -> tuple[Mapping[str, Any] | None, Mapping[str, Any]]:
    """The schema of what stands at a path, and the one that its references are of."""
    whole: Mapping[str, Any] = top_schema()
    end, rest = _entry_end(path), path
    if end:
        entry = _inner(data, path[:end])
        name = entry.get("stage") if isinstance(entry, dict) else None
        whole, rest = (entry_schema(str(name)) if name is not None else None) or {}, path[end:]
    schema: Mapping[str, Any] | None = whole
    for part in rest:
        schema = _step(schema, part, whole)
    return schema, whole


def _entry_end(path: KeyPath) -> int:
    """How many parts of a path lead to the entry of `stages` that it is in, the film's or a scene's; 0: to none."""
    start = 2 if path[:1] == ("scenes",) else 0
    return start + 2 if path[start : start + 1] == ("stages",) and len(path) > start + 1 else 0


def _step(schema: Mapping[str, Any] | None, part: str | int, whole: Mapping[str, Any]) -> Mapping[str, Any] | None:
    for variant in variants(schema, whole):
        if isinstance(part, int):
            if "items" in variant:
                return dict(variant["items"])
        elif part in variant.get("properties", {}):
            return dict(variant["properties"][part])
    return schema if isinstance(part, int) else None


def _inner(data: Any, path: KeyPath) -> Any:
    try:
        for part in path:
            data = data[part]
    except (KeyError, IndexError, TypeError):
        return None
    return data


def _option(label: str, detail: str, info: str, apply: str | None = None) -> dict[str, Any]:
    return {"label": label, "detail": detail, "info": info, "apply": label if apply is None else apply}
