"""Picture files to pixels: two decoders, each for the kinds that it reads right, and colours that end as RGB.

OpenCV reads PNG, JPEG, WebP, and whatever has more than 8 bits a value; Pillow reads the headers, and what OpenCV gets
wrong: CMYK, Lab, and transparency in TIFF, GIF and BMP.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin
from torch import Tensor

from pipeline.disk import read_regular
from pipeline.errors import MediaError, reason_of
from pipeline.frame import Size
from pipeline.media.profiles import grey_to_srgb, image_to_srgb, linear_to_srgb, rgb_profile
from pipeline.media.quiet import quiet_opencv, quiet_pillow
from pipeline.media.wholeness import ends_early, late_exif, orientation_in, upright

MAX_PIXELS = 120_000_000  # a phone's 108 megapixels, and 1.5 GB as a frame
MAX_BYTES = 512 << 20
_FORMATS = ("AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
_BY_OPENCV = ("JPEG", "JPEG2000", "MPO", "PNG", "PPM", "WEBP")
_GREY = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "F")
# Of formats that Pillow does not know, or not all of: where the header tells the size, and for netpbm what white is.
_HEADERS = (
    re.compile(rb"\x89PNG\r\n\x1a\n.{4}IHDR(?P<png>.{8})", re.DOTALL),
    re.compile(rb"#\?(?:.{0,4000}?\n)-Y (?P<height>\d+) \+X (?P<width>\d+)", re.DOTALL),
    re.compile(rb"P[56F]\s(?:\s*#[^\n]*\n)*\s*(?P<width>\d+)\s+(?P<height>\d+)\s+(?P<white>\d+)?"),
    re.compile(
        rb"P7\n.{0,400}?WIDTH (?P<width>\d+)\nHEIGHT (?P<height>\d+)\nDEPTH \d\nMAXVAL (?P<white>\d+)", re.DOTALL
    ),
)
_LINEAR = (b"#?", b"\x76\x2f\x31\x01")  # Radiance and OpenEXR
_REMEDY = "check its path (a preset's begin at its own folder)"
_SAVE_AGAIN = "if an image viewer can open it, save it there as PNG or JPEG"
_HEIC = re.compile(rb".{4}ftyp(?:hei[cmsx]|hev[cmx]|mif1|msf1)", re.DOTALL)
_TAGS = TiffImagePlugin


@dataclass(frozen=True)
class Decoded:
    """A picture upright at its own size: (1, 3, H, W) in [0, 1], transparency laid over black."""

    frame: Tensor
    profile: bytes | None
    """the ICC profile that the RGB values are meant in; None: sRGB"""
    deep: bool
    """whether the file has more than 8 bits a value"""


@dataclass(frozen=True)
class _Header:
    """What is known of a picture before it is decoded."""

    kind: str
    """Pillow's name of the format; empty where it knows none"""
    mode: str
    size: Size
    white: int | None
    """the value of white, where it is not the largest that fits"""
    profile: bytes | None
    exif: bytes
    tiff: dict[int, Any]


@dataclass(frozen=True)
class _Pixels:
    """(H, W) grey or (H, W, 3) RGB values and (H, W) opacity, as they lie in the file; `white` is the largest."""

    colours: NDArray[Any]
    alpha: NDArray[Any] | None
    white: float
    profile: bytes | None
    multiplied: bool = False
    """whether the colours have been laid over black already"""


def decode(path: Path) -> Decoded:
    """The picture in a file. Values of float formats are cut off at 0 and 1; Radiance and OpenEXR are linear light.

    Raises MediaError when it is missing, no regular file, no picture, damaged, cut short, larger than MAX_PIXELS, or
    holds values that are no numbers.
    """
    try:
        data = read_regular(path, MAX_BYTES)
    except OSError as error:
        raise MediaError(f"can't read the picture {path}: {error.strerror}; {_REMEDY}") from error
    if not data:
        raise MediaError(f"{path} is empty; {_SAVE_AGAIN}")
    if ends_early(data):
        raise MediaError(f"{path} ends early: the file is damaged or still being copied; {_SAVE_AGAIN}")
    header = _header(data, path)
    if header.size.height * header.size.width > MAX_PIXELS:
        most = f"at most {MAX_PIXELS // 10**6} million pixels are read; scale it down first"
        raise MediaError(f"{path} is {header.size}: {most}")
    pixels = _by_opencv(data, header, path) if _is_for_opencv(header) else _by_pillow(data, header, path)
    return Decoded(_frame(pixels, data, path), pixels.profile, pixels.colours.dtype != np.uint8)


