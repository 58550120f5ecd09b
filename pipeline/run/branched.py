"""The preset of a branch: its parent's, with one change more, or with one more in each scene that it changes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from pipeline.errors import KeyPath, PresetError, Problem, format_path, parse_path
from pipeline.preset import Override, Preset, parse_preset
from pipeline.preset.changes import STAGES, Change
from pipeline.preset.entries import superseded
from pipeline.preset.overrides import override_path
from pipeline.preset.scenes import SCENES
from pipeline.preset.yaml12 import Document
from pipeline.run.recovery import require_same_curves
from pipeline.times import Time, first_frame, instant_of

_FREE = ("name", "audio", "keep")  # they touch no frame, and are the whole branch's
_OF_LATER = (STAGES, "seed", "margin", "lead_in")


def branched(preset: Preset, name: str, at: Time, overrides: Sequence[Override], duration: str | None) -> Preset:
    """The preset, read from a file of that `name`, with what overrides change from an instant on.

    Raises PresetError, and RunError for a length that its curves follow.
    """
    given = [each for each in overrides if each.key in _FREE]
    changing = [each for each in overrides if each.key not in _FREE]
    if preset.scenes:
        given += _in_scenes(preset, at, changing)
    elif changing:
        given += _one_more(preset.changes, preset, at, changing, (), at)
    if duration is not None:
        given.append(Override("duration", duration, "--duration"))
    made = parse_preset(preset.to_yaml(), name=name, overrides=given)
    made._origin = preset.origin
    if preset.signals is not None:
        made.hears(preset.signals)
    if duration is not None:
        require_same_curves(str(preset.duration), made)
    return made


def _one_more(
    changes: Sequence[Change], preset: Preset, at: Time, overrides: Sequence[Override], above: KeyPath, asked: Time
) -> list[Override]:
    """What puts one change more among those of a film, or of a scene, whose keys stand `above`; `asked` is its instant
    in the film's time, as messages tell it."""
    data: list[dict[str, Any]] = [change.model_dump(mode="json") for change in changes]
    place = sum(change.frame(preset.fps) <= first_frame(at, preset.fps) for change in changes)
    data.insert(place, {"at": at.text, "set": {}})
    row = Override(format_path((*above, "changes")), json.dumps(data), f"--at {asked}", given="")
    return [row, *(_within(each, (*above, "changes", place, "set")) for each in overrides)]


def _within(override: Override, place: KeyPath) -> Override:
    """An override that stands in a change; without what leads to the scene, which the change is in already."""
    path = _path(override)
    inner = override.key if path[:1] != (SCENES,) or place[:1] != (SCENES,) else format_path(path[2:])
    return replace(override, key=format_path((*place, inner)), given=override.key)


def _path(override: Override) -> KeyPath:
    try:
        return parse_path(override.key)
    except ValueError as error:
        raise PresetError([Problem(str(override), (), str(error))]) from None


def _in_scenes(film: Preset, at: Time, overrides: Sequence[Override]) -> Iterator[Override]:
    """What changes scenes of a film from an instant on: those that have begun by then go on otherwise, later ones
    begin otherwise. Raises PresetError."""
    frame = first_frame(at, film.fps)
    of_scenes: dict[int, list[Override]] = {}
    for override in overrides:
        of_scenes.setdefault(_scene_of(film, frame, override), []).append(override)
    for number, own in sorted(of_scenes.items()):
        scene = film.scenes[number]
        if scene.begun_by(frame):
            local = at if scene.start == 0 else instant_of(frame - scene.start, film.fps)
            yield from _one_more(scene.preset.changes, film, local, own, (SCENES, number), at)
        else:
            yield from _begun_otherwise(film, number, own)


def _scene_of(film: Preset, frame: int, override: Override) -> int:
    path = _path(override)
    if len(path) < 3 or path[0] != SCENES or not isinstance(path[1], int):
        there = [f"scenes[{n}]" for n, s in enumerate(film.scenes) if s.start <= frame and not s.over_by(frame)]
        said = f"a film of scenes has none by itself; say which scene's, as in {there[0]}.dream.layer"
        raise PresetError([Problem(str(override), (), f"{said} ({' and '.join(there)} then)")])
    if path[1] >= len(film.scenes):
        raise PresetError([Problem(str(override), (), f"{SCENES} has no [{path[1]}]")])
    scene = film.scenes[path[1]]
    if scene.over_by(frame):
        ends = float((scene.end or 0) / film.fps)
        raise PresetError([Problem(str(override), (), f"is of a scene that is over by then: it ends at {ends:g}s")])
    return path[1]


def _begun_otherwise(film: Preset, number: int, overrides: Sequence[Override]) -> Iterator[Override]:
    """Overrides of a scene that is not there yet, of which no frame is known; when it plays stays."""
    document = Document(film.name, film.scenes[number].resolved())
    said: dict[int, set[str | int]] = {}
    for override in overrides:
        place = override_path(document, replace(override, key=format_path(_path(override)[2:]), given=override.key))
        if place[0] not in _OF_LATER and (place[0] in Preset.model_fields or place[0] == "fade"):
            refusal = f"stays in a branch; of a scene that has not begun, what may change is {', '.join(_OF_LATER)}"
            raise PresetError([Problem(str(override), (), refusal)])
        if len(place) > 2 and place[0] == STAGES and isinstance(place[1], int):
            said.setdefault(place[1], set()).add(place[2])
    for index, keys in said.items():
        stages = document.data[STAGES]
        for key in superseded(str(stages[index]["stage"]), keys) if index < len(stages) else ():
            yield Override(format_path((SCENES, number, STAGES, index, key)), "null")
    yield from overrides
