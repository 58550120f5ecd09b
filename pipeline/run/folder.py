"""The run folder: where everything of a run lies, who may work in it, and what must stay the same."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import filelock

from pipeline.disk import is_partial_of, write_whole
from pipeline.errors import RunError, shell_word
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
        # Absolute: ffmpeg takes `12:30/x.mp4` for a protocol and `-x/y.mp4` for an option.
        root = self.path.absolute()
        self.preset_file = root / "preset.yaml"
        self.log_file = root / "run.jsonl"
        self.lock_file = root / ".lock"
        self.state = root / "state"
        self.segments = root / "segments"
        self.poster = root / "poster.png"
        self.sheet = root / "sheet.png"
        self.plot = self.path / "plot.png"

    def film(self, preset: Preset) -> Path:
        """The joined film."""
        return self.preset_file.parent / f"{preset.name}.mp4"

    def segment(self, number: int) -> Path:
        """A closed piece of film."""
        return self.segments / f"{number:06d}.mp4"

    def spool(self, number: int) -> Path:
        """The raw frames of a piece: one (H, W, 3) uint8 after the other."""
        return self.segments / f"{number:06d}.rgb24"

    def holds_run(self) -> bool:
        """Whether a run was begun here."""
        try:
            return self.preset_file.exists() and self.state.is_dir()
        except OSError:  # a name no file system takes
            return False

    def require_free(self, preset: Preset) -> None:
        """Raises RunError when the folder holds files of the names a run writes, and is no run."""
        if self.holds_run():
            return
        for file in (self.preset_file, self.log_file, self.film(preset), self.poster, self.sheet):
            if file.exists():
                raise RunError(f"{file} is there already and belongs to no run; choose another folder with --out")

    def leftovers(self, preset: Preset) -> list[Path]:
        """What interrupted processes left half-written, and nobody else's files."""
        film = self.film(preset)
        stems = {file.stem for file in (self.preset_file, film, self.poster, self.sheet)} | {f"{film.stem}-silent"}
        return [path for path in self.preset_file.parent.iterdir() if is_partial_of(path, stems)]

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
        """The run's resolved preset, with another `duration` if given, which is checked.

        Without one, nothing is: a run can be looked at, and often go on, when a picture it began with is gone.

        Raises RunError when this is no run, PresetError when the preset does not load.
        """
        if not self.holds_run():
            begin = f"dreamreel render PRESET --out {shell_word(str(self.path))}"
            raise RunError(f"{self.path} holds no run; `{begin}` begins one")
        overrides = [] if duration is None else [Override("duration", duration, "--duration")]
        return load_preset(self.preset_file, overrides, checked=duration is not None)

    @property
    def resume_hint(self) -> str:
        """How to go on, ready to be pasted into a shell."""
        return f"go on with: dreamreel resume {shell_word(str(self.path))}"

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
            return f"can't write to {self.path}: {said}; mend that, then {self.resume_hint}"
        return f"can't write to {self.path}: {said}; choose another folder with --out"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes out. The system frees the lock of a dead one. Raises RunError when it is taken."""
        with self.writing():
            self.path.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self.lock_file)
            try:
                lock.acquire(timeout=1)  # `info` holds it for a moment
            except filelock.Timeout:
                raise RunError(f"another process is rendering in {self.path}; wait for it, or use --out") from None
        try:
            yield
        finally:
            lock.release()


def changed_keys(old: Mapping[str, object], new: Mapping[str, object]) -> list[str]:
    """`path: old -> new` for every key of two resolved presets that differs."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    keys = [*before, *(key for key in after if key not in before)]
    return [
        f"{key}: {before.get(key, 'absent')} -> {after.get(key, 'absent')}"
        for key in keys
        if before.get(key) != after.get(key)
    ]


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield from _leaves(child, f"{path}.{key}" if path else str(key))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, child in enumerate(value):
            yield from _leaves(child, f"{path}[{index}]")
    else:
        yield path, value
