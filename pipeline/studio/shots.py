"""A film that is cut into shots, shown as one: its frames lie in the runs of its shots."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.preset import Preset
from pipeline.run.folder import RunFolder
from pipeline.run.shot_presets import shots_of
from pipeline.run.shots import read_begun


@dataclass(frozen=True)
class Part:
    """A run that holds some of a film's frames: which of them its first is, and how many it will have."""

    path: Path
    first: int
    frames: int | None


def parts_of(path: Path, preset: Preset) -> list[Part]:
    """The runs that hold a run's frames, in their order: itself, or those of its shots that were begun."""
    if not preset.cut_into_shots:
        return [Part(path, 0, preset.duration.to_frames(preset.fps))]
    folder = RunFolder(path)
    try:
        shots = shots_of(preset, read_begun(folder).frames) if folder.shots_file.exists() else []
    except PipelineError:
        return []
    there = [Part(folder.shot(shot.number).path, shot.first, shot.frames) for shot in shots]
    return [part for part in there if RunFolder(part.path).holds_run()]