@contextmanager
def _pillows(data: bytes) -> Iterator[Any]:
    """The file opened by Pillow."""
    with quiet_pillow():
        Image.init()
        with Image.open(io.BytesIO(data), formats=[each for each in _FORMATS if each in Image.OPEN]) as image:
            yield image


def _header(data: bytes, path: Path) -> _Header:
    told = next((found.groupdict() for each in _HEADERS if (found := each.match(data))), {})
    white = int(told["white"]) if told.get("white") else None
    tiff = _tiff_tags(data)
    try:
        with _pillows(data) as image:
            profile, exif = image.info.get("icc_profile"), image.info.get("exif") or late_exif(data)
            size = Size(image.height, image.width)
            return _Header(image.format, image.mode, size, white, profile or None, exif, tiff)
    except Image.DecompressionBombError:
        raise MediaError(f"{path} has more than {MAX_PIXELS // 10**6} million pixels; scale it down first") from None
    except Exception as error:  # Pillow's readers let whatever happens to them through
        told_size = _told_size(told, tiff)
        if told_size is None:
            what = (
                "is a HEIC picture, which can't be read" if _HEIC.match(data) else "is not a picture that can be read"
            )
            raise MediaError(f"{path} {what}; {_SAVE_AGAIN}") from error
        return _Header("", "", told_size, white, None, late_exif(data), tiff)


def _told_size(told: dict[str, bytes], tiff: dict[int, Any]) -> Size | None:
    if "png" in told:
        width, height = struct.unpack(">II", told["png"])
        return Size(height, width)
    if told:
        return Size(int(told["height"]), int(told["width"]))
    height, width = tiff.get(_TAGS.IMAGELENGTH), tiff.get(_TAGS.IMAGEWIDTH)
    return Size(height, width) if isinstance(height, int) and isinstance(width, int) else None


def _tiff_tags(data: bytes) -> dict[int, Any]:
    """The first directory of a TIFF; nothing for other files, or where it can't be read."""
    if data[:4] not in (b"II*\0", b"MM\0*"):
        return {}
    try:
        with quiet_pillow():
            file = io.BytesIO(data)
            directory = TiffImagePlugin.ImageFileDirectory_v2(file.read(8))
            file.seek(directory.next)
            directory.load(file)
            return {tag: directory[tag] for tag in directory}
    except Exception:  # as above; the decoders will say that it is damaged
        return {}


def _tiff_bits(header: _Header) -> int:
    bits = header.tiff.get(_TAGS.BITSPERSAMPLE, (1,))
    return max(bits) if isinstance(bits, tuple) and bits else 8


def _is_for_opencv(header: _Header) -> bool:
    if header.tiff:
        return _tiff_bits(header) > 8 and header.mode not in ("CMYK", "LAB")
    return header.kind == "" or (header.kind in _BY_OPENCV and header.mode not in ("CMYK", "LAB"))


def _by_pillow(data: bytes, header: _Header, path: Path) -> _Pixels:
    profile = header.profile
    try:
        with _pillows(data) as image:
            clear = image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
            if image.mode in ("CMYK", "LAB"):
                values, profile = np.asarray(image_to_srgb(image, profile)), None
            elif image.mode in ("1", "L", "LA", "La"):
                values = np.asarray(image.convert("LA" if clear else "L"))
            else:
                values = np.asarray(image.convert("RGBA" if clear else "RGB"))
    except Exception as error:  # as above
        raise MediaError(f"{path} can't be decoded ({reason_of(error)}); {_SAVE_AGAIN}") from error
    alpha = values[..., -1] if clear and values.ndim == 3 and values.shape[2] in (2, 4) else None
    colours = values if values.ndim == 2 else values[..., 0] if values.shape[2] == 2 else values[..., :3]
    orientation = 1 if header.tiff else orientation_in(header.exif)  # Pillow turns TIFFs itself
    return _toned(_turned(_Pixels(colours, alpha, 255, profile), orientation))


