"""The files that a preset names, wherever in it: in its stages, its changes and its scenes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from pipeline.errors import KeyPath, format_path
from pipeline.media.inputs import Input, inputs_of
from pipeline.preset.changes import place_in

if TYPE_CHECKING:
    from pipeline.preset.model import Preset


def named_inputs(preset: Preset) -> dict[str, Input]:
    """Every file, folder or pattern that a preset names, by its key: `dream.objective[0].guide`."""
    above = preset.model_copy(update={"stages": (), "changes": (), "scenes": ()})
    found = {format_path(each.place): each for each in inputs_of(above)}
    for index, stage in enumerate(preset.stages):
        for each in inputs_of(stage, ("stages", index)):
            found[f"{preset.stage_key(index)}.{format_path(each.place[2:])}"] = each
    for number, scene in enumerate(preset.scenes):
        place: KeyPath = ("scenes", number)
        for key, each in named_inputs(scene.preset).items():
            first = each.first_only and number == 0  # a later scene has its first frame before it
            found[f"{format_path(place)}.{key}"] = replace(each, place=(*place, *each.place), first_only=first)
    return found | {format_path(each.place): each for each in _inputs_of_changes(preset)}


def _inputs_of_changes(preset: Preset) -> Iterator[Input]:
    """Those that the changes name, each where its change does."""
    for number, (change, after) in enumerate(zip(preset.changes, preset.changed, strict=True)):
        for index, stage in enumerate(after.stages):
            for each in inputs_of(stage, ("stages", index)):
                place = place_in(change.set, each.place, after.stage_key(index))
                if place is not None:
                    yield replace(each, place=("changes", number, "set", *place))
