"""A preset's document, whole: over those it extends, with its overrides, and its variables filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.errors import PresetError, Problem, format_path, parse_path
from pipeline.preset.entries import ENCODE
from pipeline.preset.explain import shown
from pipeline.preset.extends import EXTENDS, Bases
from pipeline.preset.overrides import Override, Overrides, apply_override, as_overrides
from pipeline.preset.scene import FILM_WIDE
from pipeline.preset.scenes import SCENES, problem_of
from pipeline.preset.variables import VARS, Made, Variables, names_used
from pipeline.preset.yaml12 import Document, read_document


class _Reading(NamedTuple):
    """What is counted for all documents of a preset together."""

    bases: Bases
    made: Made


def read_whole(raw: bytes, name: str, folder: Path, overrides: Overrides) -> Document:
    """What the bytes of a preset's file say, whose relative paths are taken from `folder`. Raises PresetError."""
    document = read_document(raw, name)
    if document.data is None:
        raise PresetError([Problem(name, (), "is empty; a preset needs `stages:` (see `dreamreel presets`)")])
    if not isinstance(document.data, dict):
        found = shown(document.data)
        raise PresetError([Problem(name, (), f"is {found}, must be a mapping of keys such as `stages:`")])
    reading = _Reading(Bases(folder), Made())
    document, files = reading.bases.below(document)
    given = as_overrides(overrides)
    of_scenes = {each: place for each in given if (place := _scene_meant(document, each)) is not None}
    _override(document, files, [each for each in given if each not in of_scenes], reading.made)
    if isinstance(document.data.get(SCENES), list):
        _complete_scenes(document, of_scenes, reading)
    return document


def _scene_meant(document: Document, override: Override) -> tuple[int, str] | None:
    """Which scene `scenes[1].zoom.zoom` means, and what in it; None for all other keys."""
    listed = document.data.get(SCENES)
    if not isinstance(listed, list):
        return None
    if override.label == "--input":
        said = "a film of scenes has more than one source; say which: --set scenes[0].image.path=FILE"
        raise PresetError([Problem(str(override), (), said)])
    try:
        path = parse_path(override.key)
    except ValueError:
        return None  # which is told as it is applied
    if len(path) < 3 or path[0] != SCENES or not isinstance(path[1], int) or path[1] >= len(listed):
        return None
    return path[1], format_path(path[2:])


def _complete_scenes(document: Document, overrides: Mapping[Override, tuple[int, str]], reading: _Reading) -> None:
    problems: list[Problem] = []
    for number, scene in enumerate(document.data[SCENES]):
        if not isinstance(scene, dict):
            continue  # which is told as it is built
        meant = ((each, key) for each, (place, key) in overrides.items() if place == number)
        own = [replace(each, key=key, given=each.key if each.given is None else each.given) for each, key in meant]
        try:
            document.put_part((SCENES, number), _complete_scene(document, number, own, reading))
        except PresetError as error:
            problems += [problem_of(each, number) for each in error.problems]
    if problems:
        raise PresetError(problems)


def _complete_scene(document: Document, number: int, overrides: list[Override], reading: _Reading) -> Document:
    """A scene over what it extends, of which all that a film says once goes. Raises PresetError."""
    part = document.part((SCENES, number))
    said, stages = part.data.keys(), part.data.get("stages")
    problems = [
        part.problem((key,), "belongs to the whole film; say it at its top") for key in FILM_WIDE if key in said
    ]
    for index, entry in enumerate(stages if isinstance(stages, list) else ()):
        if isinstance(entry, dict) and entry.get("stage") == ENCODE:
            problems.append(part.problem(("stages", index), "encode writes the whole film; list it at its top"))
    if problems:
        raise PresetError(problems)
    whole, files = reading.bases.below(part)
    if SCENES in whole.data:
        raise PresetError([part.problem((EXTENDS,), "names a film of scenes; a scene can't hold scenes")])
    above = [key for key in ("seed", "listen") if document.data.get(key) is not None and part.data.get(key) is None]
    whole.data = {key: value for key, value in whole.data.items() if key not in (*FILM_WIDE, *above)}
    if isinstance(stages := whole.data.get("stages"), list):
        whole.data["stages"] = [e for e in stages if not (isinstance(e, dict) and e.get("stage") == ENCODE)]
    _override(whole, files, overrides, reading.made)
    for override in overrides:
        if parse_path(override.key)[0] in FILM_WIDE:
            raise PresetError([Problem(str(override), (), "belongs to the whole film; say it without `scenes`")])
    return whole


def _override(document: Document, files: list[Any], overrides: list[Override], made: Made) -> None:
    """Apply overrides: those of variables, then, with what these stand for, all others."""
    for override in overrides:
        if override.key == EXTENDS:
            raise PresetError([Problem(str(override), (), "can't be said here; write a file that extends the other")])
    of_variables = [each for each in overrides if _is_of_variables(each)]
    if VARS not in document.data:
        for override in of_variables:
            raise PresetError([Problem(str(override), (), "the preset has no variables: it has no `vars:`")])
        for override in overrides:
            apply_override(document, override)
        return
    others = [each for each in overrides if each not in of_variables]
    used = names_used(files) | {name for each in others for name in names_used(each.value)}
    variables = Variables(document, made)
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
