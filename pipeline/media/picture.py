"""Reading and writing stills."""

from __future__ import annotations

from math import ceil, gcd
from pathlib import Path
from typing import Literal

import cv2
import torch
from torch import Tensor

from pipeline.errors import MediaError
from pipeline.frame import Size, size_of, to_uint8
from pipeline.media.decoding import decode
from pipeline.ops.border import border_index, pad_around
from pipeline.ops.warp import resize

_REACH = 2  # pixels that bicubic interpolation reads beyond a place
Fit = Literal["crop", "pad", "stretch"]


def read_picture(path: Path) -> Tensor:
    """The picture at `path` as a frame, upright as its EXIF orientation says, at its own size.

    8 or 16 bits or float a value; transparency is laid over black. Raises MediaError as `decode` does.
    """
    return decode(path).frame


def fit_to(frame: Tensor, size: Size, fit: Fit) -> Tensor:
    """`frame` at `size`: `crop` fills it and cuts the overhang, `pad` shows all of it with mirrored margins,
    `stretch` changes the proportions. In [0, 1]."""
    if fit == "stretch":
        return resize(frame, size).clamp(0, 1)
    frame = _shown_part(frame, size) if fit == "crop" else frame
    scaled = resize(frame, scaled_size(size_of(frame), size, fit))
    top, left = (size.height - scaled.shape[2]) // 2, (size.width - scaled.shape[3]) // 2
    if fit == "crop":
        top, left = max(0, -top), max(0, -left)
        return scaled[:, :, top : top + size.height, left : left + size.width].clamp(0, 1).contiguous()
    return _mirror_pad(scaled, size, top, left).clamp(0, 1)


def fit_around(frame: Tensor, size: Size) -> Tensor:
    """An equirectangular `frame` at another size, both twice as wide as high, with no seam. In [0, 1]."""
    unit = frame.shape[3] // gcd(frame.shape[3], size.width)
    margin = unit * ceil(_REACH * max(1, frame.shape[3] / size.width) / unit)
    more = margin * size.width // frame.shape[3]
    around = pad_around(frame, margin, "sphere")
    scaled = resize(around, Size(size.height + 2 * more, size.width + 2 * more))
    return scaled[:, :, more : more + size.height, more : more + size.width].clamp(0, 1).contiguous()


def _shown_part(frame: Tensor, size: Size) -> Tensor:
    """Without what `crop` would cut away, where the picture is enlarged: all of a long one would fill the memory."""
    old = size_of(frame)
    ratio = max(size.height / old.height, size.width / old.width)
    if ratio <= 1:
        return frame
    height, width = _part(old.height, size.height / ratio), _part(old.width, size.width / ratio)
    top, left = (old.height - height) // 2, (old.width - width) // 2
    return frame[:, :, top : top + height, left : left + width]


def _part(length: int, shown: float) -> int:
    """How much of `length` is kept, so that its middle stays where it is."""
    kept = ceil(shown) + 2 * _REACH
    return min(length, kept + (length - kept) % 2)


def scaled_size(old: Size, size: Size, fit: Fit) -> Size:
    """What a picture of size `old` is scaled to before `fit` cuts it or adds margins; itself left as it is then."""
    if fit == "stretch":
        return size
    ratios = (size.height / old.height, size.width / old.width)
    ratio = max(ratios) if fit == "crop" else min(ratios)
    return Size(max(1, round(old.height * ratio)), max(1, round(old.width * ratio)))


def _mirror_pad(frame: Tensor, size: Size, top: int, left: int) -> Tensor:
    rows = border_index(torch.arange(size.height) - top, frame.shape[2], "symmetric")
    columns = border_index(torch.arange(size.width) - left, frame.shape[3], "symmetric")
    return frame[:, :, rows][:, :, :, columns].contiguous()


def write_png(frame: Tensor, path: Path) -> None:
    """`frame` as an 8-bit PNG. Raises MediaError when it can't be written."""
    done, data = cv2.imencode(".png", cv2.cvtColor(to_uint8(frame), cv2.COLOR_RGB2BGR))
    assert done
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise MediaError(f"can't write the picture {path}: {error.strerror}") from error
