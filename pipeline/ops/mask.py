"""Where a picture is to be worked on: (1, 1, H, W) in [0, 1], 1 for all of it."""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.device import upload
from pipeline.frame import Size, size_of
from pipeline.ops.blur import filter_separable
from pipeline.ops.luma import BT709, luma
from pipeline.ops.smoothstep import smoothstep
from pipeline.ops.sphere import centres, directions
from pipeline.ops.warp import resize

_SALIENCY_SIDE = 64  # Hou and Zhang's: coarser misses things, finer finds texture
_LOG_FLOOR = 1e-8
_FINE_SHARE, _AROUND_SHARE = 0.03, 0.025  # of the shorter side: what is detail, and how far it reaches
_HALO_SHARE = 0.03  # of the shorter side: an edge alone is felt so far into what is flat beside it, and further


def radial(size: Size, centre: tuple[float, float], radius: float, soft: float, device: torch.device) -> Tensor:
    """A disc. `centre` (x, y) in shares of width and height, `radius` and `soft` in shares of the shorter side.

    Half is reached at the radius; the edge is `soft` wide to each side.

    Example:
        >>> disc = radial(Size(48, 64), (0.5, 0.5), 0.25, 0.05, torch.device('cpu'))
        >>> disc.shape, float(disc[0, 0, 24, 32]), float(disc[0, 0, 0, 0])
        (torch.Size([1, 1, 48, 64]), 1.0, 0.0)
    """
    y = torch.arange(size.height, device=device)[:, None] + 0.5
    x = torch.arange(size.width, device=device) + 0.5
    distance = torch.hypot(x - centre[0] * size.width, y - centre[1] * size.height) / min(size)
    return 1 - ramp(distance, radius, soft)[None, None]


def radial_on_sphere(
    size: Size, centre: tuple[float, float], radius: float, soft: float, device: torch.device
) -> Tensor:
    """The same on an equirectangular picture of `size`: round on the sphere, its sizes in half turns.

    Example:
        >>> disc = radial_on_sphere(Size(32, 64), (0.0, 0.5), 0.25, 0.05, torch.device('cpu'))[0, 0]
        >>> disc[16, [0, 10, 32, 63]].tolist()
        [1.0, 0.0, 0.0, 1.0]
    """
    x, y = (torch.tensor(share * side, dtype=torch.float64) for share, side in zip(centre, reversed(size), strict=True))
    near = torch.einsum("chw,c->hw", directions(*centres(size), size), directions(x, y, size))
    half_turns = near.clamp(-1, 1).acos() / math.pi
    return upload(1 - ramp(half_turns.float(), radius, soft)[None, None], device)


def between(values: Tensor, low: float, high: float, soft: float) -> Tensor:
    """1 where `values` are from `low` to `high`, falling off within `soft` to each side of both.

    Example:
        >>> between(torch.tensor([0.0, 0.4, 0.5, 1.0]), 0.4, 1.0, 0.1).tolist()
        [0.0, 0.5, 1.0, 1.0]
    """
    # Beyond the ends of the range lies nothing: a band that reaches an end is whole there.
    above = ramp(values, low, soft) if low > 0 else torch.ones_like(values)
    below = 1 - ramp(values, high, soft) if high < 1 else torch.ones_like(values)
    return above * below


def ramp(values: Tensor, middle: float, soft: float) -> Tensor:
    """From 0 to 1, smoothly, from `middle - soft` to `middle + soft`.

    Example:
        >>> ramp(torch.tensor([0.0, 0.5, 1.0]), 0.5, 0.25).tolist()
        [0.0, 0.5, 1.0]
    """
    return smoothstep((values - middle) / (2 * max(soft, 1e-6)) + 0.5)


def soften(mask: Tensor, sigma_px: float) -> Tensor:
    """`mask` (1, 1, H, W) blurred by a Gaussian.

    Example:
        >>> soften(torch.ones(1, 1, 8, 8), 2.0).round(decimals=4).unique().tolist()
        [1.0]
    """
    if sigma_px < 0.3:
        return mask
    if mask.device.type == "cpu":
        # Several times faster than torch's convolution of one channel.
        blurred = cv2.GaussianBlur(mask[0, 0].numpy(), (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT_101)
        return torch.from_numpy(blurred)[None, None]
    taps = torch.from_numpy(cv2.getGaussianKernel(round(8 * sigma_px + 1) | 1, sigma_px, cv2.CV_32F))
    return filter_separable(mask, upload(taps.view(-1), mask.device), "reflect")


def saliency(frame: Tensor) -> Tensor:
    """What stands out (1, 1, h, w), small, from 0 to 1: the spectral residual (Hou, Zhang 2007).

    Example:
        >>> dot = torch.zeros(1, 3, 64, 96)
        >>> dot[..., 30:34, 40:44] = 1
        >>> found = saliency(dot)
        >>> found.shape, float(found.max())
        (torch.Size([1, 1, 64, 96]), 1.0)
    """
    height, width = size_of(frame)
    scale = _SALIENCY_SIDE / min(height, width)
    grey = luma(resize(frame, Size(round(height * scale), round(width * scale))), BT709)
    spectrum = torch.fft.fft2(grey)
    logarithm = spectrum.abs().clamp_min(_LOG_FLOOR).log()
    mean = F.avg_pool2d(F.pad(logarithm, (1, 1, 1, 1), mode="circular"), 3, 1)
    residual = torch.polar((logarithm - mean).exp(), spectrum.angle())
    found = soften(torch.fft.ifft2(residual).abs().square(), 2.5)
    return found / found.max().clamp_min(1e-12)


def local_contrast(frame: Tensor) -> Tensor:
    """How much there is to see around each place of a frame (1, 3, H, W): (1, 1, H, W), about 0 to 0.3.

    The standard deviation of luma around a place, less what changes slowly, as a clear sky does.

    Example:
        >>> frame = torch.full((1, 3, 32, 64), 0.5)
        >>> frame[..., ::2, 32:] = 1.0  # stripes on the right
        >>> found = local_contrast(frame)
        >>> round(float(found[0, 0, 16, 4]), 3), round(float(found[0, 0, 16, 60]), 2)
        (0.0, 0.25)
    """
    side = min(size_of(frame))
    grey = luma(frame, BT709)
    fine = grey - soften(grey, max(1.0, side * _FINE_SHARE))
    around = soften(fine.square(), max(1.0, side * _AROUND_SHARE)).clamp_min(0).sqrt()
    return shrink(around, round(side * _HALO_SHARE))


def shrink(mask: Tensor, radius_px: int) -> Tensor:
    """The least of `mask` (1, 1, H, W) in the square of so many pixels to each side: what is bright recedes.

    Example:
        >>> mask = torch.tensor([[[[0.0, 1.0, 1.0, 1.0]]]])
        >>> shrink(mask, 1).flatten().tolist()
        [0.0, 0.0, 1.0, 1.0]
    """
    if mask.device.type == "cpu":
        # Several times faster than torch's pooling of one channel.
        square = np.ones((2 * radius_px + 1, 2 * radius_px + 1), np.uint8)
        least = cv2.erode(mask[0, 0].numpy(), square, borderType=cv2.BORDER_REPLICATE)
        return torch.from_numpy(least)[None, None]
    wide = F.pad(-mask, [radius_px] * 4, mode="replicate")
    return -F.max_pool2d(F.max_pool2d(wide, (2 * radius_px + 1, 1), 1), (1, 2 * radius_px + 1), 1)
