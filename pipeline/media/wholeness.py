"""Picture files' own structure: whether one reaches its end, and which way up its pixels lie."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
# In entropy-coded data 0xFF is escaped by 0x00, and restart markers stand alone; 0xFF may be repeated before a marker.
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
_END_OF_IMAGE, _ALONE = 0xD9, 0x01
_ORIENTATION = 0x0112


def ends_early(data: bytes) -> bool:
    """Whether a PNG, JPEG or WebP lacks its end: a decoder may hand out a picture that is grey from there on.

    The format is walked to its end, so that what phones append (a film, a second picture) does not matter.
    """
    if data.startswith(_PNG):
        return all(kind != b"IEND" for kind, _ in _png_chunks(data))
    if data.startswith(_JPEG):
        return not _reaches_end_of_image(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return len(data) < 8 + int.from_bytes(data[4:8], "little")
    return False


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each chunk that is whole, up to the last one's (IEND)."""
    place = len(_PNG)
    while place + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        if place + 12 + length > len(data):
            return
        yield kind, data[place + 8 : place + 8 + length]
        if kind == b"IEND":
            return
        place += 12 + length


def _reaches_end_of_image(data: bytes) -> bool:
    place = 2
    while (found := _MARKER.search(data, place)) is not None:
        marker, place = found[1][0], found.end()
        if marker == _END_OF_IMAGE:
            return True
        if marker != _ALONE:  # a segment; a scan's is followed by entropy-coded data, up to the next marker
            place += max(2, int.from_bytes(data[place : place + 2], "big"))
    return False


def late_exif(data: bytes) -> bytes:
    """The EXIF of a PNG, wherever it stands; Pillow's header has it only when it stands before the pixels."""
    return next((body for kind, body in _png_chunks(data) if kind == b"eXIf"), b"") if data.startswith(_PNG) else b""


def orientation_in(exif: bytes) -> int:
    """EXIF's orientation, 1 to 8; 1 (upright) where it says none, or nothing that can be read."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (first,) = struct.unpack_from(order + "I", tiff, 4)
        (entries,) = struct.unpack_from(order + "H", tiff, first)
        for entry in range(entries):
            tag, _, _, value = struct.unpack_from(order + "HHIH", tiff, first + 2 + 12 * entry)
            if tag == _ORIENTATION:
                return value if 1 <= value <= 8 else 1
    except struct.error:
        pass
    return 1


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Pixels (H, W) or (H, W, C) turned and mirrored so that EXIF's `orientation` becomes 1. A view."""
    turned = pixels.swapaxes(0, 1) if orientation >= 5 else pixels
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    return turned
