"""The folder of a batch: a run's folder for each run, made before anything is rendered, and how they stand."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.batch.config import BatchFile
from pipeline.batch.expand import Planned
from pipeline.disk import digest_of, read_regular, write_whole
from pipeline.errors import PipelineError, PresetError, Problem, RunError, shell_word
from pipeline.preset import Override, Preset, load_preset
from pipeline.run.estimate import expected_memory
from pipeline.run.folder import RunFolder
from pipeline.run.session import plan
from pipeline.run.standing import Standing, standing

_NOTE = "batch.json"
_MOST_NOTE_BYTES = 1 << 20


@dataclass(frozen=True)
class Work:
    """A run of a batch, and its folder, which is made."""

    planned: Planned
    folder: RunFolder

    @property
    def command(self) -> list[str]:
        """The words after `dreamreel` that begin it or go on with it."""
        return ["run", str(self.folder.path)]

    @property
    def shown_command(self) -> str:
        """The command, ready to be pasted into a shell."""
        return f"dreamreel run {shell_word(str(self.folder.path))}"

    def standing(self) -> Standing:
        """How it stands now."""
        return standing(self.folder)

    def expected_memory(self) -> int:
        """Bytes that it is expected to take; 0 where its preset can't be read, which its own process tells."""
        with contextlib.suppress(PipelineError):
            return expected_memory(self.folder.load_preset())
        return 0

    @property
    def note(self) -> dict[str, Any]:
        """What was noted when the folder was made, and since."""
        return _read_note(self.folder.path)

    def take_note(self, **more: Any) -> None:
        """Note more. Raises TroubleError for the disk."""
        with self.folder.writing():
            text = json.dumps({**self.note, **more}, default=str, indent=1)
            write_whole(self.folder.path / _NOTE, text.encode())


class BatchFolder:
    """Where the runs of a batch lie: one folder for each, called as it."""

    def __init__(self, file: BatchFile, out: str | Path | None = None) -> None:
        self.file = file
        self.path = Path("renders") / file.batch.name if out is None else Path(out)
        self.sheet, self.page = self.path / "sheet.png", self.path / "index.html"

    def work(self, planned: Planned) -> Work:
        """A run, whether its folder is there or not."""
        return Work(planned, RunFolder(self.path / planned.name))

    def freeze(self, runs: Sequence[Planned], on_done: Callable[[int], None] = lambda count: None) -> list[Work]:
        """Make the folders that are not there yet, each with its preset, whole, so that nothing else is read any more.

        A run that is planned and not begun takes what the files say now; one that was begun goes on as it began.
        Raises PresetError with what is wrong in all presets; RunError where a run was begun as another than it would be
        now, or what lies in its place is no run; TroubleError for the disk.
        """
        for work, preset in self.missing(runs, on_done):
            self._make(work, preset)
        return [self.work(planned) for planned in runs]

    def missing(
        self, runs: Sequence[Planned], on_done: Callable[[int], None] = lambda count: None
    ) -> list[tuple[Work, Preset]]:
        """The runs whose folders are to be made, with their presets; nothing is written. Raises as `freeze` does."""
        problems: list[Problem] = []
        other: RunError | None = None
        found: list[tuple[Work, Preset]] = []
        for count, work in enumerate(map(self.work, runs)):
            on_done(count)
            try:
                if not self._is_made(work):
                    preset = self.preset(work.planned)
                    if not work.folder.holds_run():
                        work.folder.require_free(preset)
                    found.append((work, preset))
            except PresetError as error:
                problems += [each for each in error.problems if each not in problems]
            except RunError as error:
                other = error if other is None else other
        if problems:
            raise PresetError(problems)
        if other is not None:
            raise other
        return found

    def _is_made(self, work: Work) -> bool:
        """Whether its folder is there, for what is wanted now. Raises RunError where it was begun as something else."""
        if not work.folder.holds_run():
            return False
        if work.note.get("digest") == self._digest(work.planned):
            return True
        if work.standing().state != "planned":
            said = "from what the batch and its presets say now; move it away, or give another folder with --out"
            raise RunError(f"{work.folder.path} was begun as another run, {said}")
        return False

    def _make(self, work: Work, preset: Preset) -> None:
        if work.folder.holds_run():
            work.folder.clear()
        plan(preset, work.folder.path)
        work.take_note(digest=self._digest(work.planned), values=work.planned.told, film=preset.name)

    def preset(self, planned: Planned) -> Preset:
        """The preset of a run. Raises PresetError."""
        return load_preset(planned.preset, list(self._overrides(planned)))

    def _overrides(self, planned: Planned) -> Iterator[Override]:
        for key, value in {**self.file.batch.set, **planned.values}.items():
            label = self._label(key, planned)
            yield Override(key, json.dumps(value, default=str), label, folder=self.file.folder)
        if planned.input is not None:
            yield Override("stages[0].path", str(planned.input), self._where("inputs"), quoted=True)

    def _label(self, key: str, planned: Planned) -> str:
        """Where the batch sets a key, for messages; and of which preset, where there are several."""
        said = f"{key} of {planned.preset.stem}" if len(self.file.batch.presets) > 1 else key
        for section in ("set", "zip", "grid"):
            if key in getattr(self.file.batch, section):
                return f"{self._where(section, key)}: {said}:"
        return f"{self._where('seeds')}: {said}:"

    def _where(self, *path: str) -> str:
        return self.file.document.place(path)

    def _digest(self, planned: Planned) -> str:
        """Of all that makes the run what it is, but for the contents of the files that its preset names."""
        values = {**self.file.batch.set, **planned.values}
        known = [self._text(planned.preset), str(planned.input), values, str(self.file.folder)]
        return digest_of(json.dumps(known, default=str, sort_keys=True).encode())

    @cache  # noqa: B019  # of a folder that lives as long as the process
    def _text(self, preset: Path) -> str:
        """A preset with all that it extends, as far as it can be read alone."""
        try:
            return load_preset(preset, checked=False).to_yaml()
        except PresetError:
            return preset.read_bytes().decode(errors="replace")


def chosen(runs: Sequence[Planned], patterns: Sequence[str]) -> list[Planned]:
    """The runs whose names fit any of the patterns, such as `*seed=3`; all without patterns. Raises RunError."""
    if not patterns:
        return list(runs)
    found = [each for each in runs if any(fnmatchcase(each.name, pattern) for pattern in patterns)]
    if not found:
        raise RunError(f"no run is called {' or '.join(patterns)}; the first of {len(runs)} is {runs[0].name}")
    return found


def _read_note(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_regular(folder / _NOTE, _MOST_NOTE_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
