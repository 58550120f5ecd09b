"""The subject of a picture, found by the bundled network."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pipeline import backbones
from pipeline.frame import Size, size_of
from pipeline.ops.colour import lab
from pipeline.ops.guided import guided
from pipeline.ops.smoothstep import smoothstep
from pipeline.ops.subject import likeness, plain_likeness, standing_out, stretched, told_apart
from pipeline.ops.warp import resize, resize_bilinear

_MODEL, _MIDDLE, _DEEP, _LAST, _HEAD = "lite0", "blocks.4.2", "blocks.6.0", "bn2", "classifier"
_SIDE, _CELL = 320, 8  # pixels of a square as large as what the network sees, and of a place in it
_STRIDE = 16
_RADIUS, _VARIANCE = 0.04, 1e-4


class SubjectFinder:
    """What a picture is about, on a device: one forward pass, and a system of about 1,600 equations."""

    def __init__(self, device: torch.device) -> None:
        self._backbone = backbones.load(_MODEL, (_MIDDLE, _DEEP, _LAST, _HEAD), device)
        self._classes = self._backbone.constant(f"{_HEAD}.weight")

    def digest(self) -> str:
        """What tells the network's numbers from others."""
        return self._backbone.digest()

    def __call__(self, frame: Tensor) -> Tensor:
        """The mask (1, 1, H, W) in [0, 1] of the subject of a frame (1, 3, H, W)."""
        small = resize(frame, _seen_size(size_of(frame))).clamp(0, 1)
        grid = Size(*(side // _CELL for side in size_of(small)))
        found = self._backbone(small)
        evidence = self._evidence(found, grid)
        middle, deep = (resize_bilinear(found[name], grid) for name in (_MIDDLE, _DEEP))
        alike = likeness(middle, deep, lab(resize(small, grid).clamp(0, 1)) / 100)
        rough = told_apart(standing_out(evidence, alike, plain_likeness(grid, evidence)))
        return smoothstep(guided(rough, frame, _RADIUS, _VARIANCE))

    def _evidence(self, found: dict[str, Tensor], grid: Size) -> Tensor:
        """(1, 1, h, w) in [0, 1]: where the network sees something, and that which it takes the picture for.

        The second is a class activation map (Zhou et al. 2016) of all classes, each as far as it is believed.
        """
        believed = found[_HEAD][0].softmax(0) @ self._classes
        named = (found[_LAST] * believed.view(1, -1, 1, 1)).sum(1, keepdim=True)
        seen = found[_DEEP].norm(dim=1, keepdim=True)
        return (stretched(resize_bilinear(named, grid)) * stretched(resize_bilinear(seen, grid))).sqrt()


def _seen_size(size: Size) -> Size:
    """That of what the network sees of a picture: about as many pixels for any, in its proportions."""
    scale = _SIDE / math.sqrt(size.height * size.width)
    return Size(*(max(2 * _STRIDE, round(side * scale / _STRIDE) * _STRIDE) for side in size))
