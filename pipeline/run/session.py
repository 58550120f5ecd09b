"""Rendering and going on: the loop in front, the recorder behind, checkpoints in between."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.checkpoint import Checkpoint
from pipeline.errors import DeviceError, PipelineError, PresetError, RunError
from pipeline.loop import Chain, Frame, clock
from pipeline.preset import Preset
from pipeline.run.environment import environment
from pipeline.run.film import finish_film, sound_notes
from pipeline.run.folder import RunFolder, segment_frames
from pipeline.run.log import RunLog
from pipeline.run.recorder import RESERVE_BYTES, Recorder, encode_spool, require_space
from pipeline.run.recovery import clear_past, environment_warnings, find_checkpoint, require_same_run
from pipeline.stages import EndOfFootage, RunSpec

OnFrame = Callable[[Frame, RunSpec], None]


@dataclass(frozen=True)
class Options:
    """How a run is watched and kept; none of it changes a byte of the film."""

    on_frame: OnFrame = lambda frame, spec: None
    """sees every frame"""
    on_message: Callable[[str], None] = lambda text: None
    """hears warnings"""
    should_stop: Callable[[], bool] = lambda: False
    """asked before every frame; True ends the render with a checkpoint"""
    checkpoint_seconds: float = 30.0
    """at most so much work is ever lost"""


@dataclass
class Result:
    """What a render made. `finished` is False when it was stopped on the way."""

    path: Path
    folder: Path
    frames: int
    rendered: int
    """frames rendered by this call"""
    seconds: float
    times: dict[str, float] = field(default_factory=dict)
    """seconds by stage id, over the frames of this call"""
    finished: bool = False
    notes: list[str] = field(default_factory=list)
    """what the user should hear about, such as damage in the footage that was bridged"""


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
    folder = RunFolder(Path("renders") / preset.name if out is None else out)
    with folder.locked():
        if folder.holds_run() and not overwrite:
            choice = "or begin again with --overwrite, or elsewhere with --out"
            raise RunError(f"{folder.path} holds a run already; {folder.resume_hint}, {choice}")
        folder.require_free(preset)
        return _Session(folder, preset, _options(options, on_frame)).begin()


def resume(
    out: str | Path,
    on_frame: OnFrame | None = None,
    *,
    duration: str | None = None,
    options: Options | None = None,
) -> Result:
    """Go on with the run in `out` from its newest checkpoint; a longer `duration` extends it.

    Raises RunError when there is no run, when its preset was changed, or when no checkpoint can be used.
    """
    folder = RunFolder(out)
    preset = folder.load_preset(duration)
    with folder.locked():
        return _Session(folder, preset, _options(options, on_frame)).resume()


def _options(options: Options | None, on_frame: OnFrame | None) -> Options:
    options = Options() if options is None else options
    return options if on_frame is None else Options(**{**vars(options), "on_frame": on_frame})


class _Session:
    """One process's work on a run, under its lock."""

    def __init__(self, folder: RunFolder, preset: Preset, options: Options) -> None:
        self._folder, self._preset, self._options = folder, preset, options
        self._length = segment_frames(preset.fps)
        self._frame_bytes = preset.size.height * preset.size.width * 3
        self._started = time.perf_counter()
        self._seconds_before = 0.0

    def begin(self) -> Result:
        """Render from the first frame."""
        with self._hinted(), Chain(self._preset) as chain:
            require_space(self._folder, self._space_needed(0))
            if self._folder.holds_run():  # everything that can go wrong before the first frame has not
                self._folder.clear()
            self._preset = chain.pin(self._preset)
            self._folder.create(self._preset)
            with self._log() as log:
                self._note(log, "begin", preset_file=self._preset.origin)
                return self._run(chain, log, None)

    def resume(self) -> Result:
        """Render from the newest checkpoint that can be used."""
        found, damaged = find_checkpoint(self._folder, self._preset, self._length)
        self._say(damaged)
        frames = self._preset.duration.to_frames(self._preset.fps)
        if found is not None and frames is not None and found.frame > frames:
            raise RunError(f"{found.frame} frames are rendered already; a duration of {frames} would drop some of them")
        with self._hinted(), self._threads(found), Chain(self._preset) as chain:
            if found is not None:
                require_same_run(found, self._preset, chain.fingerprints())
                self._say(environment_warnings(found, environment(chain.spec.device)))
                self._seconds_before = found.facts["seconds"]
            self._folder.create(self._preset)
            with self._log() as log:
                self._note(log, "resume", frame=found.frame if found is not None else 0)
                self._prepare(chain, found)
                return self._run(chain, log, found)

    @contextlib.contextmanager
    def _threads(self, found: Checkpoint | None) -> Iterator[None]:
        """As many threads as the run was begun with: sums in another order have other last digits."""
        before = torch.get_num_threads()
        torch.set_num_threads(before if found is None else found.facts["threads"])
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def _note(self, log: RunLog, event: str, **facts: Any) -> None:
        with self._folder.writing():
            log.event(event, **facts)

    def _say(self, messages: list[str]) -> None:
        for message in messages:
            self._options.on_message(message)

    @contextlib.contextmanager
    def _log(self) -> Iterator[RunLog]:
        with self._folder.writing():
            log = RunLog(self._folder.log_file)
        with contextlib.closing(log):
            yield log

    def _prepare(self, chain: Chain, found: Checkpoint | None) -> None:
        with self._folder.writing():
            frame = found.frame if found is not None else 0
            for number in clear_past(self._folder, self._preset, frame, self._length, self._frame_bytes):
                encode_spool(self._folder, number, self._length, chain.sink.encode)

    def _run(self, chain: Chain, log: RunLog, found: Checkpoint | None) -> Result:
        start = found.frame if found is not None else 0
        result = Result(self._folder.film(self._preset), self._folder.path, start, 0, 0.0)
        require_space(self._folder, self._space_needed(start))
        device = chain.spec.device
        self._say(sound_notes(self._preset))
        with Recorder(self._folder, log, chain.sink.encode, self._length, start, device) as recorder:
            self._loop(chain, recorder, found, result)
        recorder.drop_spools()  # the last segments came after the last checkpoint
        result.times[chain.sink.config.id] = recorder.seconds
        result.notes = chain.report()
        if result.finished or (chain.spec.frames is None and result.frames > 0):
            result.notes += finish_film(self._folder, self._preset, result.frames)
        result.seconds = time.perf_counter() - self._started
        self._note(log, "finished" if result.finished else "stopped", frame=result.frames)
        return result

    def _loop(self, chain: Chain, recorder: Recorder, found: Checkpoint | None, result: Result) -> None:
        previous, facts = self._restore(chain, found), self._facts(chain)
        saved_frame, saved_at = result.frames, time.perf_counter()
        while result.frames != chain.spec.frames and not self._options.should_stop():
            began = time.perf_counter()
            try:
                frame = chain.step(result.frames, previous)
            except EndOfFootage:
                result.finished = True
                break
            with clock(frame.times, "waiting"):
                recorder.put(frame)
            previous = frame.feedback
            self._count(frame, result, chain.spec)
            now = time.perf_counter()
            # Early by a frame's time, for the work that would be lost while the next one is made.
            if now - saved_at + (now - began) >= self._options.checkpoint_seconds or self._spool_is_long(result):
                self._save(chain, recorder, previous, result.frames, facts)
                saved_frame, saved_at = result.frames, now
        result.finished = result.finished or result.frames == chain.spec.frames
        if previous is not None:
            if result.finished or chain.spec.frames is None:
                recorder.finish()
            if result.frames != saved_frame:
                self._save(chain, recorder, previous, result.frames, facts)

    def _count(self, frame: Frame, result: Result, spec: RunSpec) -> None:
        result.frames += 1
        result.rendered += 1
        for stage, seconds in frame.times.items():
            result.times[stage] = result.times.get(stage, 0.0) + seconds
        self._options.on_frame(frame, spec)

    def _spool_is_long(self, result: Result) -> bool:
        """On a fast device, spools are dropped every few segments whatever the clock says, to bound the disk."""
        return result.rendered % (8 * self._length) == 0

    def _restore(self, chain: Chain, found: Checkpoint | None) -> Tensor | None:
        if found is None:
            return None
        tensors = dict(found.tensors)
        previous = tensors.pop("previous").to(chain.spec.device)
        chain.load_state_dict(tensors)
        return previous

    def _facts(self, chain: Chain) -> dict[str, Any]:
        return {
            "preset": self._preset.resolved(),
            "fingerprints": chain.fingerprints(),
            "environment": environment(chain.spec.device),
            "threads": torch.get_num_threads(),
        }

    def _save(self, chain: Chain, recorder: Recorder, previous: Tensor, frame: int, facts: dict[str, Any]) -> None:
        tensors = {"previous": previous.detach().to("cpu", copy=True), **chain.state_dict()}
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
            try:
                yield
            except (RuntimeError, MemoryError) as error:
                if isinstance(error, RuntimeError) and not _is_out_of_memory(error):
                    raise
                remedy = "set the dream stage's `memory` lower, or use a smaller size or fewer octaves"
                raise DeviceError(f"out of memory; {remedy}") from error
        except PipelineError as error:
            if not self._folder.holds_run() or "dreamreel " in str(error) or isinstance(error, PresetError):
                raise
            raise type(error)(f"{error}\nwhat was rendered is kept; {self._folder.resume_hint}") from error


def _is_out_of_memory(error: RuntimeError) -> bool:
    # On the CPU, torch has no class of its own for it.
    return isinstance(error, torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)
