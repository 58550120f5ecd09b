"""Low-passing pictures by one line of taps, across and then down.

OpenCV and torchvision blur too, but sum in another order: films would differ in their last digits from those made
so far, so what goes into frames is summed here.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.device import upload
from pipeline.ops.border import Border, pad


def blur(frame: Tensor, sigma_px: float, border: Border = "edge") -> Tensor:
    """`frame` (1, C, H, W) under a Gaussian of `sigma_px` pixels, edge pixels repeated outside if nothing else is said.

    Example:
        >>> dot = torch.zeros(1, 1, 5, 5)
        >>> dot[..., 2, 2] = 1
        >>> found = blur(dot, 0.5)
        >>> found.shape, round(float(found.sum()), 6)
        (torch.Size([1, 1, 5, 5]), 1.0)
        >>> found[0, 0, 2].mul(100).round().tolist()
        [0.0, 8.0, 62.0, 8.0, 0.0]
    """
    return filter_separable(frame, upload(gaussian(sigma_px), frame.device), border)


def gaussian(sigma_px: float) -> Tensor:
    """The taps (n,) float32 of a Gaussian, out to three sigma and at least to the neighbours, with sum 1.

    Example:
        >>> gaussian(0.5).mul(1000).round().tolist()
        [0.0, 106.0, 787.0, 106.0, 0.0]
    """
    radius = max(1, math.ceil(3 * sigma_px))
    at = torch.arange(-radius, radius + 1, dtype=torch.float64)
    taps = torch.exp(-(at**2) / (2 * sigma_px**2))
    return (taps / taps.sum()).float()


def anti_alias(scale: float) -> Tensor:
    """The taps (n,) that a picture is low-passed by before it shrinks by `scale`, above 1; for many small steps, too.

    Their variance is (scale^2 - 1) / 4 square pixels, so that steps add up to what their product would ask for.

    Example:
        >>> anti_alias(2**0.5).tolist(), anti_alias(4.0).shape
        ([0.125, 0.75, 0.125], torch.Size([13]))
    """
    variance = (scale**2 - 1) / 4
    if variance > 0.5:
        return gaussian(math.sqrt(variance))
    # A Gaussian narrower than a pixel would have no variance left where it is sampled.
    return torch.tensor([variance / 2, 1 - variance, variance / 2])


def filter_separable(planes: Tensor, taps: Tensor, border: Border) -> Tensor:
    """`planes` (1, C, H, W) filtered by a symmetric line of taps (n,), n odd, on their device: across, then down.

    Example:
        >>> filter_separable(torch.eye(3)[None, None], torch.tensor([0.25, 0.5, 0.25]), "edge")[0, 0].tolist()
        [[0.625, 0.3125, 0.0625], [0.3125, 0.375, 0.3125], [0.0625, 0.3125, 0.625]]
    """
    radius, channels = len(taps) // 2, planes.shape[1]
    line = taps.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    rows = F.conv2d(pad(planes, 3, radius, border), line, groups=channels)
    return F.conv2d(pad(rows, 2, radius, border), line.transpose(2, 3), groups=channels)
