"""Tone: brightness, contrast, saturation, vignette, sharpening and grain of a picture (1, 3, H, W) in [0, 1].

A setting that asks for nothing returns the picture itself, bit for bit. Nothing is clamped unless it says so.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.frame import Size, size_of
from pipeline.ops.blur import blur, gaussian
from pipeline.ops.luma import luma
from pipeline.ops.smoothstep import smoothstep


def with_gamma(frame: Tensor, gamma: float) -> Tensor:
    """Every value x as x^(1/gamma): above 1 lifts the middle, black and white stay."""
    return frame if gamma == 1 else frame.clamp_min(0) ** (1 / gamma)


def with_contrast(frame: Tensor, factor: float) -> Tensor:
    """Every value's distance from middle grey times `factor`."""
    return frame if factor == 1 else 0.5 + (frame - 0.5) * factor


def with_saturation(frame: Tensor, factor: float) -> Tensor:
    """Every pixel's distance from its own grey times `factor`; 0 is black and white."""
    return frame if factor == 1 else torch.lerp(luma(frame), frame, factor)


def corner_nearness(size: Size, device: torch.device) -> Tensor:
    """(1, 1, H, W): 0 in the middle third, rising smoothly to 1 in the corners of a picture of `size`."""
    y = torch.linspace(-1, 1, size.height, device=device)[:, None]
    x = torch.linspace(-1, 1, size.width, device=device)
    distance = torch.sqrt((x**2 + y**2) / 2)
    return smoothstep((distance - 0.3) / 0.7)[None, None]


def unsharp(frame: Tensor, radius_px: float, amount: float, overshoot: float) -> Tensor:
    """`frame` plus `amount` times its detail finer than `radius_px`; below 0 softens.

    No value goes more than `overshoot` beyond what lies within the radius around it: a halo that is bounded can't
    grow on itself when the picture comes round again (our addition).
    """
    if amount == 0:
        return frame
    reach = 2 * math.ceil(radius_px) + 1
    padded = F.pad(frame, (reach // 2,) * 4, mode="replicate")
    highest = F.max_pool2d(padded, reach, 1) + overshoot
    lowest = -F.max_pool2d(-padded, reach, 1) - overshoot
    sharpened = frame + amount * (frame - blur(frame, radius_px))
    return torch.minimum(torch.maximum(sharpened, lowest), highest)


def grain(size: Size, size_px: float, colour: float, generator: torch.Generator) -> Tensor:
    """Noise (1, 3, H, W) on the CPU, standard deviation 1 in each colour: grains of about `size_px` pixels.

    `colour` 0 is the same noise in all three colours, 1 is noise of its own in each.
    """
    shared, own = torch.randn(1, 1, *size, generator=generator), torch.randn(1, 3, *size, generator=generator)
    noise = math.sqrt(1 - colour**2) * shared + colour * own
    sigma_px = (size_px - 1) / 2
    if sigma_px == 0:
        return noise
    return blur(noise, sigma_px) / float(gaussian(sigma_px).square().sum())


def with_grain(frame: Tensor, noise: Tensor, amount: float) -> Tensor:
    """`frame` with noise of standard deviation `amount` in middle grey and none in black and white, as on film."""
    if amount == 0:
        return frame
    assert size_of(frame) == size_of(noise), f"{size_of(frame)} is not {size_of(noise)}"
    grey = luma(frame).clamp(0, 1)
    return frame + (2 * amount) * torch.sqrt(grey * (1 - grey)) * noise
