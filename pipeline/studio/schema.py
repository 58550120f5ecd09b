"""The JSON schemas of presets' parts, from the models that check them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind

from pipeline.preset import Preset
from pipeline.preset.entries import entry_names, find_entry
from pipeline.preset.scene import SCHEMA as SCENES
from pipeline.stages.lookup import PluginError


class _Schema(GenerateJsonSchema):
    def emit_warning(self, kind: JsonSchemaWarningKind, detail: str) -> None:
        """Silent: a default that is no JSON is shown as it prints."""


@cache
def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema of a model, as presets write it."""
    return model.model_json_schema(mode="serialization", schema_generator=_Schema)


@cache
def top_schema() -> dict[str, Any]:
    """The schema of a preset's top, with the keys that are taken in while its files are read."""
    found, scene = schema_of(Preset), SCENES["items"]["properties"]
    more = {"extends": scene["extends"], "vars": scene["vars"], "scenes": SCENES}
    return {**found, "properties": {**found["properties"], **more}}


def entry_schema(name: str) -> dict[str, Any] | None:
    """The schema of what `stages:` may list under a name; None where there is no such thing."""
    try:
        model = find_entry(name)
    except PluginError:
        return None
    return None if model is None else schema_of(model)


def preset_schema() -> dict[str, Any]:
    """The schema of a whole preset: one object for each kind of stage."""
    top = top_schema()
    definitions = dict(top.get("$defs", {}))
    kinds = []
    for name in entry_names():
        found = entry_schema(name)
        if found is not None:
            definitions |= found.get("$defs", {})
            properties = {"stage": {"const": name}, **found["properties"]}
            kinds.append({**found, "title": name, "properties": properties, "required": ["stage"]})
            kinds[-1].pop("$defs", None)
    stages = {"type": "array", "items": {"oneOf": kinds}, "description": "the chain: a source, effects, encode"}
    return {**top, "$defs": definitions, "properties": {**top["properties"], "stages": stages}}


def variants(schema: Mapping[str, Any] | None, whole: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A schema and all that it may stand for; `whole` is where its references lead."""
    if schema is None:
        return
    yield schema
    if "$ref" in schema:
        yield from variants(whole.get("$defs", {}).get(str(schema["$ref"]).rpartition("/")[2]), whole)
    for each in (*schema.get("anyOf", []), *schema.get("oneOf", [])):
        yield from variants(each, whole)


def types(schema: Mapping[str, Any]) -> list[str]:
    """The types of JSON that a schema says it is of."""
    given = schema.get("type", [])
    return [given] if isinstance(given, str) else list(given)
