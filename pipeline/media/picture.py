"""Reading and writing stills."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.errors import MediaError
from pipeline.frame import Size, from_array, size_of, to_uint8
from pipeline.ops.warp import resize

_REMEDY = "check its path (a preset's begin at its own folder)"
Fit = Literal["crop", "pad", "stretch"]


def read_picture(path: Path) -> Tensor:
    """The picture at `path` as a frame, upright as its EXIF orientation says, at its own size.

    Reads whatever OpenCV reads, 8 or 16 bits or float a value; transparency is laid over black. Raises
    MediaError when the file is missing, is no picture, or ends early.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MediaError(f"can't read the picture {path}: {error.strerror}; {_REMEDY}") from error
    pixels = _decode(data, path)
    if pixels.dtype not in (np.uint8, np.uint16, np.float32):
        raise MediaError(f"{path} holds {pixels.dtype} values; save it with 8 or 16 bits a channel")
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
    frame = from_array(cv2.cvtColor(pixels[..., :3], cv2.COLOR_BGR2RGB))
    if pixels.shape[2] == 4:
        frame *= from_array(np.repeat(pixels[..., 3:], 3, axis=2))
    return frame


def _decode(data: bytes, path: Path) -> NDArray[Any]:
    raw = np.frombuffer(data, np.uint8)
    remedy = "open it in an image viewer, or save it again as PNG or JPEG"
    if raw.size == 0:
        raise MediaError(f"{path} is empty; {remedy}")
    if _is_cut_short(data):
        raise MediaError(f"{path} ends early: the file is damaged or still being copied; {remedy}")
    try:
        # UNCHANGED keeps 16 bits and alpha, but ignores EXIF; so alpha pictures (PNG, WebP) are read twice.
        pixels = cv2.imdecode(raw, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR)
        layered = cv2.imdecode(raw, cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise MediaError(f"{path} can't be decoded ({error.err}); {remedy}") from error
    if pixels is None:
        raise MediaError(f"{path} is not a picture OpenCV can read; {remedy}")
    if layered is not None and layered.ndim == 3 and layered.shape[2] == 4 and layered.shape[:2] == pixels.shape[:2]:
        return layered
    return pixels


def _is_cut_short(data: bytes) -> bool:
    """Whether a PNG or JPEG lacks its end: OpenCV would hand out a picture that is grey from there on."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return b"IEND" not in data[-64:]
    if data.startswith(b"\xff\xd8\xff"):
        return b"\xff\xd9" not in data[-1024:]
    return False


def fit_to(frame: Tensor, size: Size, fit: Fit) -> Tensor:
    """`frame` at `size`: `crop` fills it and cuts the overhang, `pad` shows all of it with mirrored margins,
    `stretch` changes the proportions. In [0, 1]."""
    if fit == "stretch":
        return resize(frame, size).clamp(0, 1)
    scaled = resize(frame, scaled_size(size_of(frame), size, fit))
    top, left = (size.height - scaled.shape[2]) // 2, (size.width - scaled.shape[3]) // 2
    if fit == "crop":
        top, left = max(0, -top), max(0, -left)
        return scaled[:, :, top : top + size.height, left : left + size.width].clamp(0, 1).contiguous()
    return _mirror_pad(scaled, size, top, left).clamp(0, 1)


def scaled_size(old: Size, size: Size, fit: Fit) -> Size:
    """What a picture of size `old` is scaled to before `fit` cuts it or adds margins; itself left as it is then."""
    if fit == "stretch":
        return size
    ratios = (size.height / old.height, size.width / old.width)
    ratio = max(ratios) if fit == "crop" else min(ratios)
    return Size(max(1, round(old.height * ratio)), max(1, round(old.width * ratio)))


def _mirror_pad(frame: Tensor, size: Size, top: int, left: int) -> Tensor:
    rows = _mirrored(torch.arange(size.height) - top, frame.shape[2])
    columns = _mirrored(torch.arange(size.width) - left, frame.shape[3])
    return frame[:, :, rows][:, :, :, columns].contiguous()


def _mirrored(index: Tensor, length: int) -> Tensor:
    folded = index.remainder(2 * length)
    return torch.where(folded < length, folded, 2 * length - 1 - folded)


def write_png(frame: Tensor, path: Path) -> None:
    """`frame` as an 8-bit PNG. Raises MediaError when it can't be written."""
    done, data = cv2.imencode(".png", cv2.cvtColor(to_uint8(frame), cv2.COLOR_RGB2BGR))
    assert done
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise MediaError(f"can't write the picture {path}: {error.strerror}") from error
