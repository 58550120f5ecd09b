"""What tells players that a picture is a whole sphere: boxes in an mp4, XMP in a still.

Films carry Google's Spherical Video metadata twice, as version 2 (`st3d` and `sv3d` boxes inside the codec's own) and
as version 1 (XML in a `uuid` box), since players know the one or the other. Stills carry the GPano schema of Photo
Sphere XMP. Each says: one equirectangular picture for both eyes, upright.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pipeline.errors import MediaError
from pipeline.frame import Size

# Bytes before the boxes in a box, its header included (ISO 14496-12).
_HEADERS = {b"moov": 8, b"trak": 8, b"mdia": 8, b"minf": 8, b"stbl": 8, b"stsd": 16}
_ANY = b""  # a sample entry is called what its codec is: avc1, hvc1, av01
_TRACK, _CODEC = (b"trak",), (b"trak", b"mdia", b"minf", b"stbl", b"stsd", _ANY)
_OFFSETS = {b"stco": ">I", b"co64": ">Q"}
_CHUNK = 1 << 20
_VERSION_1 = bytes.fromhex("ffcc8263f8554a938814587a02521fdd")
_XML = b"""<?xml version="1.0"?><rdf:SphericalVideo \
xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" \
xmlns:GSpherical="http://ns.google.com/videos/1.0/spherical/">\
<GSpherical:Spherical>true</GSpherical:Spherical>\
<GSpherical:Stitched>true</GSpherical:Stitched>\
<GSpherical:StitchingSoftware>dreamreel</GSpherical:StitchingSoftware>\
<GSpherical:ProjectionType>equirectangular</GSpherical:ProjectionType>\
</rdf:SphericalVideo>"""


class _Box(NamedTuple):
    kind: bytes
    start: int
    end: int


def mark_film(film: Path) -> None:
    """Have an mp4 or mov say that the picture of its first track is a whole sphere, in place; nothing else changes.

    Raises MediaError when the file is neither, OSError when the disk refuses; it may then be damaged.
    """
    with film.open("r+b") as file:
        try:
            boxes = {box.kind: box for box in _outermost(file)}
            moov = boxes[b"moov"]
            file.seek(moov.start)
            marked = _grown(file.read(moov.end - moov.start), _CODEC, _version_2())
            marked = _grown(marked, _TRACK, _box(b"uuid", _VERSION_1 + _XML))
            more = moov.start + len(marked) - moov.end
            if moov.start < boxes[b"mdat"].start:
                marked = _with_offsets(marked, more)
        except (KeyError, struct.error) as error:
            raise MediaError(f"{film} can't be marked as a sphere: it is no mp4 or mov ({error})") from error
        _make_room(file, moov.end, more)
        file.seek(moov.start)
        file.write(marked)


def _outermost(file: BinaryIO) -> Iterator[_Box]:
    start, size = 0, file.seek(0, os.SEEK_END)
    while start < size:
        file.seek(start)
        length, kind = struct.unpack(">I4s", file.read(8))
        if length == 1:
            (length,) = struct.unpack(">Q", file.read(8))
        end = size if length == 0 else start + length
        yield _Box(kind, start, end)
        start = max(end, start + 8)


def _inner(box: bytes) -> Iterator[_Box]:
    start = _HEADERS[box[4:8]]
    while start < len(box):
        length, kind = struct.unpack_from(">I4s", box, start)
        yield _Box(kind, start, start + max(8, length))
        start += max(8, length)


def _grown(box: bytes, path: Sequence[bytes], more: bytes) -> bytes:
    """A box with `more` at the end of the one that `path` leads to in it, the first of each kind, or of all for b""."""
    if path:
        fitting = [found for found in _inner(box) if path[0] in (found.kind, _ANY)]
        if not fitting:
            raise KeyError(path[0])
        inner = fitting[0]
        box = box[: inner.start] + _grown(box[inner.start : inner.end], path[1:], more) + box[inner.end :]
    else:
        box += more
    return struct.pack(">I", len(box)) + box[4:]


def _with_offsets(box: bytes, more: int) -> bytes:
    """A box in which all that says where in the file samples lie says `more`."""
    parts = [box[: _HEADERS[box[4:8]]]]
    for kind, start, end in _inner(box):
        part = box[start:end]
        if kind in _OFFSETS:
            entry = _OFFSETS[kind]
            moved = (offset + more for (offset,) in struct.iter_unpack(entry, part[16:]))
            part = part[:16] + b"".join(struct.pack(entry, offset) for offset in moved)
        parts.append(_with_offsets(part, more) if kind in _HEADERS else part)
    return b"".join(parts)


def _make_room(file: BinaryIO, place: int, more: int) -> None:
    """Move what lies behind `place` by `more` bytes, the end first."""
    end = file.seek(0, os.SEEK_END)
    while end > place:
        start = max(place, end - _CHUNK)
        file.seek(start)
        chunk = file.read(end - start)
        file.seek(start + more)
        file.write(chunk)
        end = start


def _version_2() -> bytes:
    """Source: google/spatial-media, docs/spherical-video-v2-rfc.md."""
    plain = bytes(4)  # version and flags
    head, pose, bounds = _box(b"svhd", plain + b"dreamreel\0"), _box(b"prhd", plain + bytes(12)), bytes(16)
    projection = _box(b"proj", pose + _box(b"equi", plain + bounds))
    return _box(b"st3d", plain + b"\0") + _box(b"sv3d", head + projection)


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def photo_sphere(size: Size) -> bytes:
    """The XMP of a still of `size` that is a whole sphere.

    Example:
        >>> photo_sphere(Size(4, 8)).count(b'GPano:')
        8
    """
    height, width = size
    return f"""<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\
<rdf:Description rdf:about="" xmlns:GPano="http://ns.google.com/photos/1.0/panorama/" \
GPano:UsePanoramaViewer="True" GPano:ProjectionType="equirectangular" \
GPano:FullPanoWidthPixels="{width}" GPano:FullPanoHeightPixels="{height}" \
GPano:CroppedAreaImageWidthPixels="{width}" GPano:CroppedAreaImageHeightPixels="{height}" \
GPano:CroppedAreaLeftPixels="0" GPano:CroppedAreaTopPixels="0"/>\
</rdf:RDF></x:xmpmeta><?xpacket end="r"?>""".encode()
