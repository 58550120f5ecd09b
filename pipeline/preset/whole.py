"""A preset's document, whole: over those it extends, with its overrides, and its variables filled in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.errors import PresetError, Problem, parse_path
from pipeline.preset.explain import shown
from pipeline.preset.extends import with_bases
from pipeline.preset.overrides import Override, Overrides, apply_override, as_overrides
from pipeline.preset.variables import VARS, Variables, names_used
from pipeline.preset.yaml12 import Document, read_document


def read_whole(raw: bytes, name: str, folder: Path, overrides: Overrides) -> Document:
    """What the bytes of a preset's file say, whose relative paths are taken from `folder`. Raises PresetError."""
    document = read_document(raw, name)
    if document.data is None:
        raise PresetError([Problem(name, (), "is empty; a preset needs `stages:` (see `dreamreel presets`)")])
    if not isinstance(document.data, dict):
        found = shown(document.data)
        raise PresetError([Problem(name, (), f"is {found}, must be a mapping of keys such as `stages:`")])
    document, files = with_bases(document, folder)
    _override(document, files, as_overrides(overrides))
    return document


def _override(document: Document, files: list[Any], overrides: list[Override]) -> None:
    """Apply overrides: those of variables, then, with what these stand for, all others."""
    of_variables = [each for each in overrides if _is_of_variables(each)]
    if VARS not in document.data:
        for override in of_variables:
            raise PresetError([Problem(str(override), (), "the preset has no variables: it has no `vars:`")])
        for override in overrides:
            apply_override(document, override)
        return
    others = [each for each in overrides if each not in of_variables]
    used = names_used(files) | {name for each in others for name in names_used(each.value)}
    variables = Variables(document)
    for override in of_variables:
        variables.override(override)
    variables.fill()
    variables.require_use(used)
    for override in others:
        apply_override(document, override, variables.filled)


def _is_of_variables(override: Override) -> bool:
    try:
        return parse_path(override.key)[:1] == (VARS,)
    except ValueError:
        return False  # which is told as it is applied
