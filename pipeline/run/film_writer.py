"""Writing the film: each output made of its pieces, with its sound, and a poster and a contact sheet beside them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.activity import report
from pipeline.disk import replacing
from pipeline.errors import MediaError
from pipeline.frame import from_array
from pipeline.media.joining import contact_sheet, count_frames, read_frames_at
from pipeline.media.picture import write_png
from pipeline.media.sound import find_sound
from pipeline.outputs import Rendition, count_finished, finish
from pipeline.preset import Preset
from pipeline.run.folder import RunFolder

SHEET_PICTURES, SHEET_COLUMNS, SHEET_WIDTH = 12, 4, 320


def write_output(pieces: Sequence[Path], preset: Preset, rendition: Rendition, target: Path, comment: str) -> list[str]:
    """Make an output of its pieces, a film with the sound the preset asks for and `comment` in its metadata.

    Returns what the user should hear about. No film is lost for its sound: where that can't be had, the film is
    silent; but one that is there already, as long and with its sound, stays. Raises MediaError when the pieces can't
    be joined.
    """
    if rendition.config.form.kind != "film":
        finish(pieces, target, rendition, comment)
        return []
    try:
        finish(pieces, target, rendition, comment, preset.soundtrack())
        return []
    except MediaError as error:
        if preset.audio == "none":
            raise
        if _is_as_good(target, pieces):
            return [f"{target.name} stays as it was, with its sound, for now that can't be had: {error}"]
        finish(pieces, target, rendition, comment)
        return [f"the film is silent: {error}; `dreamreel assemble RUN --audio FILE` gives it a sound"]


def _is_as_good(film: Path, pieces: Sequence[Path]) -> bool:
    """Whether there is a film as long as the pieces already, with sound."""
    try:
        return film.exists() and find_sound(film) is not None and count_frames(film) >= sum(map(count_frames, pieces))
    except MediaError:
        return False


def finish_film(
    folder: RunFolder, preset: Preset, frames: int, comment: str, films: Sequence[Sequence[Path]] | None = None
) -> list[str]:
    """Make every output of the closed segments that hold `frames` frames, and the poster and the contact sheet.

    `films` are the segments of each output, by default the folder's own. The film's lock is held. Returns what the
    user should hear about. Raises MediaError when that fails, RunError for the disk.
    """
    pieces, notes = folder.pieces(preset), []
    if films is None:
        films = [pieces.films(frames, rendition) for rendition in pieces.renditions]
    with folder.writing():
        for rendition, target, found in zip(pieces.renditions, folder.outputs(preset), films, strict=True):
            report("joining the film" if rendition.number == 1 else f"writing {target.name}")
            notes += write_output(found, preset, rendition, target, comment)
        report("drawing the contact sheet")
        first = pieces.renditions[0]
        pictures = _read(films[0], _shown(first.frames(frames), pieces.length), first)
        with replacing(folder.sheet) as partial:
            write_png(from_array(contact_sheet(pictures, SHEET_COLUMNS, SHEET_WIDTH)), partial)
        with replacing(folder.poster) as partial:
            write_png(from_array(pictures[len(pictures) * 2 // 3]), partial)
    return list(dict.fromkeys(notes))


def _read(pieces: Sequence[Path], indices: Sequence[int], rendition: Rendition) -> list[NDArray[np.uint8]]:
    """The frames of an output at rising indices, from its pieces."""
    found: list[NDArray[np.uint8]] = []
    for piece, (first, end) in zip(pieces, pairwise(accumulate(map(count_frames, pieces), initial=0)), strict=True):
        inside = [index - first for index in indices if first <= index < end]
        found += read_frames_at(piece, inside, rendition.fps) if inside else []
    return found


def has_more_frames(target: Path, rendition: Rendition, frames: int) -> bool:
    """Whether an output is there already that shows more than `frames` frames, which nothing shorter may replace."""
    try:
        return target.exists() and count_finished(target, rendition) > rendition.frames(frames)
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
