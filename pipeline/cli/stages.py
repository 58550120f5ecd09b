"""`dreamreel stages`: every key of every stage, from the same models that validate presets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind
from rich.table import Table

from pipeline.cli.console import print_table

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo


class _Schema(GenerateJsonSchema):
    def emit_warning(self, kind: JsonSchemaWarningKind, detail: str) -> None:
        """Silent: a default that is no JSON is shown as it prints."""


def command(
    names: Annotated[list[str] | None, typer.Argument(metavar="[STAGE]...", help="Only these stages.")] = None,
) -> None:
    """Explain the keys of presets: what each means, its range, and what it is if left out."""
    from pipeline.errors import PresetError, Problem
    from pipeline.preset import Preset
    from pipeline.preset.explain import unknown
    from pipeline.stages import STAGES

    for name in names or []:
        if name not in STAGES:
            raise PresetError([Problem("", (), unknown("stage", name, STAGES))])
    if not names:
        _print("preset", "The top of a preset.", Preset)
    for name in names or STAGES:
        config = STAGES[name].config
        _print(name, f"{(config.__doc__ or '').splitlines()[0]} ({config.role.value})", config)


def _print(name: str, about: str, model: type[BaseModel]) -> None:
    typer.echo(f"\n{typer.style(name, bold=True)}  {about}")
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    properties = model.model_json_schema(mode="serialization", schema_generator=_Schema)["properties"]
    for key, schema in properties.items():
        if key != "stages":
            table.add_row(
                f"  {key}",
                _default(schema, model.model_fields[key]),
                f"{schema.get('description', '')}{_range(schema)}",
            )
    print_table(table)


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
