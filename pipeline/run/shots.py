"""A film cut into shots: each is a run of its own below the film's folder, and the film is joined of their segments."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.chain import Chain
from pipeline.disk import make_folder, read_regular, write_whole
from pipeline.errors import PASSING, PipelineError, RunError, TroubleError, shell_word
from pipeline.preset import Preset
from pipeline.run.environment import versions
from pipeline.run.facts import InputFacts
from pipeline.run.film_writer import finish_film
from pipeline.run.folder import RunFolder
from pipeline.run.inputs import as_facts, fingerprints
from pipeline.run.log import RunLog, worker
from pipeline.run.metadata import film_comment
from pipeline.run.options import Options, Result
from pipeline.run.settings import Settings
from pipeline.run.shot_presets import shot_preset, shots_of, with_cuts_found
from pipeline.run.shot_workers import ShotWorkers
from pipeline.run.standing import standing
from pipeline.stages.shot import Shot

Resume = Callable[[RunFolder, Mapping[str, str], Options], Result]
_MOST_BYTES = 1 << 24


class Begun(BaseModel):
    """What all shots have in common, however late one is begun."""

    model_config = ConfigDict(frozen=True, strict=True)

    frames: int = Field(ge=1)
    settings: Settings
    inputs: dict[str, InputFacts]


def read_begun(folder: RunFolder) -> Begun:
    """Raises RunError where it is gone or damaged."""
    try:
        return Begun.model_validate_json(read_regular(folder.shots_file, _MOST_BYTES))
    except (OSError, ValidationError) as error:
        again = f"`dreamreel render {shell_word(str(folder.path / 'preset.yaml'))} --out ANOTHER` renders it anew"
        raise RunError(f"{folder.shots_file} is gone or damaged, which says how the film is cut; {again}") from error


def frames_finished(folder: RunFolder) -> int | None:
    """How many frames a shot that is finished has; None for one that is not."""
    found = standing(folder)
    return found.frames if found.state == "finished" else None


def require_own_length(folder: RunFolder, duration: str | None) -> None:
    """Raises RunError where a run that is cut into shots, or a shot, is to have another length."""
    if duration is None or not folder.holds_run():
        return
    preset = folder.load_preset()
    if preset.cut_into_shots or any(config.part is not None for config in preset.chain[:1]):
        raise RunError(f"--duration {duration}: the film was cut into shots by its length; render it anew, with --out")


class Shots:
    """One process's work on a film of shots, under its folder's lock."""

    def __init__(self, folder: RunFolder, preset: Preset, options: Options, origin: str | None, resume: Resume) -> None:
        if options.outputs:
            raise RunError("a film that is cut into `shots` has no frames in a row for outputs; render without `shots`")
        self._folder, self._preset, self._options, self._origin = folder, preset, options, origin
        self._resume = resume
        self._moved: Mapping[str, str] = {}
        self._started = time.perf_counter()

    def begin(self) -> Result:
        """Find the cuts, and render every shot."""
        for note in self._preset.notes:
            self._options.on_message(f"note: {note}")
        preset, frames = with_cuts_found(self._preset)
        with Chain(preset) as chain:  # what it takes for itself, all shots take
            self._preset = chain.settle(preset)
        begun = Begun(frames=frames, settings=Settings.now(), inputs=self._inputs_now())
        if self._folder.log_file.exists():
            with self._folder.film_locked(self._options.on_message):
                self._folder.clear()
        with self._folder.writing():  # before the preset, which makes a run of it
            make_folder(self._folder.shots)
            write_whole(self._folder.shots_file, begun.model_dump_json(indent=1).encode())
        self._folder.create(self._preset, self._origin)
        return self._run("begin", begun)

    def resume(self, moved: Mapping[str, str]) -> Result:
        """Render what is left of every shot."""
        self._moved = moved
        if not self._folder.shots_file.exists() and not self._folder.shots_there():  # it was planned, or hardly begun
            self._preset = self._folder.load_preset(None, moved, checked=True)
            return self.begin()
        begun, now = read_begun(self._folder), self._inputs_now()
        other = [key for key in begun.inputs if key in now and now[key].digest != begun.inputs[key].digest]
        if [key for key in other if key != "audio"]:
            raise RunError(
                f"{', '.join(other)}: does not hold what it held when the run in {self._folder.path} was begun; bring "
                "the old files back, or render another film, with --out"
            )
        self._folder.create(self._preset, self._origin)
        return self._run("resume", begun)

    def _inputs_now(self) -> dict[str, InputFacts]:
        return as_facts(fingerprints(self._preset, self._options.on_message), None)

    def _run(self, event: str, begun: Begun) -> Result:
        shots = shots_of(self._preset, begun.frames)
        film, *others = self._folder.outputs(self._preset)
        result = Result(film, self._folder.path, 0, 0, 0.0, others=tuple(others))
        with self._folder.writing():
            log = RunLog(self._folder.log_file)
        with contextlib.closing(log):
            self._note(log, event, shots=len(shots), **worker())
            self._options.on_message(f"{len(shots)} shot{'s' if len(shots) != 1 else ''}, {begun.frames} frames")
            with begun.settings.kept():
                failures = self._render(shots, begun, result, log)
            counts = [frames_finished(self._folder.shot(shot.number)) for shot in shots]
            result.frames = sum(count for count in counts if count is not None)
            result.finished = None not in counts
            if result.finished:
                result.notes += self._join(shots, begun)
            names = [path.name for path in (film, *others)]
            state = "finished" if result.finished else "stopped"
            self._note(log, state, frame=result.frames, outputs=names)
        result.seconds = time.perf_counter() - self._started
        self._require_none(failures, len(shots))
        return result

    def _require_none(self, failures: Mapping[int, PipelineError], shots: int) -> None:
        """Raises TroubleError where all that went wrong may be over by the next try, RunError for anything else."""
        if failures:
            listed = "\n  ".join(f"shot {number}: {error}" for number, error in sorted(failures.items()))
            kind = TroubleError if all(isinstance(each, PASSING) for each in failures.values()) else RunError
            raise kind(
                f"{len(failures)} of {shots} shots failed:\n  {listed}\nthe others are kept; {self._folder.resume_hint}"
            )

    def _render(self, shots: list[Shot], begun: Begun, result: Result, log: RunLog) -> dict[int, PipelineError]:
        """Render what is not finished; what went wrong, by the number of the shot."""
        left = [shot for shot in shots if frames_finished(self._folder.shot(shot.number)) is None]
        for shot in left:
            folder = self._folder.shot(shot.number)
            if not folder.holds_run():
                folder.create(shot_preset(self._preset, shot), self._origin)
        if self._options.workers > 1 and len(left) > 1:
            done = sum(shot.frames for shot in shots) - sum(shot.frames for shot in left)
            return ShotWorkers(self._folder, begun.settings, self._options, self._moved).render(left, done, result)
        failures: dict[int, PipelineError] = {}
        for shot in left:
            if self._options.should_stop():
                break
            try:
                self._add(result, self._resume(self._folder.shot(shot.number), self._moved, self._watching(shot)))
                self._note(log, "shot", number=shot.number)
            except PipelineError as error:
                failures[shot.number] = error
        return failures

    def _watching(self, shot: Shot) -> Options:
        """Options for one shot, whose frames are shown as the film's."""
        seen, say = self._options.on_frame, self._options.on_message
        return dataclasses.replace(
            self._options,
            on_frame=lambda frame, spec: seen(frame.moved(shot.first), spec),
            on_message=lambda text: say(f"shot {shot.number}: {text}"),
        )

    @staticmethod
    def _add(result: Result, made: Result) -> None:
        result.rendered += made.rendered
        result.notes += [note for note in made.notes if note not in result.notes]
        for stage, seconds in made.times.items():
            result.times[stage] = result.times.get(stage, 0.0) + seconds

    def _join(self, shots: list[Shot], begun: Begun) -> list[str]:
        made_with = versions(self._preset.packages().values())
        comment = film_comment(self._preset, begun.inputs, made_with, self._origin)
        with self._folder.film_locked(self._options.on_message):
            self._folder.drop_leftovers(self._preset)
            films, frames = finished_segments(self._folder, shots)
            return finish_film(self._folder, self._preset, frames, comment, films)

    def _note(self, log: RunLog, event: str, **facts: object) -> None:
        with self._folder.writing():
            log.event(event, **facts)


def finished_segments(folder: RunFolder, shots: list[Shot]) -> tuple[list[list[Path]], int]:
    """For each output, the segments of the shots up to the first that is not finished; and their frames.

    Raises RunError for a folder that holds another shot.
    """
    films: list[list[Path]] = []
    frames = 0
    for shot in shots:
        there = folder.shot(shot.number)
        count = frames_finished(there)
        if count is None:
            break
        preset = there.load_preset()
        if preset.chain[0].part != shot or count != shot.frames:
            raise RunError(
                f"{there.path} holds no run of this film's shot {shot.number}, {shot.frames} frames; put that back"
            )
        pieces = there.pieces(preset)
        found = [pieces.films(count, rendition) for rendition in pieces.renditions]
        films = [[*a, *b] for a, b in zip(films, found, strict=True)] if films else found
        frames += count
    return films, frames
