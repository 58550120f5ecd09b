"""Writing the film: joined from its pieces, with its sound, and a poster and a contact sheet beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.activity import report
from pipeline.errors import MediaError
from pipeline.frame import from_array
from pipeline.media.joining import contact_sheet, count_frames, join, read_frames_at
from pipeline.media.picture import write_png
from pipeline.media.sound import find_sound
from pipeline.preset import Preset
from pipeline.run.folder import RunFolder

SHEET_PICTURES, SHEET_COLUMNS, SHEET_WIDTH = 12, 4, 320


def join_with_sound(pieces: Sequence[Path], preset: Preset, film: Path, comment: str) -> list[str]:
    """Join pieces into `film`, with the sound the preset asks for and `comment` in its metadata.

    Returns what the user should hear about. No film is lost for its sound: where that can't be had, the film is
    silent; but one that is there already, as long and with its sound, stays. Raises MediaError when the pieces can't
    be joined.
    """
    try:
        join(pieces, film, preset.fps, comment, preset.soundtrack(), on_sphere=preset.on_sphere)
        return []
    except MediaError as error:
        if preset.audio == "none":
            raise
        if _is_as_good(film, pieces):
            return [f"{film.name} stays as it was, with its sound, for now that can't be had: {error}"]
        join(pieces, film, preset.fps, comment, on_sphere=preset.on_sphere)
        return [f"the film is silent: {error}; `dreamreel assemble RUN --audio FILE` gives it a sound"]


def _is_as_good(film: Path, pieces: Sequence[Path]) -> bool:
    """Whether there is a film as long as the pieces already, with sound."""
    try:
        return film.exists() and find_sound(film) is not None and count_frames(film) >= sum(map(count_frames, pieces))
    except MediaError:
        return False


def finish_film(folder: RunFolder, preset: Preset, frames: int, comment: str) -> list[str]:
    """Join the closed segments that hold `frames` frames, and make the poster and the contact sheet.

    The film's lock is held. Returns what the user should hear about. Raises MediaError when that fails, RunError for
    the disk.
    """
    pieces, film = folder.pieces(preset), folder.film(preset)
    with folder.writing():
        report("joining the film")
        notes = join_with_sound(pieces.films(frames), preset, film, comment)
        report("drawing the contact sheet")
        pictures = read_frames_at(film, _shown(frames, pieces.length), preset.fps)
        write_png(from_array(contact_sheet(pictures, SHEET_COLUMNS, SHEET_WIDTH)), folder.sheet)
        write_png(from_array(pictures[len(pictures) * 2 // 3]), folder.poster)
    return notes


def has_more_frames(film: Path, frames: int) -> bool:
    """Whether there is a film already that is longer, which nothing shorter may replace."""
    try:
        return film.exists() and count_frames(film) > frames
    except MediaError:
        return False  # what can't be read is no film


def _shown(frames: int, segment_length: int) -> list[int]:
    """Frames spread over the film, first and last among them; the first of segments where there are enough."""
    count = min(frames, SHEET_PICTURES)
    shown = [round(i * (frames - 1) / max(1, count - 1)) for i in range(count)]
    if frames < SHEET_PICTURES * segment_length:
        return shown
    # A segment begins with a picture that decodes by itself.
    return [*(index // segment_length * segment_length for index in shown[:-1]), shown[-1]]
