"""The film from its pieces and its sound, with a poster and a contact sheet beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.disk import PARTIAL, replacing
from pipeline.frame import from_array
from pipeline.media.joining import contact_sheet, join, read_frames_at
from pipeline.media.picture import write_png
from pipeline.media.sound import Soundtrack, add_sound
from pipeline.preset import Preset
from pipeline.run.folder import RunFolder, segment_frames
from pipeline.stages import Source

SHEET_PICTURES, SHEET_COLUMNS, SHEET_WIDTH = 12, 4, 320


def join_film(folder: RunFolder, preset: Preset, pieces: Sequence[Path], frames: int, source: Source[Any]) -> None:
    """Join pieces that hold `frames` frames into the run's film, with the sound its preset asks for.

    Raises MediaError when ffmpeg fails; the film is then as it was.
    """
    film, sound = folder.film(preset), soundtrack(preset, source)
    if sound is None:
        return join(pieces, film, preset.fps, preset.to_yaml())
    silent = folder.path / f"silent{PARTIAL}.mp4"
    try:
        join(pieces, silent, preset.fps, preset.to_yaml())
        with replacing(film) as partial:
            if not add_sound(silent, sound, frames / preset.fps, preset.fps, partial):
                silent.replace(partial)
    finally:
        silent.unlink(missing_ok=True)


def soundtrack(preset: Preset, source: Source[Any]) -> Soundtrack | None:
    """The sound a preset's `audio` asks for; None for silence."""
    if preset.audio in ("none", "source"):
        return source.sound() if preset.audio == "source" else None
    return Soundtrack(Path(preset.audio))


def finish_film(folder: RunFolder, preset: Preset, frames: int, source: Source[Any]) -> None:
    """Join the closed segments that hold `frames` frames, and make the poster and the contact sheet.

    Raises MediaError when that fails, RunError for the disk.
    """
    pieces = [folder.segment(number) for number in range(-(-frames // segment_frames(preset.fps)))]
    with folder.writing():
        join_film(folder, preset, pieces, frames, source)
        count = min(frames, SHEET_PICTURES)
        shown = [round(i * (frames - 1) / max(1, count - 1)) for i in range(count)]
        pictures = read_frames_at(folder.film(preset), shown, preset.fps)
        write_png(from_array(contact_sheet(pictures, SHEET_COLUMNS, SHEET_WIDTH)), folder.sheet)
        write_png(from_array(pictures[len(pictures) * 2 // 3]), folder.poster)