def _by_opencv(data: bytes, header: _Header, path: Path) -> _Pixels:
    try:
        with quiet_opencv():
            # UNCHANGED keeps 16 bits and opacity, and leaves EXIF's orientation to us (but for TIFF's own).
            values = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise MediaError(f"{path} can't be decoded ({error.err}); {_SAVE_AGAIN}") from error
    if values is None:
        raise MediaError(f"{path} can't be decoded: the file is damaged, or of an unusual kind; {_SAVE_AGAIN}")
    depth = values.dtype
    if depth not in (np.uint8, np.uint16) and not np.issubdtype(depth, np.floating):
        raise MediaError(f"{path} holds {depth} values; save it with 8 or 16 bits a channel")
    _require_known_tiff(values, header, path)
    colours = values if values.ndim == 2 else values[..., 0] if values.shape[2] == 1 else values[..., 2::-1]
    if colours.ndim == 3 and header.mode in _GREY:
        colours = colours[..., 0]
    alpha = values[..., 3] if values.ndim == 3 and values.shape[2] == 4 else None
    white = 1.0 if np.issubdtype(depth, np.floating) else float(np.iinfo(depth.name).max)
    white = float(header.white) if header.white is not None and white > 1 else white
    if header.tiff.get(_TAGS.PHOTOMETRIC_INTERPRETATION) == 0:  # white is zero, which OpenCV overlooks
        colours = (white - colours).astype(depth)
    multiplied = header.tiff.get(_TAGS.EXTRASAMPLES) == (1,)
    orientation = 1 if header.tiff else orientation_in(header.exif)
    return _toned(_turned(_Pixels(colours, alpha, white, header.profile, multiplied), orientation))


def _require_known_tiff(values: NDArray[Any], header: _Header, path: Path) -> None:
    """OpenCV hands out wrong colours, without a word, for deep TIFFs in other spaces or with unusual channels."""
    if not header.tiff:
        return
    kind, samples = header.tiff.get(_TAGS.PHOTOMETRIC_INTERPRETATION), header.tiff.get(_TAGS.SAMPLESPERPIXEL, 1)
    found = 1 if values.ndim == 2 else values.shape[2]
    if kind not in (0, 1, 2) or samples != found or samples == 2 or values.dtype.itemsize * 8 < _tiff_bits(header):
        bits = _tiff_bits(header)
        said = f"is a TIFF with {samples} channels of {bits} bits in a colour space that is not read at that depth"
        raise MediaError(f"{path} {said}; save it as RGB, or with 8 bits a channel")


def _turned(pixels: _Pixels, orientation: int) -> _Pixels:
    alpha = None if pixels.alpha is None else upright(pixels.alpha, orientation)
    turned = upright(pixels.colours, orientation)
    return _Pixels(turned, alpha, pixels.white, pixels.profile, pixels.multiplied)


def _toned(pixels: _Pixels) -> _Pixels:
    """Grey as its own profile means it becomes sRGB; a profile that does not fit RGB values is left out."""
    colours, white, profile = pixels.colours, pixels.white, pixels.profile
    if colours.ndim == 2 and profile is not None and (tones := grey_to_srgb(profile)) is not None:
        at = np.linspace(0, white, len(tones))
        colours = np.interp(colours, at, tones).astype(np.float32)
        return _Pixels(colours * np.float32(white), pixels.alpha, white, None, pixels.multiplied)
    return _Pixels(colours, pixels.alpha, white, rgb_profile(profile), pixels.multiplied)


def _frame(pixels: _Pixels, data: bytes, path: Path) -> Tensor:
    colours = pixels.colours
    for values in (colours, pixels.alpha):
        _require_numbers(values, path)
    height, width = colours.shape[:2]
    planes = np.empty((3, height, width), np.float32)
    for channel, plane in enumerate(planes):
        values = colours if colours.ndim == 2 else colours[..., channel]
        np.divide(values, np.float32(pixels.white), out=plane, casting="unsafe")
    np.clip(planes, 0, 1, out=planes)
    if data.startswith(_LINEAR):
        planes = linear_to_srgb(planes)
    if pixels.alpha is not None and not pixels.multiplied:
        planes *= np.clip(pixels.alpha.astype(np.float32) / np.float32(pixels.white), 0, 1)
    return torch.from_numpy(planes)[None]


def _require_numbers(values: NDArray[Any] | None, path: Path) -> None:
    if values is None or not np.issubdtype(values.dtype, np.floating):
        return
    bad = ~np.isfinite(values)
    bad = bad if bad.ndim == 2 else bad.any(2)
    if bad.any():
        y, x = np.unravel_index(int(bad.argmax()), bad.shape)
        count = f"{int(bad.sum())} of its {bad.size} pixels hold"
        raise MediaError(
            f"{path}: {count} no numbers (NaN or infinite), the first at x={x}, y={y}; mend it, or take another"
        )
