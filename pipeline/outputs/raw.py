"""Raw frames on their way from a film's spool to an encoder: which ones, at what size, depth and transparency."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pipeline.frame import Pixels, Size, from_array, narrowed, to_uint8, to_uint16
from pipeline.media.picture import fit_around, fit_to
from pipeline.outputs.rendition import Rendition

RAW_PIXELS = {
    (False, False): "rgb24",
    (False, True): "rgba",
    (True, False): "rgb48le",
    (True, True): "rgba64le",
}
"""ffmpeg's names, by whether they are deep and whether they are transparent"""


@dataclass(frozen=True)
class Spool:
    """A file of the film's frames from `first` on, before `end`: (H, W, 3) RGB one after the other."""

    path: Path
    deep: bool
    """uint16, little-endian; else uint8"""
    first: int
    end: int

    def read(self, size: Size) -> Pixels:
        """All of them, (n, H, W, 3), read as they are looked at."""
        shape = (self.end - self.first, *size, 3)
        return np.memmap(self.path, np.dtype("<u2") if self.deep else np.uint8, "r", shape=shape)


def fed(spool: Spool, rendition: Rendition) -> Iterator[bytes]:
    """The frames of an output that show those of a spool, in their order, as `RAW_PIXELS` has them."""
    frames = spool.read(rendition.master.size)
    shown: tuple[int, bytes] | None = None
    for frame in range(rendition.frames(spool.first), rendition.frames(spool.end)):
        index = rendition.shown(frame)
        if shown is None or shown[0] != index:
            shown = index, made(frames[index - spool.first], index, rendition).tobytes()
        yield shown[1]


def made(pixels: Pixels, index: int, rendition: Rendition) -> Pixels:
    """An output's frame, (H, W, 3) or with transparency (H, W, 4), from the film's frame `index` (H, W, 3)."""
    config = rendition.config
    if rendition.is_plain:
        return pixels if rendition.is_deep else narrowed(pixels)
    picture = from_array(np.asarray(pixels))
    mask = None if rendition.reel is None else rendition.reel(picture, index)
    if config.writes == "mask" and mask is not None:
        picture, mask = mask.expand(-1, 3, -1, -1), None
    colours = _rounded(_fitted(picture, rendition), rendition.is_deep)
    if mask is None:
        return colours
    alpha = _rounded(_fitted(mask.expand(-1, 3, -1, -1), rendition), rendition.is_deep)
    return np.concatenate([colours, alpha[..., :1]], axis=2)


def _fitted(picture: Tensor, rendition: Rendition) -> Tensor:
    size, film = rendition.size, rendition.master
    if size == film.size:
        return picture
    with torch.no_grad():
        return fit_around(picture, size) if film.on_sphere else fit_to(picture, size, rendition.config.fit or "stretch")


def _rounded(picture: Tensor, deep: bool) -> Pixels:
    return to_uint16(picture) if deep else to_uint8(picture)
