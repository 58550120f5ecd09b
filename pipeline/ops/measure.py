"""What a frame looks like in a few numbers, to see a loop die, blow up or drift."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from pipeline.device import constant
from pipeline.ops.luma import luma

_LAPLACIAN = (0, 1, 0, 1, -4, 1, 0, 1, 0)


class Look(NamedTuple):
    """One frame's figures, as shares of the range from black to white."""

    brightness: float
    """mean luma"""
    contrast: float
    """standard deviation of luma"""
    saturation: float
    """mean of (max - min) over the three colours"""
    clipped: float
    """share of colour values that are 0 or 255"""
    sharpness: float
    """standard deviation of luma's Laplacian"""


def look(pixels: NDArray[np.uint8]) -> Look:
    """The figures of an (H, W, 3) RGB picture.

    Example:
        >>> white = look(np.full((4, 4, 3), 255, np.uint8))
        >>> white.brightness, white.contrast
        (1.0, 0.0)
    """
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    brightness, contrast = (float(figure.item()) for figure in cv2.meanStdDev(grey))
    sharpness = float(cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_16S))[1].item())
    red, green, blue = cv2.split(pixels)
    high, low = cv2.max(cv2.max(red, green), blue), cv2.min(cv2.min(red, green), blue)
    saturation = float(cv2.mean(cv2.subtract(high, low))[0])
    clipped = np.count_nonzero(pixels == 0) + np.count_nonzero(pixels == 255)
    return Look(
        brightness=round(brightness / 255, 5),
        contrast=round(contrast / 255, 5),
        saturation=round(saturation / 255, 5),
        clipped=round(clipped / pixels.size, 5),
        sharpness=round(sharpness / 255, 5),
    )


def figures(frame: Tensor) -> Tensor:
    """Brightness, contrast, saturation and sharpness of a (1, 3, H, W) frame in [0, 1], as `look` has them.

    (4,) float32 on the frame's device: nothing waits for it.

    Example:
        >>> figures(torch.full((1, 3, 4, 4), 0.5)).round(decimals=3).tolist()
        [0.5, 0.0, 0.0, 0.0]
    """
    grey = luma(frame)
    laplacian = constant(_LAPLACIAN, frame).view(1, 1, 3, 3)
    detail = F.conv2d(F.pad(grey, (1, 1, 1, 1), mode="reflect"), laplacian)
    saturation = (frame.amax(1) - frame.amin(1)).mean()
    return torch.stack([grey.mean(), grey.std(correction=0), saturation, detail.std(correction=0)])
