"""The run folder: where everything of a run lies, who may work in it, and what must stay the same."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import filelock

from pipeline.disk import write_whole
from pipeline.errors import RunError
from pipeline.preset import Override, Preset, load_preset

HEADER = "# The resolved preset of this run, written by dreamreel: every default and override spelled out.\n"
SEGMENT_SECONDS = 2


def segment_frames(fps: Fraction) -> int:
    """Frames in a segment: two seconds' worth. It follows from the preset alone, so that every run cuts alike."""
    return max(8, round(SEGMENT_SECONDS * fps))


class RunFolder:
    """The paths in a run's folder."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.preset_file = self.path / "preset.yaml"
        self.log_file = self.path / "run.jsonl"
        self.state = self.path / "state"
        self.segments = self.path / "segments"
        self.poster = self.path / "poster.png"
        self.sheet = self.path / "sheet.png"
        self.plot = self.path / "plot.png"

    def film(self, preset: Preset) -> Path:
        """The joined film."""
        return self.path / f"{preset.name}.mp4"

    def segment(self, number: int) -> Path:
        """A closed piece of film."""
        return self.segments / f"{number:06d}.mp4"

    def spool(self, number: int) -> Path:
        """The raw frames of a piece: one (H, W, 3) uint8 after the other."""
        return self.segments / f"{number:06d}.rgb24"

    def holds_run(self) -> bool:
        """Whether a run was begun here."""
        return self.preset_file.exists() and self.state.is_dir()

    def create(self, preset: Preset) -> None:
        """Make the folder and write the preset. Raises RunError when it can't be written to."""
        with self.writing():
            self.state.mkdir(parents=True, exist_ok=True)
            self.segments.mkdir(exist_ok=True)
            write_whole(self.preset_file, (HEADER + preset.to_yaml()).encode())

    def clear(self) -> None:
        """Remove what a run left here, and nothing else. Raises RunError when that fails."""
        with self.writing():
            with contextlib.suppress(RunError):
                self.film(self.load_preset()).unlink(missing_ok=True)
            for file in (self.preset_file, self.log_file, self.poster, self.sheet, self.plot):
                file.unlink(missing_ok=True)
            for folder in (self.state, self.segments):
                if folder.exists():
                    shutil.rmtree(folder)

    def load_preset(self, duration: str | None = None) -> Preset:
        """The run's resolved preset, with another `duration` if given.

        Raises RunError when this is no run, PresetError when the preset does not load.
        """
        if not self.holds_run():
            raise RunError(f"{self.path} holds no run; `dreamreel render PRESET --out {self.path}` begins one")
        overrides = [] if duration is None else [Override("duration", duration, "--duration")]
        return load_preset(self.preset_file, overrides)

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Turns what the disk says into a RunError that names the folder and the way on."""
        try:
            yield
        except OSError as error:
            raise RunError(self.trouble(error)) from error

    def trouble(self, error: OSError) -> str:
        """What an error of the disk means for the run."""
        said = error.strerror or str(error)
        if self.holds_run():
            return f"can't write to {self.path}: {said}; mend that, then go on with: dreamreel resume {self.path}"
        return f"can't write to {self.path}: {said}; choose another folder with --out"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes out. The system frees the lock of a dead one. Raises RunError when it is taken."""
        with self.writing():
            self.path.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self.path / ".lock")
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout:
                raise RunError(f"another process is rendering in {self.path}; wait for it, or use --out") from None
        try:
            yield
        finally:
            lock.release()


def changed_keys(old: dict[str, object], new: dict[str, object]) -> list[str]:
    """`path: old -> new` for every key of two resolved presets that differs."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    keys = [*before, *(key for key in after if key not in before)]
    return [
        f"{key}: {before.get(key, 'absent')} -> {after.get(key, 'absent')}"
        for key in keys
        if before.get(key) != after.get(key)
    ]


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _leaves(child, f"{path}.{key}" if path else str(key))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, child in enumerate(value):
            yield from _leaves(child, f"{path}[{index}]")
    else:
        yield path, value
