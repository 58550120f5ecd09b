"""Single frames of a film while it is made: out of its spools, or decoded from its segments. Nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from pipeline.frame import Pixels, narrowed
from pipeline.preset import Preset
from pipeline.run.pieces import Pieces


class Frames:
    """The frames of a film in its pieces, for whoever looks while another process writes."""

    def __init__(self, pieces: Pieces, preset: Preset) -> None:
        self.pieces = pieces
        self._shape = (preset.size.height, preset.size.width, 3)
        self._deep = pieces.deep

    def newest(self, near: int) -> int | None:
        """The newest frame that is spooled, in the piece of frame `near` or the next; None where none is."""
        length = self.pieces.length
        for number in (near // length + 1, near // length):
            try:
                frames = self.pieces.spool(number).stat().st_size // self.pieces.frame_bytes
            except FileNotFoundError:
                continue
            if frames:
                return number * length + frames - 1
        return None

    def spooled(self, index: int) -> NDArray[np.uint8] | None:
        """Frame `index`, (H, W, 3) RGB, out of its spool; None where it lies in none, or not whole."""
        number, place = divmod(index, self.pieces.length)
        try:
            with self.pieces.spool(number).open("rb") as file:
                file.seek(place * self.pieces.frame_bytes)
                data = file.read(self.pieces.frame_bytes)
        except FileNotFoundError:
            return None
        if len(data) < self.pieces.frame_bytes:
            return None
        pixels: Pixels = np.frombuffer(data, "<u2").astype(np.uint16) if self._deep else np.frombuffer(data, np.uint8)
        return narrowed(pixels.reshape(self._shape))

    def read(self, index: int) -> NDArray[np.uint8] | None:
        """Frame `index`, (H, W, 3) RGB; None where it is not there (yet)."""
        found = self.spooled(index)
        if found is None:
            segment, place = self.pieces.viewed(index)
            return next(islice(decoded(segment), place, None), None)
        return found


def decoded(segment: Path) -> Iterator[NDArray[np.uint8]]:
    """The pictures of a segment, (H, W, 3) RGB; none where it is not there, or can't be read."""
    try:
        with av.open(str(segment)) as container:
            for frame in container.decode(video=0):
                yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    except (av.FFmpegError, OSError, IndexError):
        return
