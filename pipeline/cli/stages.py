"""`dreamreel stages`: every key of every stage, from the same models that validate presets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind

from pipeline.cli.complete import stage_names
from pipeline.cli.console import print_table, say

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

    from pipeline.stages import Entry


class _Schema(GenerateJsonSchema):
    def emit_warning(self, kind: JsonSchemaWarningKind, detail: str) -> None:
        """Silent: a default that is no JSON is shown as it prints."""


def command(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="STAGE", help="Only these stages.", autocompletion=stage_names),
    ] = None,
) -> None:
    """Explain the keys of presets: what each means, its range, and what it is if left out."""
    from pipeline.errors import PresetError, Problem
    from pipeline.preset import Preset
    from pipeline.preset.entries import entry_names, find_entry
    from pipeline.preset.explain import unknown
    from pipeline.preset.plugins import shadowed
    from pipeline.stages.lookup import PluginError

    known = entry_names()
    for name in names or []:
        if name not in known:
            raise PresetError([Problem("", (), unknown("stage", name, known))])
    if not names:
        _print("preset", "The top of a preset.", Preset)
    for name in names or known:
        try:
            _print_entry(name, find_entry(name))
        except PluginError as error:
            if names:
                raise
            say(f"\n{name}  {error}")
    for note in shadowed(names or known):
        say(f"\nnote: {note}")


def _print_entry(name: str, model: type[Entry] | None) -> None:
    from pipeline.stages import StageConfig
    from pipeline.stages.lookup import package_of_stage

    if model is None:  # uninstalled while somebody watched
        return
    offer = package_of_stage(name)
    whose = "" if offer is None else f", of the package {offer}"
    role = model.role.value if issubclass(model, StageConfig) else "output"
    about = (model.__doc__ or "").strip().partition("\n")[0]
    _print(name, f"{about} ({role}{whose})".strip(), model)


def _print(name: str, about: str, model: type[BaseModel]) -> None:
    say()
    say(f"{name}  {about}", bold=True)
    rows = []
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    properties = model.model_json_schema(mode="serialization", schema_generator=_Schema)["properties"]
    for key, schema in properties.items():
        if key != "stages":
            default = _default(schema, fields[key])
            rows.append((f"  {key}", default, f"{schema.get('description', '')}{_range(schema)}"))
    print_table(rows)


def _default(schema: dict[str, Any], field: FieldInfo) -> str:
    default = "needed" if field.is_required() else schema.get("default", str(field.default))
    return default if isinstance(default, str) else json.dumps(default)


def _range(schema: dict[str, Any]) -> str:
    """The bounds, or the words allowed, in brackets."""
    variants = [schema, *schema.get("anyOf", [])]
    for variant in variants:
        low = variant.get("minimum", variant.get("exclusiveMinimum"))
        high = variant.get("maximum", variant.get("exclusiveMaximum"))
        if low is not None and high is not None:
            return f" ({low:g} to {high:g})"
        if low is not None:
            return f" (from {low:g})"
        if "enum" in variant:
            return f" ({', '.join(map(str, variant['enum']))})"
    return ""
