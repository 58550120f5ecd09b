"""One picture giving way to another, as light does."""

from __future__ import annotations

from torch import Tensor


def dissolve(before: Tensor, after: Tensor, weight: float) -> Tensor:
    """A share `weight` of one picture's light and the rest of the other's, both (..., H, W) sRGB-encoded in [0, 1].

    Mixed as encoded they would be, half way, darker and duller than either.

    Example:
        >>> import torch
        >>> half = dissolve(torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1), 0.5)
        >>> round(float(half.mean()), 3)
        0.735
    """
    return _encoded(_light(before).lerp(_light(after), weight)).clamp_(0, 1)


def _light(picture: Tensor) -> Tensor:
    """Linear light of sRGB (IEC 61966-2-1)."""
    return (picture / 12.92).where(picture <= 0.04045, ((picture.clamp(0) + 0.055) / 1.055).pow(2.4))


def _encoded(light: Tensor) -> Tensor:
    return (light * 12.92).where(light <= 0.0031308, 1.055 * light.clamp(0).pow(1 / 2.4) - 0.055)
