"""A preset's document over that of its base: keys replace keys, and stages meet by their ids."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.errors import KeyPath, PresetError
from pipeline.preset.changes import STAGES
from pipeline.preset.entries import ENCODE, begins_film, find_entry, superseded
from pipeline.preset.explain import shown
from pipeline.preset.yaml12 import Document
from pipeline.stages.lookup import PluginError

REMOVE = "remove"
_BY_KEY = ("vars", "plugins")
_OWN = ("extends", "name")  # a base's are not handed on

Moves = dict[KeyPath, KeyPath | None]
"""Where what stands at a path in one document stands in the merged one; None: nowhere."""


def merged(base: Document, over: Document) -> Document:
    """The document that `over` makes of `base`, every value with the line and file that it comes from.

    A key of the top, and of each stage, replaces that of the base, whatever is inside; `vars` and `plugins` are merged
    key by key. Raises PresetError where it is not clear which stage is meant.
    """
    data = {key: value for key, value in base.data.items() if key not in _OWN}
    from_base: Moves = {(key,): (key,) for key in data}
    from_over: Moves = {(): ()}
    for key, value in over.data.items():
        below = data.get(key)
        if key in _BY_KEY and isinstance(below, dict) and isinstance(value, dict):
            data[key] = below | value
            from_base |= {(key, inner): None for inner in value}
            from_over |= {(key, inner): (key, inner) for inner in value}
        elif key == STAGES and isinstance(below, list) and isinstance(value, list):
            stages = _Stages(base, over)
            data[key] = stages.listed
            from_base |= stages.from_base
            from_over |= stages.from_over
        else:
            data[key] = value
            from_base[(key,)] = None
            from_over[(key,)] = (key,)
    result = Document(over.name, data)
    for document, moves in ((base, from_base), (over, from_over)):
        for path, to in _moved(document.lines, moves):
            result.lines[to] = document.lines[path]
            result.files[to] = document.files.get(path, document.name)
    return result


def _moved(paths: Mapping[KeyPath, Any], moves: Moves) -> Iterator[tuple[KeyPath, KeyPath]]:
    for path in paths:
        start = next((path[:end] for end in (3, 2, 1) if len(path) >= end and path[:end] in moves), None)
        to = moves.get(path if start is None else start)
        if to is not None:
            yield path, (*to, *path[0 if start is None else len(start) :])


class _Stages:
    """The stages of a base with those of a preset over them."""

    def __init__(self, base: Document, over: Document) -> None:
        self._base, self._over = base, over
        self._ids = ids_of(base.data[STAGES])
        # Each stage of the film: where it stands in the base, where over it, and its keys.
        self._found: list[tuple[int | None, int | None, Any]] = [(i, None, each) for i, each in enumerate(self._listed)]
        self._behind: int | None = None  # where in that the last one stands that the preset listed
        self._waiting: list[tuple[int, Any]] = []  # new ones, before any that the base has too
        for number, entry in enumerate(over.data[STAGES]):
            self._add(number, entry)
        at = next((i for i, (*_, each) in enumerate(self._found) if _kind(each) == ENCODE), len(self._found))
        self._insert_waiting(at)

    @property
    def _listed(self) -> list[Any]:
        return list(self._base.data[STAGES])

    @property
    def listed(self) -> list[Any]:
        return [entry for *_, entry in self._found]

    @property
    def from_base(self) -> Moves:
        moves: Moves = {(STAGES,): None}
        for place, (below, above, _) in enumerate(self._found):
            if below is not None:
                moves[(STAGES, below)] = (STAGES, place)
                said = () if above is None else self._over.data[STAGES][above]
                moves |= {(STAGES, below, key): None for key in said}
        return moves

    @property
    def from_over(self) -> Moves:
        moves: Moves = {(STAGES,): None}
        for place, (below, above, _) in enumerate(self._found):
            if above is not None and below is None:
                moves[(STAGES, above)] = (STAGES, place)
            elif above is not None:
                said = self._over.data[STAGES][above]
                moves |= {(STAGES, above, key): (STAGES, place, key) for key in said}
        return moves

    def _add(self, number: int, entry: Any) -> None:
        place = self._place_of(number, entry)
        if place is None:
            if self._behind is None:
                self._waiting.append((number, entry))
            else:
                self._behind += 1
                self._found.insert(self._behind, (None, number, entry))
            return
        below, _, old = self._found[place]
        if entry.get(REMOVE) is True:
            del self._found[place]
            if self._behind is not None and place <= self._behind:
                self._behind -= 1
            return
        same = entry.get("stage", _kind(old)) == _kind(old)
        self._found[place] = (below if same else None, number, _over_entry(old, entry) if same else entry)
        self._behind = place + self._insert_waiting(place)

    def _insert_waiting(self, place: int) -> int:
        """Put new stages before that place; returns how many."""
        waiting, self._waiting = self._waiting, []
        self._found[place:place] = [(None, number, entry) for number, entry in waiting]
        return len(waiting)

    def _place_of(self, number: int, entry: Any) -> int | None:
        """Where the stage stands that an entry means, if it means one of the base. Raises PresetError."""
        if not isinstance(entry, dict):
            return None
        if entry.get(REMOVE, True) is not True:
            said = f"is {shown(entry[REMOVE])}, must be true; leave it out where the stage is to stay"
            raise self._refusal(number, said, REMOVE)
        wanted = self._meant(number, entry)
        if wanted is None:
            if entry.get(REMOVE) is True:
                raise self._refusal(number, f"{_called(entry)} is not in {self._base.name}, so it can't be removed")
            return None
        if all(below != wanted for below, *_ in self._found) or self._is_taken(wanted):
            raise self._refusal(number, f"{_called(entry)} is listed twice; a second one needs an `id` of its own")
        return next(place for place, (below, *_) in enumerate(self._found) if below == wanted)

    def _is_taken(self, wanted: int) -> bool:
        return any(below == wanted and above is not None for below, above, _ in self._found)

    def _meant(self, number: int, entry: dict[Any, Any]) -> int | None:
        if "id" in entry:
            return self._ids.index(entry["id"]) if entry["id"] in self._ids else None
        kind = entry.get("stage")
        meant = [i for i, each in enumerate(self._listed) if kind is not None and kind in (_id(each), _kind(each))]
        if len(meant) > 1:
            choices = " or ".join(repr(self._ids[index]) for index in meant)
            said = f"there are {len(meant)} stages called {kind!r} in {self._base.name}; say which by `id`: {choices}"
            raise self._refusal(number, said)
        if not meant and _is_source(kind) and self._listed and _is_source(_kind(self._listed[0])):
            return 0
        return meant[0] if meant else None

    def _refusal(self, number: int, message: str, *keys: str) -> PresetError:
        return PresetError([self._over.problem((STAGES, number, *keys), message)])


def _over_entry(old: dict[Any, Any], entry: dict[Any, Any]) -> dict[Any, Any]:
    gone = frozenset[str]()
    with contextlib.suppress(PluginError):
        gone = superseded(str(_kind(old)), entry.keys())
    return {key: value for key, value in old.items() if key not in gone} | entry


def _kind(entry: Any) -> Any:
    return entry.get("stage") if isinstance(entry, dict) else None


def _id(entry: Any) -> Any:
    return entry.get("id") if isinstance(entry, dict) else None


def _called(entry: dict[Any, Any]) -> str:
    return repr(entry.get("id", entry.get("stage")))


def _is_source(kind: object) -> bool:
    try:
        model = find_entry(str(kind))
    except PluginError:
        return False
    return model is not None and begins_film(model)


def ids_of(listed: list[Any]) -> list[str]:
    """What each stage is called once the preset is built."""
    taken: list[str] = []
    for entry in listed:
        name, number = str(_id(entry) if _id(entry) is not None else _kind(entry)), 1
        while (free := name if number == 1 else f"{name}-{number}") in taken and _id(entry) is None:
            number += 1
        taken.append(free)
    return taken
