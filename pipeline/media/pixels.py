"""From a decoder's picture to a frame: colour matrix, range, depth, alpha, size and orientation."""

from __future__ import annotations

import math
import struct
from typing import NamedTuple

import av
import numpy as np
from av.sidedata.sidedata import SideData
from av.video.reformatter import ColorRange, Colorspace, ColorTrc, Interpolation
from torch import Tensor

from pipeline.frame import Size, from_array
from pipeline.ops.hdr import Transfer, tone_map

# Without these swscale repeats chroma samples sideways and rounds carelessly.
_SCALING = (
    Interpolation.BICUBIC
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.BITEXACT
)
# ITU-T H.273 matrix coefficients, as frames carry them, to swscale's names.
_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}
_HDR: dict[int, Transfer] = {int(ColorTrc.SMPTE2084): "pq", int(ColorTrc.ARIB_STD_B67): "hlg"}


class Orientation(NamedTuple):
    """How a picture is brought upright: mirrored left to right, then turned by quarters counter-clockwise."""

    turns: int
    mirrored: bool


def orientation_of(picture: av.VideoFrame) -> tuple[Orientation, tuple[str, ...]]:
    """How its display matrix (ISO/IEC 14496-12, 8.3.2) wants it shown, and a note where that is not possible."""
    data = picture.side_data.get("DISPLAYMATRIX")
    if not isinstance(data, SideData):
        return Orientation(0, False), ()
    a, b, _, c, d, *_ = struct.unpack("9i", bytes(data)[:36])
    mirrored = a * d - b * c < 0
    # Where the picture's own rightward way points on the screen, once it is mirrored; y is down.
    degrees = math.degrees(math.atan2(-b, -a) if mirrored else math.atan2(b, a))
    turns = round(-degrees / 90)
    if abs(degrees + 90 * turns) <= 1:
        return Orientation(turns % 4, mirrored), ()
    note = f"asks to be rotated by {degrees:.0f} degrees; it is rotated by the nearest quarter turn, {-90 * turns}"
    return Orientation(turns % 4, mirrored), (note,)


def to_frame(picture: av.VideoFrame, size: Size, orientation: Orientation) -> Tensor:
    """`picture` as a frame (1, 3, H, W) in [0, 1] on the CPU, upright at `size`; alpha is laid over black.

    More than 8 bits are kept; HDR is tone-mapped.
    """
    lying = Size(size.width, size.height) if orientation.turns % 2 else size
    deep = max(component.bits for component in picture.format.components) > 8
    alpha = any(component.is_alpha for component in picture.format.components) or picture.format.name == "pal8"
    target = ("rgba64le" if alpha else "rgb48le") if deep else ("rgba" if alpha else "rgb24")
    array = picture.reformat(
        width=lying.width,
        height=lying.height,
        format=target,
        src_colorspace=_matrix(picture),
        src_color_range=_range(picture),
        interpolation=_SCALING,
    ).to_ndarray()
    upright = np.rot90(array[:, ::-1] if orientation.mirrored else array, orientation.turns)
    frame = from_array(upright[..., :3])
    if (transfer := hdr_transfer(picture)) is not None:
        frame = tone_map(frame, transfer)
    return frame * from_array(np.repeat(upright[..., 3:], 3, axis=2)) if alpha else frame


def _matrix(picture: av.VideoFrame) -> int:
    # Where the film does not say, large pictures are taken for HD material and small ones for SD, as players do.
    unsaid = Colorspace.ITU709 if picture.height >= 720 or picture.width >= 1280 else Colorspace.ITU601
    return int(_MATRICES.get(int(picture.colorspace), unsaid))


def _range(picture: av.VideoFrame) -> int:
    if picture.color_range in (ColorRange.MPEG, ColorRange.JPEG):
        return int(picture.color_range)
    full = picture.format.is_rgb or picture.format.name.startswith(("yuvj", "gray"))
    return int(ColorRange.JPEG if full else ColorRange.MPEG)


def hdr_transfer(picture: av.VideoFrame) -> Transfer | None:
    """How its values stand for light brighter than a screen's white; None where they don't."""
    return _HDR.get(int(picture.color_trc))
