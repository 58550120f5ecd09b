"""Moving one figure of a picture by a factor, leaving its others nearly alone."""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.ops.blur import blur
from pipeline.ops.border import Border
from pipeline.ops.luma import luma

_FINE_PX = 1.0  # the scale of detail that the sharpness figure sees


def scale_brightness(frame: Tensor, factor: Tensor) -> Tensor:
    """Mean luma times `factor`, nearly, by a power that leaves black and white where they are.

    Example:
        >>> grey = torch.full((1, 3, 4, 4), 0.25)
        >>> round(float(scale_brightness(grey, torch.tensor(2.0)).mean()), 4)
        0.5
    """
    mean = luma(frame).mean().clamp(0.05, 0.95)
    return frame.clamp_min(0) ** (1 + factor.log() / mean.log()).clamp(0.25, 4)


def scale_contrast(frame: Tensor, factor: Tensor) -> Tensor:
    """The deviation of luma times `factor`, about its mean.

    Example:
        >>> halves = torch.cat([torch.full((1, 3, 4, 4), 0.25), torch.full((1, 3, 4, 4), 0.75)], 3)
        >>> [round(value, 4) for value in scale_contrast(halves, torch.tensor(1.5))[0, 0, 0, ::4].tolist()]
        [0.125, 0.875]
    """
    grey = luma(frame)
    return frame + (factor - 1) * (grey - grey.mean())


def scale_saturation(frame: Tensor, factor: Tensor) -> Tensor:
    """Every pixel's distance from its own grey times `factor`.

    Example:
        >>> red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
        >>> [round(value, 4) for value in scale_saturation(red, torch.tensor(0.0)).flatten().tolist()]
        [0.299, 0.299, 0.299]
    """
    return torch.lerp(luma(frame), frame, factor)


def scale_sharpness(frame: Tensor, factor: Tensor, border: Border = "edge") -> Tensor:
    """The finest detail times `factor`.

    Example:
        >>> picture = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> torch.equal(scale_sharpness(picture, torch.tensor(1.0)), picture)
        True
    """
    return frame + (factor - 1) * (frame - blur(frame, _FINE_PX, border))


SCALES = (scale_brightness, scale_contrast, scale_saturation, scale_sharpness)
"""In the order of `ops.measure.figures`."""
