"""Controls for the keys of a preset, made from the models that check them."""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from pipeline.backbones import MODELS, find_recipe, list_blocks
from pipeline.errors import KeyPath, PipelineError, PresetError
from pipeline.preset import Preset, shelf
from pipeline.preset.editing import written
from pipeline.preset.entries import find_entry
from pipeline.preset.extends import EXTENDS
from pipeline.preset.merging import ids_of
from pipeline.preset.scenes import SCENES
from pipeline.preset.variables import VARS
from pipeline.preset.whole import read_whole
from pipeline.preset.yaml12 import Document, read_document
from pipeline.stages.lookup import PluginError
from pipeline.stages.palette import PALETTES
from pipeline.studio.schema import schema_of, types, variants

_TOP = (
    "name",
    "size",
    "margin",
    "projection",
    "fps",
    "duration",
    "lead_in",
    "seed",
    "device",
    "listen",
    "audio",
    "keep",
)
_OF_SCENE = ("duration", "margin", "lead_in", "listen", "seed")
_UNITS = re.compile(
    r"degrees (?:per|in a|a) second|degrees|pixels|frames per second|magnification per second|seconds|beats|"
    r"shares? of the (?:frame|shorter side|picture)[a-z' ]*|per second"
)
_FINE_STEPS = 100


def controls(text: str, folder: Path) -> list[dict[str, Any]]:
    """The controls of the top of a preset and of each of its stages, with those of the files that it extends.

    Raises PresetError for a text that is no YAML.
    """
    own = read_document(text.encode(), "")
    document = own
    if isinstance(own.data, dict) and own.data.keys() & {EXTENDS, VARS}:
        with contextlib.suppress(PresetError):
            document = read_whole(text.encode(), "", folder, ())
    data = document.data if isinstance(document.data, dict) else {}
    groups = [_group("", "preset", Preset, data, (), document, _TOP)]
    given = data.get("stages")
    listed: list[Any] = given if isinstance(given, list) else []
    heads = ids_of(listed) if EXTENDS in (own.data or {}) else [head_of(listed, index) for index in range(len(listed))]
    for index, entry in enumerate(listed):
        model = _model(entry)
        if model is not None:
            keys = [key for key in model.model_fields if key != "id"]
            groups.append(_group(heads[index], str(entry["stage"]), model, entry, ("stages", index), document, keys))
    return [*groups, *_of_scenes(own)]


def _of_scenes(own: Document) -> Iterator[dict[str, Any]]:
    """What the text itself says of each scene: a preset that a scene extends may say more, which is not known here."""
    listed = own.data.get(SCENES) if isinstance(own.data, dict) else None
    for number, scene in enumerate(listed if isinstance(listed, list) else []):
        if not isinstance(scene, Mapping):
            continue
        title, path = f"Scene {number + 1}", (SCENES, number)
        group = _group(f"scenes[{number}]", "", Preset, scene, path, own, [key for key in _OF_SCENE if key in scene])
        yield {**group, "title": title, "help": f"From {scene[EXTENDS]}." if EXTENDS in scene else ""}
        entries = scene.get("stages")
        for index, entry in enumerate(entries if isinstance(entries, list) else []):
            model = _model(entry)
            if model is not None:
                keys = [key for key in model.model_fields if key in entry and key != "id"]
                head, kind = f"scenes[{number}].stages[{index}]", str(entry["stage"])
                made = _group(head, kind, model, entry, (*path, "stages", index), own, keys)
                yield {**made, "title": f"{title}: {kind}"}


def _model(entry: object) -> type[BaseModel] | None:
    try:
        return find_entry(str(entry.get("stage"))) if isinstance(entry, Mapping) else None
    except PluginError:
        return None


def head_of(listed: list[Any], index: int) -> str:
    """What the keys of a stage begin with: its id or its kind, where that is no other's and no key of the preset."""
    entry = listed[index] if isinstance(listed[index], Mapping) else {}
    name = str(entry.get("id", entry.get("stage", "")))
    called = [each for each in listed if isinstance(each, Mapping) and name in (each.get("id"), each.get("stage"))]
    plain = re.fullmatch(r"[\w -]+", name) is not None and name not in Preset.model_fields
    return name if len(called) == 1 and plain else f"stages[{index}]"


