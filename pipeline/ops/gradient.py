"""What is done to a gradient before it is stepped along: smoothing and normalising."""

from __future__ import annotations

import cv2
import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.device import constant
from pipeline.frame import size_of
from pipeline.ops.blur import filter_separable
from pipeline.ops.warp import resize_bilinear

_BINOMIAL = tuple(tap / 16 for tap in (1, 4, 6, 4, 1))


def smoothing_kernel(sigma_px: float) -> Tensor:
    """The mean of three Gaussians of `sigma_px`/2, `sigma_px` and 2 `sigma_px`, as one (k, k) kernel of sum 1.

    Peers convolve three times and add (pytorch-deepdream, 2020); convolution is linear, so the kernels are
    added instead.

    Example:
        >>> kernel = smoothing_kernel(0.8)
        >>> kernel.shape, round(float(kernel.sum()), 5)
        (torch.Size([5, 5]), 1.0)
    """
    radius = max(1, round(3 * sigma_px))
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float64)
    total = torch.zeros(2 * radius + 1, 2 * radius + 1, dtype=torch.float64)
    for sigma in (sigma_px / 2, sigma_px, 2 * sigma_px):
        line = torch.exp(-0.5 * (offsets / sigma) ** 2)
        line /= line.sum()
        total += torch.outer(line, line) / 3
    return total.float()


def smooth(gradient: Tensor, kernel: Tensor) -> Tensor:
    """`gradient` (1, 3, H, W) filtered by a symmetric (k, k) kernel, mirrored at the edges.

    Example:
        >>> flat = torch.ones(1, 3, 6, 8)
        >>> torch.allclose(smooth(flat, smoothing_kernel(0.8)), flat)
        True
    """
    if gradient.device.type == "cpu":
        # A depthwise convolution of torch takes about ten times as long here.
        planes, weights = gradient[0].numpy(), kernel.numpy()
        smoothed = torch.empty_like(gradient, memory_format=torch.contiguous_format)
        for plane, target in zip(planes, smoothed[0].numpy(), strict=True):
            cv2.filter2D(plane, -1, weights, dst=target, borderType=cv2.BORDER_REFLECT_101)
        return smoothed
    radius = kernel.shape[0] // 2
    mode = "reflect" if radius < min(gradient.shape[-2:]) else "replicate"
    padded = F.pad(gradient, (radius,) * 4, mode=mode)
    return F.conv2d(padded, kernel.to(gradient).expand(3, 1, -1, -1), groups=3)


def step_along(image: Tensor, gradient: Tensor, length: float | Tensor) -> None:
    """Move `image` (1, 3, H, W) in place along `gradient`, by `length` per value on average; clamped to [0, 1].

    The gradient is divided by its mean magnitude (google/deepdream, 2015); along a flat one nothing moves.

    Example:
        >>> image = torch.full((1, 3, 2, 2), 0.5)
        >>> step_along(image, torch.full((1, 3, 2, 2), 7.0), 0.25)
        >>> image.unique().tolist()
        [0.75]
    """
    mean = gradient.abs().mean()  # a quarter of vector_norm's time
    # The factor stays a tensor: reading it would make a device wait.
    image.addcmul_(gradient, length / mean.clamp_min(1e-12)).clamp_(0, 1)


def laplacian_normalised(gradient: Tensor, levels: int = 4) -> Tensor:
    """`gradient` (1, 3, H, W) with each octave of its detail at the same strength (2015 notebook, lap_normalize).

    A Laplacian pyramid whose levels are divided by their root mean square, and put together again.

    Example:
        >>> found = laplacian_normalised(torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
        >>> found.shape
        torch.Size([1, 3, 32, 32])
    """
    bands: list[Tensor] = []
    rest = gradient
    for _ in range(levels):
        if min(rest.shape[2:]) < 4:
            break
        low = F.avg_pool2d(
            filter_separable(rest, constant(_BINOMIAL, rest), "edge"), 2, ceil_mode=True, count_include_pad=False
        )
        bands.append(rest - resize_bilinear(low, size_of(rest)))
        rest = low
    total = _unit(rest)
    for band in reversed(bands):
        total = resize_bilinear(total, size_of(band)) + _unit(band)
    return total


def _unit(band: Tensor) -> Tensor:
    return band / band.square().mean().sqrt().clamp_min(1e-10)
