"""Tone: brightness, contrast, saturation, vignette, sharpening and grain of a picture (1, 3, H, W) in [0, 1].

A setting that asks for nothing returns the picture itself, bit for bit. Nothing is clamped unless it says so.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.frame import NO_MARGIN, Size, size_of
from pipeline.ops.blur import blur, gaussian
from pipeline.ops.border import Border, pad_around
from pipeline.ops.luma import luma
from pipeline.ops.smoothstep import smoothstep


def with_gamma(frame: Tensor, gamma: float) -> Tensor:
    """Every value x as x^(1/gamma): above 1 lifts the middle, black and white stay.

    Example:
        >>> with_gamma(torch.tensor([0.0, 0.25, 1.0]), 2.0).tolist()
        [0.0, 0.5, 1.0]
    """
    return frame if gamma == 1 else frame.clamp_min(0) ** (1 / gamma)


def with_contrast(frame: Tensor, factor: float) -> Tensor:
    """Every value's distance from middle grey times `factor`.

    Example:
        >>> with_contrast(torch.tensor([0.25, 0.5]), 2.0).tolist()
        [0.0, 0.5]
    """
    return frame if factor == 1 else 0.5 + (frame - 0.5) * factor


def with_saturation(frame: Tensor, factor: float) -> Tensor:
    """Every pixel's distance from its own grey times `factor`; 0 is black and white.

    Example:
        >>> red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
        >>> [round(value, 3) for value in with_saturation(red, 0.0).flatten().tolist()]
        [0.299, 0.299, 0.299]
    """
    return frame if factor == 1 else torch.lerp(luma(frame), frame, factor)


def corner_nearness(size: Size, device: torch.device, margin: Size = NO_MARGIN) -> Tensor:
    """(1, 1, H, W): 0 in the middle third, rising smoothly to 1 in the corners of a picture of `size`.

    In a `margin` around the picture it stays 1 beyond them; H and W count it.

    Example:
        >>> near = corner_nearness(Size(5, 5), torch.device('cpu'))[0, 0]
        >>> float(near[0, 0]), float(near[2, 2])
        (1.0, 0.0)
    """
    y = _from_end_to_end(size.height, margin.height, device)[:, None]
    x = _from_end_to_end(size.width, margin.width, device)
    distance = torch.sqrt((x**2 + y**2) / 2)
    return smoothstep((distance - 0.3) / 0.7)[None, None]


def _from_end_to_end(side: int, margin: int, device: torch.device) -> Tensor:
    end = 1 + 2 * margin / max(1, side - 1)
    return torch.linspace(-end, end, side + 2 * margin, device=device)


def unsharp(frame: Tensor, radius_px: float, amount: float, overshoot: float, border: Border = "edge") -> Tensor:
    """`frame` plus `amount` times its detail finer than `radius_px`; below 0 softens.

    No value goes more than `overshoot` beyond what lies within the radius around it: a halo that is bounded can't
    grow on itself when the picture comes round again (our addition).

    Example:
        >>> edge = torch.tensor([0.25, 0.25, 0.75, 0.75]).expand(1, 3, 4, 4)
        >>> unsharp(edge, 1.0, 5.0, 0.125)[0, 0, 0].tolist()  # no further than 0.125 beyond
        [0.125, 0.125, 0.875, 0.875]
    """
    if amount == 0:
        return frame
    reach = 2 * math.ceil(radius_px) + 1
    padded = pad_around(frame, reach // 2, border)
    highest = F.max_pool2d(padded, reach, 1) + overshoot
    lowest = -F.max_pool2d(-padded, reach, 1) - overshoot
    sharpened = frame + amount * (frame - blur(frame, radius_px, border))
    return torch.minimum(torch.maximum(sharpened, lowest), highest)


def grain(size: Size, size_px: float, colour: float, generator: torch.Generator, border: Border = "edge") -> Tensor:
    """Noise (1, 3, H, W) on the CPU, standard deviation 1 in each colour: grains of about `size_px` pixels.

    `colour` 0 is the same noise in all three colours, 1 is noise of its own in each.

    Example:
        >>> grain(Size(4, 6), 1.0, 0.5, torch.Generator().manual_seed(0)).shape
        torch.Size([1, 3, 4, 6])
    """
    shared, own = torch.randn(1, 1, *size, generator=generator), torch.randn(1, 3, *size, generator=generator)
    noise = math.sqrt(1 - colour**2) * shared + colour * own
    sigma_px = (size_px - 1) / 2
    if sigma_px == 0:
        return noise
    return blur(noise, sigma_px, border) / float(gaussian(sigma_px).square().sum())


def with_grain(frame: Tensor, noise: Tensor, amount: float) -> Tensor:
    """`frame` with noise of standard deviation `amount` in middle grey and none in black and white, as on film.

    Example:
        >>> white = torch.ones(1, 3, 4, 4)
        >>> torch.equal(with_grain(white, torch.ones(1, 3, 4, 4), 0.5), white)
        True
    """
    if amount == 0:
        return frame
    assert size_of(frame) == size_of(noise), f"{size_of(frame)} is not {size_of(noise)}"
    grey = luma(frame).clamp(0, 1)
    return frame + (2 * amount) * torch.sqrt(grey * (1 - grey)) * noise
