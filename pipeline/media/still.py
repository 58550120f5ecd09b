"""Stills with what belongs to them: EXIF, colour profile, and 16 bits a channel where the original had them."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, TiffImagePlugin
from torch import Tensor

from pipeline.disk import write_whole
from pipeline.errors import MediaError
from pipeline.frame import size_of, to_uint8
from pipeline.media.decoding import decode
from pipeline.media.quiet import quiet_pillow
from pipeline.media.spherical import photo_sphere

READABLE = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")
DEEP = (".png", ".tif", ".tiff")
_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
WRITABLE = (*_FORMATS, ".tif", ".tiff")
_QUALITY = 95
_MOST_EXIF = 65533
_XMP_TAG = 700
_IFDS = (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo)
# What a TIFF's first directory says about the picture, not about how its own bytes lie.
_KEPT = (
    ExifTags.Base.ImageDescription,
    ExifTags.Base.Make,
    ExifTags.Base.Model,
    ExifTags.Base.Software,
    ExifTags.Base.DateTime,
    ExifTags.Base.Artist,
    ExifTags.Base.Copyright,
)


@dataclass(frozen=True)
class Still:
    """A picture (1, 3, H, W), upright, and what its file says about it."""

    frame: Tensor
    exif: Image.Exif
    profile: bytes | None
    """the ICC profile that its colours are meant in; None: sRGB"""
    deep: bool
    """whether it has more than 8 bits a channel"""
    on_sphere: bool = False
    """whether it is equirectangular, and its file is to say so"""


def read_still(path: Path) -> Still:
    """The picture at `path`. Raises MediaError when it is missing, is no picture, or ends early."""
    picture = decode(path)
    return Still(picture.frame, _exif(path), picture.profile, picture.deep)


def _exif(path: Path) -> Image.Exif:
    """What can be read of the file's EXIF, and written again; the picture itself could be read."""
    kept = Image.Exif()
    try:
        with quiet_pillow(), Image.open(path) as image:
            found = image.getexif()
            kept.update({tag: found[tag] for tag in _KEPT if tag in found})
            kept.update({ifd: dict(found.get_ifd(ifd)) for ifd in _IFDS if found.get_ifd(ifd)})
            kept.tobytes()
    except Exception:  # Pillow lets whatever happens to its readers and writers through
        return Image.Exif()
    return kept


def write_still(frame: Tensor, path: Path, about: Still | None = None, deep: bool = False) -> None:
    """`frame` in the format of the path's suffix, with what `about` says; whole or not at all.

    `deep` writes 16 bits a channel, which PNG and TIFF can hold. Raises MediaError when it can't be written.
    """
    exif, profile = (Image.Exif(), None) if about is None else (about.exif, about.profile)
    xmp = photo_sphere(size_of(frame)) if about is not None and about.on_sphere else None
    suffix = path.suffix.lower()
    if suffix not in WRITABLE or (deep and suffix not in DEEP):
        known = DEEP if deep else WRITABLE
        raise MediaError(f"{path}: pictures{' with 16 bits' if deep else ''} are written as {', '.join(known)}")
    if not bool(frame.isfinite().all()):
        raise MediaError(f"{path} is not written: the picture came out with values that are no numbers")
    pixels = _sixteen_bits(frame) if deep else to_uint8(frame)
    try:
        if suffix in (".tif", ".tiff"):
            data = _tiff(pixels, exif, profile, xmp)
        elif deep:
            data = _deep_png(pixels, exif, profile, xmp)
        else:
            data = _shallow(pixels, _FORMATS[suffix], exif, profile, xmp)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)
    except (OSError, ValueError) as error:  # the disk's, or the format's: WebP ends at 16383 pixels a side
        raise MediaError(f"can't write the picture {path}: {getattr(error, 'strerror', None) or error}") from error


def _sixteen_bits(frame: Tensor) -> NDArray[Any]:
    return np.asarray(np.rint(frame[0].permute(1, 2, 0).cpu().double().numpy() * 65535), dtype=np.uint16)


def _shallow(pixels: NDArray[Any], kind: str, exif: Image.Exif, profile: bytes | None, xmp: bytes | None) -> bytes:
    said = exif.tobytes() if len(exif) else b""
    # A JPEG has room for so much, in one segment.
    options: dict[str, Any] = {"exif": said} if said and (kind != "JPEG" or len(said) <= _MOST_EXIF) else {}
    options |= {} if profile is None else {"icc_profile": profile}
    options |= {"quality": _QUALITY} if kind in ("JPEG", "WEBP") else {}
    options |= {"subsampling": 0} if kind == "JPEG" else {}
    options |= {"xmp": xmp} if xmp is not None and kind != "PNG" else {}
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return _png_with(file.getvalue(), _xmp_chunk(xmp)) if kind == "PNG" else file.getvalue()


def _deep_png(pixels: NDArray[Any], exif: Image.Exif, profile: bytes | None, xmp: bytes | None) -> bytes:
    """OpenCV's PNG with chunks for profile and EXIF behind its header: Pillow writes no 16-bit colour."""
    done, encoded = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    assert done
    extra = b"" if profile is None else _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(profile))
    extra += _chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")) if len(exif) else b""
    return _png_with(encoded.tobytes(), extra + _xmp_chunk(xmp))


def _png_with(data: bytes, chunks: bytes) -> bytes:
    """A PNG with more chunks behind its header."""
    header = 8 + 25
    return data[:header] + chunks + data[header:]


def _xmp_chunk(xmp: bytes | None) -> bytes:
    return b"" if xmp is None else _chunk(b"iTXt", b"XML:com.adobe.xmp" + bytes(5) + xmp)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _tiff(pixels: NDArray[Any], exif: Image.Exif, profile: bytes | None, xmp: bytes | None) -> bytes:
    """One uncompressed strip behind one directory: neither Pillow nor OpenCV writes TIFFs with another file's EXIF."""
    height, width, _ = pixels.shape
    directory = TiffImagePlugin.ImageFileDirectory_v2(prefix=b"II")
    named = TiffImagePlugin
    directory[named.IMAGEWIDTH], directory[named.IMAGELENGTH] = width, height
    directory[named.BITSPERSAMPLE], directory[named.SAMPLESPERPIXEL] = (8 * pixels.itemsize,) * 3, 3
    directory[named.COMPRESSION], directory[named.PHOTOMETRIC_INTERPRETATION] = 1, 2
    directory[named.PLANAR_CONFIGURATION], directory[named.ROWSPERSTRIP] = 1, height
    directory[named.STRIPBYTECOUNTS] = pixels.nbytes
    directory[named.STRIPOFFSETS] = 0  # Pillow adds where the directory ends
    for tag, value in exif.items():
        directory[tag] = value
    if profile is not None:
        directory.tagtype[named.ICCPROFILE] = 7
        directory[named.ICCPROFILE] = profile
    if xmp is not None:
        directory.tagtype[_XMP_TAG] = 1
        directory[_XMP_TAG] = xmp
    return (
        b"II*\0" + struct.pack("<I", 8) + directory.tobytes(8) + pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    )
