"""Rendering and going on: what must be the same, where a run stands, and what is left when it is over."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline import checkpoint
from pipeline.chain import Film, open_film
from pipeline.device import open_device, out_of_memory_said
from pipeline.errors import DeviceError, MediaError, PipelineError, PresetError, RunError, TroubleError
from pipeline.media.behind import Behind
from pipeline.media.ffmpeg import ffmpeg_program
from pipeline.outputs import Beside, Output, require_encoder, require_output
from pipeline.preset import Preset
from pipeline.run.facts import Found, InputFacts, facts_now
from pipeline.run.film_writer import finish_film, has_more_frames
from pipeline.run.folder import RunFolder
from pipeline.run.inputs import as_facts, fingerprints, require_same_inputs
from pipeline.run.log import RunLog, worker
from pipeline.run.metadata import film_comment
from pipeline.run.options import OnFrame, Options, Result
from pipeline.run.recorder import Recorder
from pipeline.run.recovery import find_checkpoint, require_same_machine, require_same_preset
from pipeline.run.rendering import Rendering
from pipeline.run.settings import Settings
from pipeline.run.shots import Shots, require_own_length
from pipeline.run.space import require_space


def render(
    preset: Preset,
    out: str | Path | None = None,
    on_frame: OnFrame | None = None,
    *,
    outputs: Output | Sequence[Output] = (),
    overwrite: bool = False,
    options: Options | None = None,
) -> Result:
    """Render the film in a folder of its own, by default `renders/NAME`; `on_frame` sees every frame.

    So do `outputs`, beside the film: each works in a thread of its own, and one that fails is told and left out, while
    what `on_frame` raises, in the caller's thread, ends the render.
    Raises PipelineError for whatever the user or the machine has to change; what was rendered is kept.
    """
    open_device(preset.device)  # a preset for another machine makes no folder here
    _require_encoders(preset)  # before hours of work that nothing could write down
    options = _options(options, on_frame, outputs)
    with _free_folder(preset, out, overwrite, options.should_stop) as folder:
        if preset.cut_into_shots:
            return Shots(folder, preset, options, preset.origin, _resume_shot).begin()
        return _Session(folder, preset, options, preset.origin).begin()


def plan(preset: Preset, out: str | Path | None = None) -> RunFolder:
    """Make the folder of a run, by default `renders/NAME`, and render nothing: `proceed` does, here or elsewhere.

    Raises RunError where the folder is taken, TroubleError for the disk.
    """
    with _free_folder(preset, out, overwrite=False) as folder:
        folder.create(preset, preset.origin)
        return folder


@contextlib.contextmanager
def _free_folder(
    preset: Preset, out: str | Path | None, overwrite: bool, should_stop: Callable[[], bool] = lambda: False
) -> Iterator[RunFolder]:
    """A folder for a new run, locked."""
    folder = RunFolder(Path("renders") / preset.name if out is None else out)
    with folder.locked(should_stop):
        if folder.holds_run() and not overwrite:
            choice = "or begin again with --overwrite, or elsewhere with --out"
            raise RunError(f"{folder.path} holds a run already; {folder.resume_hint}, {choice}")
        folder.require_free(preset)
        yield folder


def resume(
    out: str | Path,
    on_frame: OnFrame | None = None,
    *,
    outputs: Output | Sequence[Output] = (),
    duration: str | None = None,
    moved: Mapping[str, str] | None = None,
    options: Options | None = None,
) -> Result:
    """Go on with the run in `out` from its newest checkpoint; a longer `duration` extends it.

    `on_frame` and `outputs`, as for `render`, see the frames from there on.

    `moved` says where the run's files are now, by the preset's keys that name them: `{"image.path": "new/cat.png"}`.
    They must hold what they held; another `audio`, which touches no frame, may be anything.

    Raises RunError when there is no run, when its preset or one of its files was changed, when something that it took
    for itself at the beginning can't be had, or when no checkpoint can be used.
    """
    ffmpeg_program()
    folder = RunFolder(out)
    require_own_length(folder, duration)
    preset = folder.load_preset(duration, moved)
    _require_encoders(preset)
    options = _options(options, on_frame, outputs)
    with folder.locked(options.should_stop):
        if preset.cut_into_shots:
            shots = Shots(folder, preset, options, folder.origin(), _resume_shot)
            return shots.resume({} if moved is None else moved)
        session = _Session(folder, preset, options, folder.origin())
        return session.resume(duration, {} if moved is None else moved)


def _resume_shot(folder: RunFolder, moved: Mapping[str, str], options: Options) -> Result:
    return resume(folder.path, moved=moved, options=options)


def _require_encoders(preset: Preset) -> None:
    """Raises MediaError where there is no ffmpeg, or it can't write all that the preset asks for."""
    ffmpeg_program()
    for rendition in preset.renditions:
        config = rendition.config
        require_encoder(config.encoder, config.format, config.depth)


