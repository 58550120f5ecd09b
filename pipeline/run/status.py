"""Looking at a run from outside, and joining what it has so far, whether or not it is still rendering."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline import checkpoint
from pipeline.errors import PipelineError, RunError
from pipeline.media.paths import resolve_sound
from pipeline.outputs import count_finished
from pipeline.preset import Preset, load_preset
from pipeline.run.ancestry import Ancestry, read_ancestry
from pipeline.run.changes import changed_keys
from pipeline.run.environment import versions
from pipeline.run.facts import Found, load_found
from pipeline.run.film_writer import has_more_frames, write_output
from pipeline.run.folder import RunFolder
from pipeline.run.inputs import as_facts, fingerprints
from pipeline.run.log import read_log
from pipeline.run.metadata import film_comment
from pipeline.run.pieces import ClosedMeanwhile, SegmentMissing
from pipeline.run.recovery import load_whole
from pipeline.run.shot_presets import shots_of
from pipeline.run.shots import finished_segments, read_begun
from pipeline.run.standing import is_rendering

_TRIES = 5


@dataclass(frozen=True)
class Report:
    """The state of a run."""

    folder: Path
    preset: Preset
    state: str
    """rendering, finished, or stopped"""
    frames: int
    """that a checkpoint counts"""
    total: int | None
    segments: int
    checkpoints: dict[int, str]
    """by frame, below 0 within the lead-in: whole, or what is damaged"""
    seconds: float
    film: Path | None
    changes: list[str]
    """keys whose values differ from the file the preset came from"""
    origin: str | None
    ancestry: Ancestry | None
    """of a branch: what it is one of"""
    kept: list[int]
    """the frames at which a state is kept to branch from"""
    kept_bytes: int
    """what these take on the disk, shared with other runs or not"""
    shots: tuple[tuple[int, int], ...]
    """of a film that is cut into shots: how many frames each has so far, and how many it will have"""


def report(out: str | Path) -> Report:
    """What there is to know about the run in `out`. Raises RunError when there is none."""
    folder = RunFolder(out)
    preset = folder.load_preset()
    kept = checkpoint.frames_kept(folder.state)
    newest = _newest(folder, preset)
    shots = _shots(folder, preset)
    begun = [each for each in (newest, *(each for each, _ in shots)) if each is not None]
    frames = sum(max(0, each.frame) for each in begun)
    total, film = preset.duration.to_frames(preset.fps), folder.film(preset)
    events = [record for record in read_log(folder.log_file) if "event" in record]
    # Footage may end before the length it told.
    finished = film.exists() and (frames == total or (bool(events) and events[-1]["event"] == "finished"))
    origin = folder.origin()
    return Report(
        folder=folder.path,
        preset=preset,
        state="rendering" if is_rendering(folder) else "finished" if finished else "stopped",
        frames=frames,
        total=total,
        segments=folder.pieces(preset).closed(),
        checkpoints={frame: _health(folder, preset, frame) for frame in kept},
        seconds=sum(each.facts.seconds for each in begun),
        film=film if film.exists() else None,
        changes=_changes(origin, preset),
        origin=origin,
        ancestry=read_ancestry(folder.branch_file),
        kept=checkpoint.frames_kept(folder.kept),
        kept_bytes=checkpoint.bytes_kept(folder.kept),
        shots=tuple((0 if each is None else each.frame, length) for each, length in shots),
    )


def _shots(folder: RunFolder, preset: Preset) -> list[tuple[Found | None, int]]:
    """The newest checkpoint of each, and how many frames it will have."""
    if not preset.cut_into_shots:
        return []
    found = []
    for shot in shots_of(preset, read_begun(folder).frames):
        there = folder.shot(shot.number)
        found.append((_newest(there, there.load_preset()) if there.holds_run() else None, shot.frames))
    return found


def _newest(folder: RunFolder, preset: Preset) -> Found | None:
    """The newest checkpoint whose own files are whole."""
    for frame in reversed(checkpoint.frames_kept(folder.state)):
        try:
            return load_found(folder.state, frame, preset.canvas)
        except ValueError:
            continue
    return None


def _health(folder: RunFolder, preset: Preset, frame: int) -> str:
    try:
        load_whole(folder, preset, frame)
    except ValueError as error:
        return str(error)
    return "whole"


def _changes(origin: str | None, preset: Preset) -> list[str]:
    try:
        changes = [] if origin is None else changed_keys(load_preset(origin).resolved(), preset.resolved())
    except (PipelineError, OSError, ValueError):
        return [f"{origin} can't be read any more"]
    return [change for change in changes if ": auto -> " not in change]  # what the run decided for itself


def assemble(
    out: str | Path, audio: str | None = None, on_message: Callable[[str], None] = lambda text: None
) -> tuple[Path, int]:
    """Join the film so far; returns its path and frame count. Safe while the run is rendering.

    `audio` stands in for the preset's: none, source, or a file, relative to the current folder. `on_message` hears
    about a sound that can't be had, and about waiting for another process. Raises RunError when there is no run or no
    frame yet, when a piece is missing, or when `audio` has no sound; MediaError when the pieces can't be joined. A
    film that is there already is never replaced by a shorter one.
    """
    folder = RunFolder(out)
    folder.load_preset()
    with folder.film_locked(on_message), folder.writing():
        preset = _with_audio(folder.load_preset(), audio)  # the run may have been begun anew while this waited
        comment = _comment(folder, preset)
        if preset.cut_into_shots:
            films, frames = finished_segments(folder, shots_of(preset, read_begun(folder).frames))
            _write(folder, preset, films, frames, comment, on_message)
            return folder.film(preset), frames
        for _ in range(_TRIES):
            try:
                with folder.pieces(preset).so_far() as (films, frames):
                    _write(folder, preset, films, frames, comment, on_message)
                return folder.film(preset), frames
            except ClosedMeanwhile:
                continue
            except SegmentMissing as error:
                raise RunError(
                    f"segment {error.number} of {folder.path} is missing, and later ones are there; "
                    f"the pieces lie in {folder.segments}"
                ) from None
    raise RunError(f"{folder.path} renders too fast to be joined meanwhile; try again")


def _comment(folder: RunFolder, preset: Preset) -> str:
    newest = _newest(folder, preset)
    inputs = newest.facts.inputs if newest is not None else as_facts(fingerprints(preset, lambda text: None), None)
    made_with = newest.facts.environment if newest is not None else versions(preset.packages().values())
    return film_comment(preset, inputs, made_with, folder.origin())


def _write(
    folder: RunFolder,
    preset: Preset,
    films: list[list[Path]],
    frames: int,
    comment: str,
    on_message: Callable[[str], None],
) -> None:
    """Make each output of its pieces, which hold so many frames of the film, unless there is a longer one."""
    if not films or not films[0]:
        what = "finished first shot" if preset.cut_into_shots else "frame"
        raise RunError(f"{folder.path} has no {what} yet")
    for rendition, target, pieces in zip(preset.renditions, folder.outputs(preset), films, strict=True):
        if has_more_frames(target, rendition, frames):
            there = count_finished(target, rendition)
            raise RunError(f"{target} has {there} frames, and only {frames} are left in pieces: it stays as it is")
        for note in write_output(pieces, preset, rendition, target, comment) if pieces else ():
            on_message(note)


def _with_audio(preset: Preset, audio: str | None) -> Preset:
    if audio is None:
        return preset
    try:
        return preset.model_copy(update={"audio": resolve_sound(audio, Path.cwd())})
    except ValueError as error:
        raise RunError(f"--audio {audio}: {error}") from None
