"""JPEGs of a run's finished frames, each by its exact number."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from pipeline.run.frames import Frames, decoded
from pipeline.studio.jpeg import to_jpeg

_MOST_BYTES = 64 << 20

Key = tuple[Path, int, int | None]
"""the segment, which of its pictures, and how wide"""


class Pictures:
    """Keeps those looked at last: scrubbing goes to and fro within a piece."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def picture(self, frames: Frames, index: int, width: int | None) -> bytes | None:
        """Frame `index` as JPEG; None where it is not there (yet). For any thread."""
        pixels = frames.spooled(index)
        if pixels is not None:
            return to_jpeg(pixels, width)  # not kept: its segment will look a little different
        segment, wanted = frames.pieces.viewed(index)
        with self._lock:
            if (segment, wanted, width) in self._kept:
                self._kept.move_to_end((segment, wanted, width))
                return self._kept[segment, wanted, width]
        found = None
        for place, picture in enumerate(decoded(segment)):
            jpeg = to_jpeg(picture, width)
            self._keep((segment, place, width), jpeg)
            found = jpeg if place == wanted else found
        return found

    def _keep(self, key: Key, picture: bytes) -> None:
        with self._lock:
            self._bytes += len(picture) - len(self._kept.pop(key, b""))
            self._kept[key] = picture
            while self._bytes > _MOST_BYTES:
                _, oldest = self._kept.popitem(last=False)
                self._bytes -= len(oldest)
