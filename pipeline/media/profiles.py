"""Colour: what ICC profiles say of grey, CMYK and Lab pictures, and light as sRGB encodes it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms


def rgb_profile(profile: bytes | None) -> bytes | None:
    """`profile` where it is a whole one for RGB values, such as Adobe RGB; None otherwise."""
    return profile if profile is not None and _space(profile) == b"RGB " and _opened(profile) is not None else None


def grey_to_srgb(profile: bytes) -> NDArray[np.float64] | None:
    """(256,) from 0 to 1: what sRGB value each evenly spaced grey of a grey profile stands for; None for others."""
    opened = _opened(profile) if _space(profile) == b"GRAY" else None
    if opened is None:
        return None
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    try:
        return np.asarray(_converted(ramp, opened))[0, :, 1] / 255
    except ImageCms.PyCMSError:
        return None


def image_to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """A CMYK picture, by its profile where it has one, or a Lab picture as RGB."""
    if image.mode == "LAB":
        return _converted(image, ImageCms.createProfile("LAB"))
    opened = _opened(profile) if profile is not None and _space(profile) == b"CMYK" else None
    if opened is not None:
        try:
            return _converted(image, opened)
        except ImageCms.PyCMSError:
            pass  # a profile from the wrong side: for printing only
    return image.convert("RGB")


def linear_to_srgb(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear light in [0, 1] as sRGB encodes it (IEC 61966-2-1)."""
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055).astype(np.float32)


def _space(profile: bytes) -> bytes:
    return profile[16:20]


def _opened(profile: bytes) -> Any:
    try:
        return ImageCms.ImageCmsProfile(io.BytesIO(profile))
    except (OSError, ImageCms.PyCMSError):
        return None


def _converted(image: Image.Image, source: Any) -> Image.Image:
    converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert converted is not None
    return converted
