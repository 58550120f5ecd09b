"""The one frame convention: float32 (1, 3, H, W), RGB, sRGB-encoded, in [0, 1], no gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Projection = Literal["flat", "equirectangular"]
"""what a picture is: one through a lens, or a whole sphere around the camera, see `ops.sphere`"""
Pixels = NDArray[np.uint8] | NDArray[np.uint16]
"""(H, W, 3) RGB, or more of them in a row"""
NOT_A_SPHERE = "an equirectangular picture is twice as wide as high; take such a one, or leave out the projection"


class Size(NamedTuple):
    """A frame's size in pixels; `(height, width)` in code, `WIDTHxHEIGHT` in presets and messages."""

    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"

    @property
    def is_sphere(self) -> bool:
        """Whether an equirectangular picture may have it."""
        return self.width == 2 * self.height


NO_MARGIN = Size(0, 0)


def size_of(frame: Tensor) -> Size:
    """The size of a (..., H, W) tensor."""
    return Size(int(frame.shape[-2]), int(frame.shape[-1]))


def to_uint8(frame: Tensor) -> NDArray[np.uint8]:
    """A (1, 3, H, W) frame in [0, 1] as a contiguous (H, W, 3) RGB array, rounded and saturated."""
    planes = frame[0].cpu().numpy()
    # OpenCV interleaves and rounds five times faster than permute().contiguous().
    return np.asarray(cv2.convertScaleAbs(cv2.merge(list(planes)), alpha=255), dtype=np.uint8)


def to_uint16(frame: Tensor) -> NDArray[np.uint16]:
    """A (1, 3, H, W) frame in [0, 1] as a contiguous (H, W, 3) RGB array, rounded and saturated."""
    scaled = np.rint(cv2.merge(list(frame[0].cpu().numpy())) * np.float32(65535))
    return np.asarray(np.clip(scaled, 0, 65535), dtype="<u2")


def narrowed(pixels: Pixels) -> NDArray[np.uint8]:
    """Eight bits a value out of sixteen, rounded; what has eight already stays as it is.

    Example:
        >>> narrowed(np.array([0, 128, 129, 65535], np.uint16)).tolist()
        [0, 0, 1, 255]
    """
    deep = pixels.dtype.itemsize == 2
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8) if deep else np.asarray(pixels, np.uint8)


def rounded(frame: Tensor, *, deep: bool = False) -> Tensor:
    """The values of `to_uint8`, or of `to_uint16`, as a contiguous (H, W, 3) tensor on the frame's own device.

    Sixteen bits come as int32, since devices know no others that hold them.
    """
    most, kind = (65535, torch.int32) if deep else (255, torch.uint8)
    return (frame[0] * most).round_().clamp_(0, most).to(kind).permute(1, 2, 0).contiguous()


def from_array(pixels: NDArray[Any]) -> Tensor:
    """An (H, W, 3) RGB array (uint8, uint16, or float in [0, 1]) as a frame on the CPU."""
    scale = np.iinfo(pixels.dtype).max if np.issubdtype(pixels.dtype, np.integer) else 1
    planar = np.ascontiguousarray(pixels.transpose(2, 0, 1), dtype=np.float32) / np.float32(scale)
    return torch.from_numpy(planar)[None].clamp_(0, 1)


@dataclass(frozen=True)
class Pass:
    """One pass of the chain: `image` is (1, 3, H, W) float32 in [0, 1]; `times` are seconds by stage id.

    `feedback` is what the next frame is made from: the image without the stages that are only shown. The loop, its
    stages and the threads behind it go on reading these tensors: nobody writes to them, and strangers get a `Frame`.
    """

    index: int
    image: Tensor
    times: dict[str, float]
    feedback: Tensor


class Frame:
    """One frame of the film, to keep and to change at will: nothing of the loop's is in it.

    `index` counts from 0, `times` are seconds by stage id. Pictures are copied when they are first asked for, so that
    who only counts frames pays nothing.
    """

    def __init__(self, made: Pass, arrived: Callable[[], Pixels] | None = None) -> None:
        self.index = made.index
        self.times = dict(made.times)
        self._made = made
        self._arrived: Callable[[], Pixels] = partial(to_uint8, made.image) if arrived is None else arrived

    def moved(self, frames: int) -> Frame:
        """The same frame so many places further on: one of a shot, as one of its film."""
        return Frame(replace(self._made, index=self.index + frames), self._arrived)

    @cached_property
    def image(self) -> Tensor:
        """What the film shows: (1, 3, H, W) float32 in [0, 1]."""
        return self._made.image.clone()

    @cached_property
    def feedback(self) -> Tensor:
        """What the next frame is made from, likewise: the image without the stages that are only shown."""
        return self._made.feedback.clone()

    @cached_property
    def pixels(self) -> NDArray[np.uint8]:
        """What the film shows, rounded as the film has it: (H, W, 3) uint8 RGB, on the host."""
        return narrowed(self._kept)

    @cached_property
    def deep_pixels(self) -> NDArray[np.uint16]:
        """The same with sixteen bits a value: (H, W, 3) uint16 RGB, on the host."""
        return np.asarray(self._kept, np.uint16) if self._kept.dtype.itemsize == 2 else to_uint16(self._made.image)

    @cached_property
    def _kept(self) -> Pixels:
        return self._arrived()
