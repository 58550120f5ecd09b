"""What its changes make of a preset: one preset after the other, each checked like any other."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pipeline.errors import KeyPath, PresetError, Problem
from pipeline.preset.changes import STAGES, Change, differences
from pipeline.preset.entries import ENCODE, superseded
from pipeline.preset.model import Preset
from pipeline.preset.overrides import Override, override_path, put
from pipeline.preset.yaml12 import Document

Build = Callable[[Document], Preset]
_WHOLE = "belongs to the whole film; a change sets keys of its stages, such as dream.layer"
_WRITTEN = "says how the whole film is written; a change sets keys of the other stages"


def with_changes(base: Preset, document: Document, build: Build) -> Preset:
    """The preset, with what each change makes of it, and every `set` as a resolved preset has it.

    `document` is where the changes stand, `build` makes a preset of another document. A change that changes nothing
    is left out. Raises PresetError with the problems of all changes.
    """
    if not base.changes:
        return base
    problems = list(_out_of_order(base, document))
    before, changes, made = base.model_copy(update={"changes": ()}), [], []
    for number, change in enumerate(base.changes):
        try:
            after = _Turn(before, document, number).taken(change, build)
        except PresetError as error:
            problems.extend(error.problems)
            continue
        names = [before.stage_key(index) for index in range(len(before.stages))]
        found = differences(before.resolved(), after.resolved(), names)
        if found:
            changes.append(change.model_copy(update={"set": found}))
            made.append(after)
            before = after
    if problems:
        raise PresetError(problems)
    timed = base.model_copy(update={"changes": tuple(changes)})
    timed._changed = tuple(made)
    return timed


def _out_of_order(base: Preset, document: Document) -> Iterator[Problem]:
    frames = [change.frame(base.fps) for change in base.changes]
    for number in range(1, len(frames)):
        if frames[number] < frames[number - 1]:
            said = f"is {base.changes[number].at}, before the change above it; list changes in their order"
            yield document.problem(("changes", number, "at"), said)


class _Turn:
    """One change of a preset, whose problems are told where the change stands in its document."""

    def __init__(self, before: Preset, document: Document, number: int) -> None:
        self._before, self._document, self._place = before, document, ("changes", number)
        self._after = Document(document.name, before.resolved())
        self._after.locate((), document, self._place)
        self._problems: list[Problem] = []

    def taken(self, change: Change, build: Build) -> Preset:
        """What the change makes of the preset. Raises PresetError."""
        places = [place for key, value in change.set.items() if (place := self._set(key, value)) is not None]
        self._take_out_alternatives(places)
        if self._problems:
            raise PresetError(self._problems)
        after = build(self._after)
        self._require_beginning(after, change)
        return after

    def _set(self, key: str, value: Any) -> KeyPath | None:
        """Put a value in its place, which is returned; None where it has none."""
        override, where = Override(key, ""), (*self._place, "set", key)
        try:
            wanted = self._after.written(override_path(self._after, override))
            refusal = self._refusal(wanted)
            if refusal is None:
                place = put(self._after, override, copy.deepcopy(value))
                self._after.locate(place, self._document, where)
                self._keep_encode(place)
                return place
        except PresetError as error:
            refusal = error.problems[0].message
        self._problems.append(self._document.problem(where, refusal))
        return None

    def _refusal(self, place: KeyPath) -> str | None:
        if place[:1] != (STAGES,):
            return _WHOLE
        listed = self._after.data[STAGES]
        named = len(place) > 1 and isinstance(place[1], int) and place[1] < len(listed)
        return _WRITTEN if named and listed[place[1]].get("stage") == ENCODE else None

    def _keep_encode(self, place: KeyPath) -> None:
        """Another chain is written as the one before."""
        listed = self._after.data[STAGES]
        if place != (STAGES,) or not isinstance(listed, list):
            return
        kept = self._before.resolved()[STAGES][-1]
        self._after.data[STAGES] = [*(each for each in listed if not _is_encode(each)), kept]

    def _take_out_alternatives(self, places: list[KeyPath]) -> None:
        """What a new value takes the place of goes, unless the change sets that too."""
        for stage in {place[1] for place in places if len(place) > 2}:
            entry = self._after.data[STAGES][stage]
            for key in superseded(str(entry.get("stage")), {place[2] for place in places if place[1:2] == (stage,)}):
                entry.pop(key, None)

    def _require_beginning(self, after: Preset, change: Change) -> None:
        """What has to be there from the first frame on is no news later. Raises PresetError."""
        known = {config.id for config in self._before.chain}
        late = [config.id for config in after.chain if config.closes and config.id not in known]
        if late and change.frame(after.fps) > 0:
            said = f"{late[0]} closes a film with its first frame; it has to be there from the beginning"
            raise PresetError([self._document.problem((*self._place, "set"), said)])
        if self._before.cut_into_shots and after.chain[0] != self._before.chain[0]:
            said = (
                "changes the source, by which the film is cut into `shots`; change other stages, or leave out `shots`"
            )
            raise PresetError([self._document.problem((*self._place, "set"), said)])


def _is_encode(entry: object) -> bool:
    return isinstance(entry, Mapping) and entry.get("stage") == ENCODE