def _options(options: Options | None, on_frame: OnFrame | None, outputs: Output | Sequence[Output]) -> Options:
    options = Options() if options is None else options
    if on_frame is not None:
        options = dataclasses.replace(options, on_frame=on_frame)
    given = [outputs] if isinstance(outputs, Output) else outputs
    options = dataclasses.replace(options, outputs=(*options.outputs, *given))
    for each in options.outputs:
        require_output(each)
    return options


class _Session:
    """One process's work on a run, under its lock."""

    def __init__(self, folder: RunFolder, preset: Preset, options: Options, origin: str | None) -> None:
        self._folder, self._preset, self._options, self._origin = folder, preset, options, origin
        self._pieces = folder.pieces(preset)
        self._started = time.perf_counter()
        self._seconds_before = 0.0
        self._inputs: dict[str, InputFacts] = {}

    def begin(self) -> Result:
        """Render from the first frame."""
        self._say_notes()
        with self._hinted(), open_film(self._preset) as chain:
            self._require_space(0)
            self._inputs = as_facts(fingerprints(self._preset, self._options.on_message), None)
            if self._folder.holds_run():  # everything that can go wrong before the first frame has not
                with self._folder.film_locked(self._options.on_message), self._folder.writing():
                    self._folder.clear()
                    self._pieces.remove_all()  # of a run whose preset could not be read
            self._preset = chain.settle(self._preset)
            self._folder.create(self._preset, self._origin)
            with self._log() as log:
                self._note(log, "begin", preset_file=self._origin, **worker())
                return self._run(chain, log, None)

    def resume(self, duration: str | None, moved: Mapping[str, str]) -> Result:
        """Render from the newest checkpoint that can be used."""
        with self._folder.writing():
            found, damaged = find_checkpoint(self._folder, self._preset)
        self._say(damaged)
        if found is None:  # it begins at the first frame, which needs all that a new render does
            self._preset = self._folder.load_preset(duration, moved, checked=True)
        self._require_same(found, moved)
        self._say_notes()
        settings = Settings.now() if found is None else found.facts.settings
        with self._hinted(), settings.kept(), open_film(self._preset, None if found is None else found.frame) as chain:
            if found is None:
                self._preset = chain.settle(self._preset)
            else:
                self._say(require_same_machine(found.facts, self._preset, chain))
                self._seconds_before = found.facts.seconds
            self._folder.create(self._preset, self._origin)
            with self._log() as log:
                self._note(log, "resume", frame=chain.first if found is None else found.frame, **worker())
                self._prepare(found)
                return self._run(chain, log, found)

    def _require_same(self, found: Found | None, moved: Mapping[str, str]) -> None:
        """What can be judged before anything is built. Raises RunError."""
        frames, before = self._preset.duration.to_frames(self._preset.fps), None if found is None else found.facts
        if found is not None and frames is not None and found.frame > frames:
            raise RunError(f"{found.frame} frames are rendered already; a duration of {frames} would drop some of them")
        if before is not None:
            require_same_preset(before, self._preset)
        with self._hinted():
            now = fingerprints(self._preset, self._options.on_message)
            require_same_inputs(self._folder, self._preset, now, before, moved.keys())
        self._inputs = as_facts(now, before)
        try:
            open_device(self._preset.device)
        except DeviceError:
            raise RunError(
                f"the run was begun on the device {self._preset.device!r}, which is not there; "
                f"{self._folder.resume_hint} where one is, or render anew, with --out"
            ) from None

    def _note(self, log: RunLog, event: str, **facts: Any) -> None:
        with self._folder.writing():
            log.event(event, **facts)

    def _say_notes(self) -> None:
        self._say([f"note: {note}" for note in self._preset.notes])

    def _say(self, messages: list[str]) -> None:
        for message in messages:
            self._options.on_message(message)

    @contextlib.contextmanager
    def _log(self) -> Iterator[RunLog]:
        with self._folder.writing():
            log = RunLog(self._folder.log_file)
        with contextlib.closing(log):
            yield log

    def _prepare(self, found: Found | None) -> None:
        """Clear away what no checkpoint counts, and what was left half-written."""
        frame = found.frame if found is not None else 0
        with self._folder.film_locked(self._options.on_message), self._folder.writing():
            checkpoint.drop_after(self._folder.state, frame)
            checkpoint.drop_after(self._folder.kept, frame)
            self._folder.drop_leftovers(self._preset)
            self._pieces.rewind(frame)

    def _run(self, chain: Film, log: RunLog, found: Found | None) -> Result:
        start = max(0, found.frame) if found is not None else 0
        film, *others = self._folder.outputs(self._preset)
        result = Result(film, self._folder.path, start, 0, 0.0, others=tuple(others))
        self._require_space(start)
        facts = facts_now(chain, self._preset, self._inputs)
        with contextlib.ExitStack() as stack:  # what watches sees the end of the film before its own
            beside = [
                stack.enter_context(Beside(output, chain.spec.shown, lambda text: self._tell(text, result)))
                for output in self._options.outputs
            ]
            with (
                Recorder(self._folder, self._pieces, log, start) as recorder,
                Behind("recorder", depth=4) as recording,
            ):
                began, most = self._started - self._seconds_before, 8 * self._pieces.length
                kept = self._pieces.kept_every()
                Rendering(chain, recorder, recording, beside, self._options, result, facts, began, kept, most).run(
                    found
                )
            result.times[self._preset.encode.id] = recorder.seconds
            result.notes += chain.report()
            if result.finished or (chain.spec.frames is None and result.frames > 0):
                comment = film_comment(self._preset, self._inputs, facts["environment"], self._origin)
                result.notes += self._finish(result, comment)
        result.seconds = time.perf_counter() - self._started
        names = [path.name for path in (result.path, *result.others)]
        self._note(log, "finished" if result.finished else "stopped", frame=result.frames, outputs=names)
        return result

    def _tell(self, text: str, result: Result) -> None:
        self._options.on_message(f"note: {text}")
        result.notes.append(text)

    def _finish(self, result: Result, comment: str) -> list[str]:
        with self._folder.film_locked(self._options.on_message):
            if not result.finished and has_more_frames(result.path, self._preset.renditions[0], result.frames):
                return []
            try:
                return finish_film(self._folder, self._preset, result.frames, comment)
            except MediaError as error:
                raise TroubleError(str(error)) from error

    def _require_space(self, start: int) -> None:
        frames = self._preset.duration.to_frames(self._preset.fps)
        require_space(self._folder, self._pieces.bytes_needed(None if frames is None else frames - start))

    @contextlib.contextmanager
    def _hinted(self) -> Iterator[None]:
        """Says after every trouble how to go on; running out of memory becomes an error of the device."""
        try:
            with out_of_memory_said():
                yield
        except PipelineError as error:
            if not self._folder.holds_run() or "dreamreel " in str(error) or isinstance(error, PresetError):
                raise
            raise type(error)(f"{error}\nwhat was rendered is kept; {self._folder.resume_hint}") from error
