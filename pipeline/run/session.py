"""Rendering and going on: the loop in front, the recorder behind, checkpoints in between."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from pipeline.activity import report
from pipeline.device import open_device, out_of_memory_said
from pipeline.errors import DeviceError, PipelineError, PresetError, RunError
from pipeline.loop import Chain, Frame, Pass, clock
from pipeline.media.ffmpeg import ffmpeg_program
from pipeline.preset import Preset
from pipeline.run.environment import environment
from pipeline.run.facts import PREVIOUS, Found, InputFacts
from pipeline.run.film import finish_film, has_more_frames
from pipeline.run.folder import RunFolder, segment_frames
from pipeline.run.inputs import as_facts, fingerprints, require_same_inputs
from pipeline.run.log import RunLog
from pipeline.run.metadata import film_comment
from pipeline.run.options import OnFrame, Options, Result
from pipeline.run.recorder import RESERVE_BYTES, Recorder, encode_spool, require_space
from pipeline.run.recovery import clear_past, find_checkpoint, require_same_machine, require_same_preset
from pipeline.run.settings import Settings
from pipeline.stages import EndOfFootage, RunSpec


def render(
    preset: Preset,
    out: str | Path | None = None,
    on_frame: OnFrame | None = None,
    *,
    overwrite: bool = False,
    options: Options | None = None,
) -> Result:
    """Render the film in a folder of its own, by default `renders/NAME`; `on_frame` sees every frame.

    Raises PipelineError for whatever the user or the machine has to change; what was rendered is kept.
    """
    open_device(preset.device)  # a preset for another machine makes no folder here
    ffmpeg_program()  # before hours of work that nothing could write down
    folder = RunFolder(Path("renders") / preset.name if out is None else out)
    with folder.locked():
        if folder.holds_run() and not overwrite:
            choice = "or begin again with --overwrite, or elsewhere with --out"
            raise RunError(f"{folder.path} holds a run already; {folder.resume_hint}, {choice}")
        folder.require_free(preset)
        return _Session(folder, preset, _options(options, on_frame), preset.origin).begin()


def resume(
    out: str | Path,
    on_frame: OnFrame | None = None,
    *,
    duration: str | None = None,
    moved: Mapping[str, str] | None = None,
    options: Options | None = None,
) -> Result:
    """Go on with the run in `out` from its newest checkpoint; a longer `duration` extends it.

    `moved` says where the run's files are now, by the preset's keys that name them: `{"image.path": "new/cat.png"}`.
    They must hold what they held; another `audio`, which touches no frame, may be anything.

    Raises RunError when there is no run, when its preset or one of its files was changed, when something that it took
    for itself at the beginning can't be had, or when no checkpoint can be used.
    """
    ffmpeg_program()
    folder = RunFolder(out)
    preset = folder.load_preset(duration, moved)
    with folder.locked():
        session = _Session(folder, preset, _options(options, on_frame), folder.origin())
        return session.resume(duration, {} if moved is None else moved)


def _options(options: Options | None, on_frame: OnFrame | None) -> Options:
    options = Options() if options is None else options
    return options if on_frame is None else dataclasses.replace(options, on_frame=on_frame)


class _Session:
    """One process's work on a run, under its lock."""

    def __init__(self, folder: RunFolder, preset: Preset, options: Options, origin: str | None) -> None:
        self._folder, self._preset, self._options, self._origin = folder, preset, options, origin
        self._length = segment_frames(preset.fps)
        self._frame_bytes = preset.size.height * preset.size.width * 3
        self._started = time.perf_counter()
        self._seconds_before = 0.0
        self._inputs: dict[str, InputFacts] = {}

    def begin(self) -> Result:
        """Render from the first frame."""
        self._say_notes()
        with self._hinted(), Chain(self._preset) as chain:
            require_space(self._folder, self._space_needed(0))
            self._inputs = as_facts(fingerprints(self._preset, self._options.on_message), None)
            if self._folder.holds_run():  # everything that can go wrong before the first frame has not
                with self._folder.film_locked(self._options.on_message):
                    self._folder.clear()
            self._preset = chain.pin(self._preset)
            self._folder.create(self._preset, self._origin)
            with self._log() as log:
                self._note(log, "begin", preset_file=self._origin)
                return self._run(chain, log, None)

    def resume(self, duration: str | None, moved: Mapping[str, str]) -> Result:
        """Render from the newest checkpoint that can be used."""
        with self._folder.writing():
            found, damaged = find_checkpoint(self._folder, self._preset, self._length)
        self._say(damaged)
        if found is None:  # it begins at the first frame, which needs all that a new render does
            self._preset = self._folder.load_preset(duration, moved, checked=True)
        self._require_same(found, moved)
        self._say_notes()
        settings = Settings.now() if found is None else found.facts.settings
        with self._hinted(), settings.kept(), Chain(self._preset) as chain:
            if found is None:
                self._preset = chain.pin(self._preset)
            else:
                self._say(require_same_machine(found.facts, self._preset, chain))
                self._seconds_before = found.facts.seconds
            self._folder.create(self._preset, self._origin)
            with self._log() as log:
                self._note(log, "resume", frame=found.frame if found is not None else chain.first)
                self._prepare(chain, found)
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

    def _prepare(self, chain: Chain, found: Found | None) -> None:
        frame = found.frame if found is not None else 0
        with self._folder.film_locked(self._options.on_message), self._folder.writing():
            for number in clear_past(self._folder, self._preset, frame, self._length, self._frame_bytes):
                encode_spool(self._folder, number, self._length, chain.sink.encode)

    def _run(self, chain: Chain, log: RunLog, found: Found | None) -> Result:
        start = max(0, found.frame) if found is not None else 0
        result = Result(self._folder.film(self._preset), self._folder.path, start, 0, 0.0)
        require_space(self._folder, self._space_needed(start))
        facts = self._facts(chain)
        with Recorder(self._folder, log, chain.sink.encode, self._length, start, chain.spec.device) as recorder:
            self._loop(chain, recorder, found, result, facts)
        recorder.drop_spools()  # the last segments came after the last checkpoint
        result.times[chain.sink.config.id] = recorder.seconds
        result.notes = chain.report()
        if result.finished or (chain.spec.frames is None and result.frames > 0):
            result.notes += self._finish(
                result, film_comment(self._preset, self._inputs, facts["environment"], self._origin)
            )
        result.seconds = time.perf_counter() - self._started
        self._note(log, "finished" if result.finished else "stopped", frame=result.frames)
        return result

    def _finish(self, result: Result, comment: str) -> list[str]:
        with self._folder.film_locked(self._options.on_message):
            if not result.finished and has_more_frames(result.path, result.frames):
                return []
            return finish_film(self._folder, self._preset, result.frames, comment)

    def _loop(
        self, chain: Chain, recorder: Recorder, found: Found | None, result: Result, facts: dict[str, Any]
    ) -> None:
        index, previous = (chain.first, None) if found is None else (found.frame, found.restore(chain))
        saved, saved_at = index, time.perf_counter()
        while index != chain.spec.frames and not self._options.should_stop():
            began = time.perf_counter()
            try:
                made = chain.step(index, previous)
            except EndOfFootage:
                result.finished = True
                break
            if index >= 0:
                with clock(made.times, "waiting"):
                    recorder.put(made)
            index, previous = index + 1, made.feedback
            self._count(made, chain.spec, result)
            now = time.perf_counter()
            # Early by a frame's time, for the work that would be lost while the next one is made.
            if now - saved_at + (now - began) >= self._options.checkpoint_seconds or self._spool_is_long(result):
                self._save(chain, recorder, previous, index, facts)
                saved, saved_at = index, now
        result.finished = result.finished or index == chain.spec.frames
        if previous is not None:
            if result.finished or chain.spec.frames is None:
                report("encoding the last frames")
                recorder.finish()
            if index != saved:
                self._save(chain, recorder, previous, index, facts)

    def _count(self, made: Pass, spec: RunSpec, result: Result) -> None:
        for stage, seconds in made.times.items():
            result.times[stage] = result.times.get(stage, 0.0) + seconds
        if made.index < 0:
            self._options.on_lead_in(made.index + 1 + spec.lead_in, spec.lead_in)
            return
        result.frames += 1
        result.rendered += 1
        self._options.on_frame(Frame(made), spec)

    def _spool_is_long(self, result: Result) -> bool:
        """On a fast device, spools are dropped every few segments whatever the clock says, to bound the disk."""
        return result.rendered > 0 and result.rendered % (8 * self._length) == 0

    def _facts(self, chain: Chain) -> dict[str, Any]:
        return {
            "preset": self._preset.resolved(),
            "inputs": {key: each.model_dump() for key, each in self._inputs.items()},
            "built": chain.fingerprints(self._preset),
            "environment": environment(chain.spec.device, self._preset.packages().values()),
            "settings": Settings.now().model_dump(),
        }

    def _save(self, chain: Chain, recorder: Recorder, previous: Tensor, frame: int, facts: dict[str, Any]) -> None:
        tensors = {PREVIOUS: previous.detach().to("cpu", copy=True), **chain.state_dict()}
        seconds = self._seconds_before + time.perf_counter() - self._started
        recorder.save(frame, tensors, {**facts, "seconds": round(seconds, 3)})

    def _space_needed(self, start: int) -> int:
        """Spools and checkpoints at their largest, and the film twice (segments and joined) at a generous rate."""
        frames = self._preset.duration.to_frames(self._preset.fps)
        left = 0 if frames is None else frames - start
        spools = min(left if frames is not None else 4 * self._length, 4 * self._length) * self._frame_bytes
        return RESERVE_BYTES + spools + 3 * 4 * self._frame_bytes + int(0.2 * left * self._frame_bytes)

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
