"""The run folder: where everything of a run lies, which names are a run's, and who may work in it."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import filelock

from pipeline import checkpoint
from pipeline.disk import guarded, is_partial_of, make_folder, open_regular, read_regular, remove, write_whole
from pipeline.errors import PipelineError, PresetError, RunError, TroubleError, format_path, shell_word
from pipeline.listen import read_signals, write_signals
from pipeline.outputs import remove_finished, remove_half_written
from pipeline.preset import Override, Preset, load_preset, parse_preset
from pipeline.run.locks import acquired, held, make_anew
from pipeline.run.log import read_log
from pipeline.run.moving import only_moved, require_only_moved
from pipeline.run.pieces import Pieces

HEADER = "# The resolved preset of this run, written by dreamreel: every default and override spelled out.\n"
_ORIGIN = "# It was begun with: "
_MOST_PRESET_BYTES = 1 << 26
_SHOT = re.compile(r"[0-9]{4,}")
_REST = "move it away, or choose another folder with --out"


class RunFolder:
    """The paths in a run's folder."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        # Absolute: ffmpeg takes `12:30/x.mp4` for a protocol and `-x/y.mp4` for an option.
        root = self.path.absolute()
        self.preset_file = root / "preset.yaml"
        self.log_file = root / "run.jsonl"
        self.lock_file, self.lease_file = root / ".lock", root / ".lease"
        self.state = root / "state"
        self.kept = self.state / "kept"
        self.branch_file = root / "branch.json"
        self.segments = root / "segments"
        self.film_lock_file = self.segments / ".lock"
        self.shots = root / "shots"
        self.shots_file = self.shots / "begun.json"
        self.heard_file = root / "heard.safetensors"
        self.poster = root / "poster.png"
        self.sheet = root / "sheet.png"
        self.plot = self.path / "plot.png"

    def film(self, preset: Preset) -> Path:
        """What the film is joined to; where it is written in several ways, the first."""
        return self.outputs(preset)[0]

    def outputs(self, preset: Preset) -> tuple[Path, ...]:
        """What the film's outputs become, each a file or a folder of pictures."""
        return tuple(self.preset_file.parent / each.file_name(preset.name) for each in preset.renditions)

    def pieces(self, preset: Preset) -> Pieces:
        """The pieces that the film is made of."""
        return Pieces(self.segments, preset)

    def shot(self, number: int) -> RunFolder:
        """Where a shot of a film that is cut into shots is rendered; the first is 1."""
        return RunFolder(self.path / "shots" / f"{number:04d}")

    def shots_there(self) -> list[RunFolder]:
        """The shots that were begun."""
        found = self.shots.iterdir() if self.shots.is_dir() else ()
        return [self.shot(number) for number in sorted(int(path.name) for path in found if _SHOT.fullmatch(path.name))]

    def holds_run(self) -> bool:
        """Whether a run was begun here: a preset that dreamreel wrote, and a folder for checkpoints."""
        try:
            return self.state.is_dir() and self._wrote_preset()
        except OSError:  # a name no file system takes
            return False

    def _wrote_preset(self) -> bool:
        """Whether `preset.yaml` is a run's: by its first line, or, where an editor dropped that, by the log."""
        try:
            with open_regular(self.preset_file) as file:
                if file.read(len(HEADER)) == HEADER.encode():
                    return True
        except FileNotFoundError:
            return False
        except OSError:  # it may be a run's all the same, and whoever reads it is told what is wrong
            pass
        return next(iter(read_log(self.log_file)), {}).get("event") == "begin"

    def require_free(self, preset: Preset) -> None:
        """Raises RunError when the folder holds files of the names a run writes that no run of dreamreel's wrote."""
        own = self.outputs(preset)
        if self.holds_run():
            with contextlib.suppress(PipelineError):
                ours = self.outputs(self.load_preset())
                own = tuple(path for path in own if path not in ours)
        else:
            own = (self.preset_file, self.log_file, self.heard_file, self.branch_file, *own, self.poster, self.sheet)
            with self.writing():
                own += tuple(each for folder in (self.state, self.segments) for each in _foreign(folder))
        for file in own:
            if file.exists():
                raise RunError(f"{file} is there already and belongs to no run; {_REST}")

    def drop_leftovers(self, preset: Preset) -> None:
        """Remove what interrupted processes left half-written beside the film, and nobody else's files."""
        outputs = self.outputs(preset)
        files = (self.preset_file, self.heard_file, self.branch_file, *outputs, self.poster, self.sheet)
        stems = {file.stem for file in (*files, self.log_file, self.lease_file)}
        stems.add(f"{outputs[0].stem}-silent")  # of earlier versions, whose runs can be gone on with
        for path in self.preset_file.parent.iterdir():
            if is_partial_of(path, stems):
                remove(path)
        for rendition, path in zip(preset.renditions, outputs, strict=True):
            remove_half_written(path, rendition)

    def create(self, preset: Preset, origin: str | None) -> None:
        """Make the folder and write the preset, which came from the file `origin`. Raises RunError for the disk."""
        text = HEADER + ("" if origin is None else f"{_ORIGIN}{json.dumps(origin)}\n") + preset.to_yaml()
        with self.writing():
            make_folder(self.state)
            make_folder(self.segments)
            if preset.signals is not None:
                write_signals(preset.signals, self.heard_file)
            write_whole(self.preset_file, text.encode())

    def clear(self) -> None:
        """Remove what a run left here, and nothing else. Raises RunError when that fails.

        The preset goes last: a run that is half removed is still one.
        """
        with self.writing():
            with contextlib.suppress(PipelineError):
                preset = self.load_preset()
                for rendition, path in zip(preset.renditions, self.outputs(preset), strict=True):
                    remove_finished(path, rendition)
                self.drop_leftovers(preset)
                self.pieces(preset).remove_all()
            self._clear_shots()
            checkpoint.drop_all(self.state)
            checkpoint.drop_all(self.kept)
            others = (self.log_file, self.heard_file, self.branch_file, self.poster, self.sheet, self.plot)
            for file in (*others, self.preset_file):
                remove(file)

    def _clear_shots(self) -> None:
        """Raises OSError."""
        for shot in self.shots_there():
            if shot.holds_run():
                shot.clear()
            remove_empty(shot)
        remove(self.shots_file)
        with contextlib.suppress(OSError):  # a branch of a shot's is its owner's
            self.shots.rmdir()

    def load_preset(
        self, duration: str | None = None, moved: Mapping[str, str] | None = None, *, checked: bool = False
    ) -> Preset:
        """The run's resolved preset, with another `duration` if given, which is checked.

        Without one, nothing is unless asked for: a run can be looked at, and often go on, when a picture it began with
        is gone.
        `moved` are new paths, relative to the current folder, by the keys of the preset that name files.

        Raises RunError when this is no run, its preset can't be read, or a key in `moved` names no file; PresetError
        when the preset with the changes does not load.
        """
        if not self.holds_run():
            self._require_entry()
            raise RunError(f"{self.path} holds no run; {self._no_run_hint()}")
        preset = self._written_preset()
        checked = checked or duration is not None
        if not checked and not moved:
            return self._hearing(preset)
        overrides = [] if duration is None else [Override("duration", duration, "--duration")]
        places = {key: format_path(each.place) for key, each in preset.inputs().items()}  # an id is also a stage's kind
        overrides += [Override(places.get(key, key), text, quoted=True) for key, text in (moved or {}).items()]
        try:
            given = parse_preset(preset.to_yaml(), name=str(self.preset_file), overrides=overrides, checked=checked)
        except PresetError as error:
            if not moved:
                raise
            raise RunError(f"{error}\n{only_moved(preset)}") from None
        require_only_moved(preset, given, {"audio"} if duration is None else {"audio", "duration"})
        return self._hearing(given)

    def _hearing(self, preset: Preset) -> Preset:
        """The preset with what the run heard of its song, as it did then; where that is gone, it listens anew."""
        if preset.listen is not None:
            with contextlib.suppress(OSError, ValueError):
                preset.hears(read_signals(self.heard_file))
        return preset

    def _require_entry(self) -> None:
        """Raises RunError for a folder that may not be looked into: whether it holds a run nobody can tell."""
        try:
            self.state.stat()
        except PermissionError as error:
            raise RunError(f"can't look into {self.path}: {error.strerror}; mend its permissions") from None
        except OSError:
            return

    def _no_run_hint(self) -> str:
        if self.path.is_file():
            return f"`dreamreel render {shell_word(str(self.path))}` begins one, if it is a preset"
        if self._wrote_preset():
            anew = f"dreamreel render {shell_word(str(self.path / 'preset.yaml'))} --out ANOTHER"
            return f"its folder {self.state.name} is gone: put that back, or render it anew: {anew}"
        return f"`dreamreel render PRESET --out {shell_word(str(self.path))}` begins one"

    def _written_preset(self) -> Preset:
        try:
            read_regular(self.preset_file, _MOST_PRESET_BYTES)
            return load_preset(self.preset_file, checked=False)
        except (OSError, PresetError) as error:
            said = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
            if isinstance(error, PresetError) and all(each.package for each in error.problems):
                lacks = f"the run in {self.path} was begun with stages that can't be had here: {said}"
                raise RunError(f"{lacks}\n{self.resume_hint}, when they are here again") from None
            raise RunError(
                f"the preset of the run in {self.path} can't be read any more: {said}\n"
                f"put {self.preset_file} back as it was, or begin again: dreamreel render PRESET --overwrite --out "
                f"{shell_word(str(self.path))}"
            ) from None

    def origin(self) -> str | None:
        """The file that the run's preset came from, if it is known."""
        try:
            lines = read_regular(self.preset_file, _MOST_PRESET_BYTES).decode(errors="replace").splitlines()
            found = json.loads(next(line for line in lines[:2] if line.startswith(_ORIGIN)).removeprefix(_ORIGIN))
        except (OSError, StopIteration, ValueError, RecursionError):
            return None
        return found if isinstance(found, str) else None

    @property
    def resume_hint(self) -> str:
        """How to go on, ready to be pasted into a shell."""
        return f"go on with: {self.resume_command}"

    @property
    def resume_command(self) -> str:
        """The command that goes on, ready to be pasted into a shell."""
        return f"dreamreel resume {shell_word(str(self.path))}"

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Turns what the disk says into a TroubleError that names the folder and the way on."""
        try:
            yield
        except OSError as error:
            raise TroubleError(self.trouble(error)) from error

    def trouble(self, error: OSError) -> str:
        """What an error of the disk means for the run."""
        said = error.strerror or str(error)
        if self.holds_run():
            return f"can't write to {self.path}: {said}; mend that, then {self.resume_hint}"
        return f"can't write to {self.path}: {said}; choose another folder with --out"

    @contextlib.contextmanager
    def locked(self, should_stop: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """Keeps others out, on this machine and on others. Raises TroubleError where somebody works here.

        Who died here left nothing in the way; who is frozen, or died elsewhere, is waited for, unless `should_stop`.
        Where another takes the folder over meanwhile, nothing is written any more, and TroubleError says so.
        """
        with contextlib.ExitStack() as stack:
            with self.writing():
                make_folder(self.path)
                lease = stack.enter_context(held(self.lock_file, self.lease_file, [self.film_lock_file], should_stop))
                stack.enter_context(guarded(lease.require))
                make_anew(lease, self.log_file, self.segments)
            try:
                yield
            except Exception:  # whatever it was, it may be so because the run is another's
                with self.writing():
                    lease.require()
                raise

    @contextlib.contextmanager
    def film_locked(self, say: Callable[[str], None]) -> Iterator[None]:
        """Around whatever replaces the film or removes what is half-written: one process does so at a time.

        A run holds it within its own lock, `assemble` holds it alone. So what is half-written when somebody gets it
        is a dead process's. Waits for the other, which is no longer than a film takes to be joined, and says so when it
        takes more than a moment.
        """
        with self.writing():
            make_folder(self.segments)
            lock = filelock.FileLock(self.film_lock_file)
            if not acquired(lock):
                say(f"another process is writing the film in {self.path}: waiting for it")
                lock.acquire()
        try:
            yield
        finally:
            lock.release()


def remove_empty(folder: RunFolder) -> None:
    """Remove what is left of a run's folder that was cleared, unless something of somebody else's is in it."""
    for file in (folder.lock_file, folder.lease_file, folder.film_lock_file):
        file.unlink(missing_ok=True)
    for path in (folder.kept, folder.state, folder.segments, folder.lock_file.parent):
        with contextlib.suppress(OSError):
            path.rmdir()


def _foreign(folder: Path) -> list[Path]:
    """What a folder that no run made holds; itself when it is none."""
    if not folder.is_dir():
        return [folder]
    return [path for path in folder.iterdir() if path.name != ".lock"]
