"""What a request's text is taken for: whose relative paths begin where, and whether its files may be opened."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from pipeline.disk import Reach, within
from pipeline.errors import PresetError
from pipeline.preset import Preset, parse_preset
from pipeline.preset.yaml12 import read_document
from pipeline.studio.answers import Asked, Refused
from pipeline.studio.checking import check
from pipeline.studio.library import Library
from pipeline.studio.runs import Runs


class Text(Asked):
    """The text of a preset, and where it is from: relative paths in it begin there, by default in the folder."""

    text: str
    preset: str | None = None
    run: str | None = None


class Texts:
    """Reads texts as presets."""

    def __init__(self, library: Library, runs: Runs) -> None:
        self._library, self._runs = library, runs

    def base(self, asked: Text) -> Path:
        """Where its relative paths begin. Raises Refused."""
        if asked.preset is not None:
            return self._library.preset(asked.preset).path.parent.absolute()
        if asked.run is not None:
            return self._runs.base(self._library.run(asked.run))
        return self._library.folder

    def reached(self) -> AbstractContextManager[Reach]:
        """In the block, only files are opened that a check may open."""
        return within(self._library.reach)

    def name(self, asked: Text) -> str:
        """What a run of it is called: by its text, else by the preset or the run that it is from. Raises Refused."""
        try:
            with self.reached():
                given = read_document(asked.text.encode(), "").data
        except PresetError:
            given = None
        if isinstance(given, dict) and isinstance(given.get("name"), str):
            return str(given["name"])
        if asked.preset is not None:
            return self._library.preset(asked.preset).name
        return "film" if asked.run is None else self._library.run(asked.run).name

    def check(self, asked: Text, base: Path | None = None) -> list[dict[str, object]]:
        """What is wrong with it, with places; files out of reach are not opened."""
        with self.reached():
            return check(asked.text, self.base(asked) if base is None else base)

    def require_right(self, asked: Text, opens: Sequence[str] | None, base: Path | None = None) -> Path:
        """Raises Refused with its problems, or with the files elsewhere that it opens, unless these are `opens`.

        Returns where its relative paths begin.
        """
        base = self.base(asked) if base is None else base
        with self.reached() as reach:
            named, wrong = self._read(asked.text, base)
        outside = dict.fromkeys(str(path) for path in (*named, *reach.refused) if not self._library.holds(path))
        if outside.keys() - set(opens or ()):
            said = f"this preset opens files outside {self._library.folder}: {', '.join(outside)}"
            raise Refused(409, said, opens=list(outside))
        problems = self.check(asked, base) if wrong else []
        errors = [each for each in problems if each["severity"] == "error"]
        if errors:
            raise Refused(422, f"line {errors[0]['line']}: {errors[0]['message']}", problems=errors)
        return base

    def _read(self, text: str, base: Path) -> tuple[list[Path], bool]:
        """The files that a text names, as far as it can be read, and whether anything is wrong with it."""
        for checked in (True, False):
            with contextlib.suppress(PresetError):
                return _named(parse_preset(text, folder=base, checked=checked)), not checked
        return [], True


def _named(preset: Preset) -> list[Path]:
    return [each.path for each in preset.inputs().values()]