def _group(
    head: str,
    stage: str,
    model: type[BaseModel],
    data: Mapping[Any, Any],
    path: KeyPath,
    document: Document,
    keys: Any,
) -> dict[str, Any]:
    properties = schema_of(model)["properties"]
    about = (model.__doc__ or "").strip().partition("\n")[0] if path else "The film as a whole."
    found = [
        {"key": f"{head}.{key}" if head else key, **_place(document, (*path, key)), **made}
        for key in keys
        if key in properties
        for made in [_control(key, properties[key], data, schema_of(model))]
    ]
    return {"id": head, "stage": stage, "help": about, "controls": found}


def _place(document: Document, path: KeyPath) -> dict[str, Any]:
    """The line of a key, and whether it is set, in the text itself."""
    own = path in document.lines and document.files.get(path, document.name) == document.name
    return {"line": document.lines[path] if own else None, "set": own}


def _control(key: str, schema: Mapping[str, Any], data: Mapping[Any, Any], whole: Mapping[str, Any]) -> dict[str, Any]:
    is_set, default = key in data and data[key] is not None, schema.get("default")
    value = data[key] if is_set else default
    meant = list(variants(schema, whole))
    words = known_words(key, data)
    kind = "choice" if words and (value is None or value in words) else _kind(meant, value)
    low, high = _bounds(meant)
    help_ = str(schema.get("description", ""))
    unit = _UNITS.search(help_)
    return {
        "label": key.replace("_", " "),
        "help": help_,
        "unit": unit[0] if unit is not None and kind in ("number", "integer") else None,
        "kind": kind,
        "min": low,
        "max": high,
        "step": 1 if kind == "integer" else _step(low, high, value) if kind == "number" else None,
        "choices": _listed(meant) or words or None,
        "value": _shown(value) if kind == "text" else value,
        "default": default if default is None or isinstance(default, bool | int | float | str) else _shown(default),
    }


def _kind(meant: list[Mapping[str, Any]], value: object) -> str:
    """What sort of control shows a value; text, with YAML in it, where it is a curve or a mapping."""
    kinds = {kind for each in meant for kind in types(each)}
    if isinstance(value, bool):
        return "switch"
    if "number" in kinds and isinstance(value, int | float):
        return "integer" if any(each.get("multipleOf") == 1 for each in meant) and value == round(value) else "number"
    if "integer" in kinds and isinstance(value, int):
        return "integer"
    if any("enum" in each for each in meant) and kinds <= {"string", "null"}:
        return "choice"
    return "text"


def _bounds(meant: list[Mapping[str, Any]]) -> tuple[Any, Any]:
    found = []
    for names in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        found.append(next((each[name] for each in meant for name in names if name in each), None))
    return found[0], found[1]


def _step(low: float | None, high: float | None, value: object) -> float:
    """A round number, fine enough for the value and for the range."""
    size = abs(value) if isinstance(value, int | float) and value else 1.0
    if low is not None and high is not None and high - low <= 10:
        size = high - low
    return float(10.0 ** math.floor(math.log10(size / _FINE_STEPS * 2)))


def _listed(meant: list[Mapping[str, Any]]) -> list[Any]:
    return [word for each in meant for word in each.get("enum", [])]


def known_words(key: str, data: Mapping[Any, Any]) -> list[str]:
    """What may stand at a key, beside what its schema lists: names of layers, networks and palettes."""
    if key == "model":
        return list(MODELS)
    if key == "extends":
        return list(shelf())
    if key == "to":
        return [*PALETTES, "seed", "guide"]
    if key == "layer":
        try:
            return [each.name for each in list_blocks(find_recipe(str(data.get("model", "lite0"))))]
        except PipelineError:
            return []
    return []


def _shown(value: object) -> str:
    if value is None:
        return ""
    try:
        return value if isinstance(value, str) else written(value)
    except Exception:
        return json.dumps(value, default=str)
