"""The files that a preset extends: found, read, and put below it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pipeline.disk import read_regular
from pipeline.errors import PresetError
from pipeline.media.paths import Placed, placed
from pipeline.preset.explain import shown
from pipeline.preset.merging import merged
from pipeline.preset.shelf import find_preset
from pipeline.preset.yaml12 import MAX_BYTES, Document, read_document

EXTENDS = "extends"
MAX_DEPTH, MAX_FILES = 16, 256
_WANTED = "must be a preset's file, the name of one on `dreamreel presets`, or a list of them"


class Bases:
    """Finds and reads what the documents of one preset extend, up to a bound for all of them together."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = self._bytes = 0
        self._said: list[Any] = []

    def below(self, document: Document) -> tuple[Document, list[Any]]:
        """A document of the folder over those that it extends, and what each of them says by itself.

        Text from another folder's file is marked as such, so that paths in it stay right. Raises PresetError.
        """
        self._said = []
        own = self._folder / Path(document.name).name
        return self._extended(document, self._folder, (own,)), self._said

    def _extended(self, document: Document, folder: Path, chain: tuple[Path, ...]) -> Document:
        self._said.append(dict(document.data))
        if EXTENDS not in document.data:
            return document
        below: Document | None = None
        for text in _named(document):
            base = self._base(document, text, folder, chain)
            below = base if below is None else merged(below, base)
        whole = document if below is None else merged(below, document)
        whole.data.pop(EXTENDS, None)
        return whole

    def _base(self, document: Document, text: str, folder: Path, chain: tuple[Path, ...]) -> Document:
        path = self._found(document, text, folder)
        self._require_bounds(document, path, chain)
        name = _shown_name(document, text, folder, path)
        raw = self._read(document, path)
        try:
            base = read_document(raw, name)
        except PresetError as error:
            if any(problem.line is not None for problem in error.problems):
                raise
            raise _refusal(document, str(error)) from None  # no preset at all: the fault is the one who names it
        if not isinstance(base.data, dict):
            raise PresetError([base.problem((), f"is {shown(base.data)}, must be a mapping of keys such as `stages:`")])
        home = path.parent.absolute()
        if home != self._folder:
            base.data = placed(base.data, home)
        return self._extended(base, home, (*chain, path))

    def _found(self, document: Document, text: str, folder: Path) -> Path:
        try:
            return find_preset(text, _home(text, folder))
        except PresetError as error:
            raise _refusal(document, str(error)) from None

    def _read(self, document: Document, path: Path) -> bytes:
        try:
            raw = read_regular(path, MAX_BYTES)
        except (OSError, ValueError) as error:
            reason = (error.strerror or type(error).__name__) if isinstance(error, OSError) else str(error)
            raise _refusal(document, f"{path} can't be read: {reason}") from None
        self._bytes += len(raw)
        if self._bytes > MAX_BYTES:
            raise _refusal(document, f"the files that are extended have more than {MAX_BYTES} bytes together")
        return raw

    def _require_bounds(self, document: Document, path: Path, chain: tuple[Path, ...]) -> None:
        self._files += 1
        around = [each for each in chain if _is_same(each, path)]
        if around:
            circle = " -> ".join(each.name for each in (*chain[chain.index(around[0]) :], path))
            raise _refusal(document, f"goes round in a circle: {circle}; take one of them out")
        if len(chain) > MAX_DEPTH:
            raise _refusal(document, f"more than {MAX_DEPTH} files extend one another; bring some of them together")
        if self._files > MAX_FILES:
            raise _refusal(document, f"more than {MAX_FILES} files are extended, each time counted")


def _named(document: Document) -> list[str]:
    given: Any = document.data[EXTENDS]
    listed = given if isinstance(given, list) else [given]
    wrong = [each for each in listed if not isinstance(each, str) or not each]
    if wrong or not listed:
        raise _refusal(document, f"is {shown(wrong[0] if wrong else listed)}, {_WANTED}")
    return listed


def _home(text: str, folder: Path) -> Path:
    """Where a relative path is meant from that stands in a file of this folder, or has come there from elsewhere."""
    return folder if not isinstance(text, Placed) or text.folder is None else text.folder


def _shown_name(document: Document, text: str, folder: Path, path: Path) -> str:
    """What messages call a base: as its reader would name it from where the preset is named."""
    beside = os.path.normpath(os.path.join(os.path.dirname(document.name), text))
    return beside if _home(text, folder) == folder and path == folder / text and not os.path.isabs(text) else str(path)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return one == other


def _refusal(document: Document, message: str) -> PresetError:
    return PresetError([document.problem((EXTENDS,), message)])
