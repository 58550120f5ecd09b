"""Looking at a run from outside, and joining what it has so far, whether or not it is still rendering."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import filelock
import torch

from pipeline import checkpoint
from pipeline.disk import partial_path
from pipeline.errors import PresetError, RunError
from pipeline.loop import build_sink
from pipeline.media.joining import count_frames
from pipeline.media.paths import resolve_sound
from pipeline.preset import Preset, load_preset
from pipeline.run.film import join_with_sound
from pipeline.run.folder import RunFolder, changed_keys, segment_frames
from pipeline.run.log import read_log
from pipeline.run.recovery import verify_frames


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
    """by frame: whole, or what is damaged"""
    seconds: float
    film: Path | None
    changes: list[str]
    """keys whose values differ from the file the preset came from"""
    origin: str | None


def report(out: str | Path) -> Report:
    """What there is to know about the run in `out`. Raises RunError when there is none."""
    folder = RunFolder(out)
    preset = folder.load_preset()
    newest, _ = checkpoint.load_newest(folder.state)
    frames = newest.frame if newest is not None else 0
    total, film = preset.duration.to_frames(preset.fps), folder.film(preset)
    events = [record for record in read_log(folder.log_file) if "event" in record]
    # Footage may end before the length it told.
    finished = film.exists() and (frames == total or (bool(events) and events[-1]["event"] == "finished"))
    origin = next((record["preset_file"] for record in events if "preset_file" in record), None)
    return Report(
        folder=folder.path,
        preset=preset,
        state="rendering" if _is_locked(folder) else "finished" if finished else "stopped",
        frames=frames,
        total=total,
        segments=sum(1 for path in folder.segments.glob("*.mp4") if path.stem.isdigit()),
        checkpoints={frame: _health(folder, preset, frame) for frame in checkpoint.frames_kept(folder.state)},
        seconds=newest.facts["seconds"] if newest is not None else 0.0,
        film=film if film.exists() else None,
        changes=_changes(origin, preset),
        origin=origin,
    )


def _is_locked(folder: RunFolder) -> bool:
    lock = filelock.FileLock(folder.lock_file)
    try:
        with lock.acquire(timeout=0):
            return False
    except filelock.Timeout:
        return True
    except OSError:  # nobody renders where nobody can write
        return False


def _health(folder: RunFolder, preset: Preset, frame: int) -> str:
    try:
        verify_frames(folder, checkpoint.load(folder.state, frame), preset, segment_frames(preset.fps))
    except ValueError as error:
        return str(error)
    return "whole"


def _changes(origin: str | None, preset: Preset) -> list[str]:
    try:
        changes = [] if origin is None else changed_keys(load_preset(origin).resolved(), preset.resolved())
    except PresetError:
        return [f"{origin} can't be read any more"]
    return [change for change in changes if ": auto -> " not in change]  # what the run decided for itself


def assemble(
    out: str | Path, audio: str | None = None, on_message: Callable[[str], None] = lambda text: None
) -> tuple[Path, int]:
    """Join the film so far; returns its path and frame count. Safe while the run is rendering.

    `audio` stands in for the preset's: none, source, or a file, relative to the current folder. `on_message` hears
    about a sound that can't be had. Raises RunError when there is no run or no frame yet, when a piece is missing, or
    when `audio` has no sound; MediaError when the pieces can't be joined. A film that is there already is never
    replaced by a shorter one.
    """
    folder = RunFolder(out)
    preset = _with_audio(folder.load_preset(), audio)
    pieces, frames = _closed_segments(folder, preset)
    extra = partial_path(folder.segments / f"{len(pieces):06d}-assembly.mp4", ".mp4")
    with folder.writing():
        try:
            spooled = _encode_open_spool(folder, preset, len(pieces), extra)
            if spooled:
                pieces.append(extra)
            if not pieces:
                raise RunError(f"{folder.path} has no frame yet")
            _require_longer(folder.film(preset), frames + spooled)
            for note in join_with_sound(pieces, preset, folder.film(preset)):
                on_message(note)
        finally:
            extra.unlink(missing_ok=True)
    return folder.film(preset), frames + spooled


def _with_audio(preset: Preset, audio: str | None) -> Preset:
    if audio is None:
        return preset
    try:
        return preset.model_copy(update={"audio": resolve_sound(audio, Path.cwd())})
    except ValueError as error:
        raise RunError(f"--audio {audio}: {error}") from None


def _closed_segments(folder: RunFolder, preset: Preset) -> tuple[list[Path], int]:
    pieces: list[Path] = []
    while (piece := folder.segment(len(pieces))).exists():
        pieces.append(piece)
    later = [int(path.stem) for path in folder.segments.glob("*.mp4") if path.stem.isdigit()]
    if any(number > len(pieces) for number in later):
        raise RunError(
            f"segment {len(pieces)} of {folder.path} is missing, and later ones are there; "
            f"the pieces lie in {folder.segments}"
        )
    if pieces and count_frames(pieces[-1]) < segment_frames(preset.fps) and folder.spool(len(pieces) - 1).exists():
        pieces.pop()  # the last one of a finished film: its spool says the same, or more
    return pieces, sum(map(count_frames, pieces))


def _require_longer(film: Path, frames: int) -> None:
    there = count_frames(film) if film.exists() else 0
    if there > frames:
        raise RunError(f"{film} has {there} frames, and only {frames} are left in pieces: it stays as it is")


def _encode_open_spool(folder: RunFolder, preset: Preset, number: int, film: Path) -> int:
    spool = folder.spool(number)
    frames = spool.stat().st_size // (preset.size.height * preset.size.width * 3) if spool.exists() else 0
    if frames:
        spec = replace(preset.spec(torch.device("cpu")), frames=None)
        build_sink(preset, spec).encode(spool, film, frames)
    return frames
