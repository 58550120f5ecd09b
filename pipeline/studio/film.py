"""The finished frames of a run, each by its exact number, out of the files that the render writes anyway."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from pipeline.run.pieces import Pieces
from pipeline.studio.jpeg import to_jpeg

_MOST_BYTES = 64 << 20


class Pictures:
    """JPEGs of frames, the newest looked at kept: scrubbing goes to and fro within a piece."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Path, int, int | None], bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def picture(self, pieces: Pieces, index: int, width: int | None) -> bytes | None:
        """Frame `index`; None where it is not there (yet). For any thread."""
        segment = pieces.segment(index // pieces.length)
        key = (segment, index, width)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        pixels = pieces.read(index)
        if pixels is not None:
            return to_jpeg(pixels, width)  # from a spool, which will be gone: its segment looks a little different
        found = None
        for place, decoded in enumerate(_decoded(segment)):
            picture = to_jpeg(decoded, width)
            self._keep((segment, index - index % pieces.length + place, width), picture)
            if place == index % pieces.length:
                found = picture
        return found

    def _keep(self, key: tuple[Path, int, int | None], picture: bytes) -> None:
        with self._lock:
            self._bytes += len(picture) - len(self._kept.pop(key, b""))
            self._kept[key] = picture
            while self._bytes > _MOST_BYTES:
                _, oldest = self._kept.popitem(last=False)
                self._bytes -= len(oldest)

    def forget(self, folder: Path) -> None:
        """Drop the pictures of a run that begins anew."""
        with self._lock:
            for key in [key for key in self._kept if key[0].is_relative_to(folder)]:
                self._bytes -= len(self._kept.pop(key))


def pixels_of(pieces: Pieces, index: int) -> NDArray[np.uint8] | None:
    """Frame `index`, (H, W, 3) RGB; None where it is not there (yet)."""
    found = pieces.read(index)
    if found is None:
        return next(islice(_decoded(pieces.segment(index // pieces.length)), index % pieces.length, None), None)
    return found


def _decoded(segment: Path) -> Iterator[NDArray[np.uint8]]:
    try:
        with av.open(str(segment)) as container:
            for frame in container.decode(video=0):
                yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
    except (av.FFmpegError, OSError, IndexError):
        return
