"""What a frame looks like in a few numbers, to see a loop die, blow up or drift."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

# Rec. 709 luma weights.
_LUMA = (0.2126, 0.7152, 0.0722)


class Look(NamedTuple):
    """One frame's figures, each in the units of [0, 1] colour values."""

    brightness: float
    """mean luma"""
    contrast: float
    """standard deviation of luma"""
    saturation: float
    """mean of (max - min) over the three colours"""
    clipped: float
    """share of colour values within half an 8-bit step of 0 or 1"""
    sharpness: float
    """standard deviation of luma's Laplacian"""


def luma(frame: Tensor) -> Tensor:
    """(1, 1, H, W) Rec. 709 luma of a (1, 3, H, W) frame."""
    weights = torch.tensor(_LUMA, device=frame.device, dtype=frame.dtype).view(1, 3, 1, 1)
    return (frame * weights).sum(1, keepdim=True)


def look(frame: Tensor) -> Look:
    """The figures of a (1, 3, H, W) frame in [0, 1]."""
    grey = luma(frame)
    high, low = frame.amax(1), frame.amin(1)
    clipped = ((frame < 0.5 / 255) | (frame > 1 - 0.5 / 255)).float().mean()
    kernel = frame.new_tensor([[0, 1, 0], [1, -4, 1], [0, 1, 0]]).view(1, 1, 3, 3)
    laplacian = F.conv2d(grey, kernel)
    figures = torch.stack([grey.mean(), grey.std(), (high - low).mean(), clipped, laplacian.std()])
    return Look(*figures.tolist())
