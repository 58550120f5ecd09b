"""What a request's text is taken for: whose relative paths begin where, and whether its files may be opened."""

from __future__ import annotations

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
        elsewhere = [str(path) for path in self._elsewhere(asked.text, base)]
        unknown = [path for path in elsewhere if path not in (opens or ())]
        if unknown:
            said = f"this preset opens files outside {self._library.folder}: {', '.join(unknown)}"
            raise Refused(409, said, opens=elsewhere)
        problems = [each for each in self.check(asked, base) if each["severity"] == "error"]
        if problems:
            raise Refused(422, f"line {problems[0]['line']}: {problems[0]['message']}", problems=problems)
        return base

    def _elsewhere(self, text: str, base: Path) -> list[Path]:
        """The files that a render would open and a check would not."""
        with self.reached() as reach:
            named: list[Path] = []
            for checked in (False, True):
                try:
                    named += _named(parse_preset(text, folder=base, checked=checked))
                except PresetError:
                    continue
        found = [*named, *reach.refused]
        return list(dict.fromkeys(path for path in found if not self._library.holds(path)))


def _named(preset: Preset) -> list[Path]:
    return [each.path for each in preset.inputs().values()]
