"""The landscape that ships, out of nothing but numpy: `python presets/pictures/make.py` writes hills.jpg beside itself.

An evening sky, and five ranges of hills, the farther the paler.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float64]

WIDTH, HEIGHT = 960, 540
chance = np.random.default_rng(12)
# Of each range: how high it lies, how rough it is, and its colour; shares of the height, and RGB.
RANGES = (
    (0.50, 0.15, (0.66, 0.62, 0.68)),
    (0.58, 0.12, (0.50, 0.52, 0.56)),
    (0.68, 0.10, (0.36, 0.42, 0.38)),
    (0.79, 0.08, (0.24, 0.31, 0.20)),
    (0.91, 0.06, (0.13, 0.18, 0.09)),
)


def clouds(falloff: float, stretch: float = 1.0) -> Image:
    """Noise (H, W) of standard deviation 1 whose amplitudes fall as 1/f^falloff; `stretch` draws it out sideways."""
    fy, fx = np.fft.fftfreq(HEIGHT)[:, None] * HEIGHT, np.fft.rfftfreq(WIDTH) * WIDTH * stretch
    scale = np.maximum(np.hypot(fy, fx), 2.0) ** -falloff
    noise = np.fft.irfft2(np.fft.rfft2(chance.standard_normal((HEIGHT, WIDTH))) * scale, (HEIGHT, WIDTH))
    return noise / noise.std()


def ridge(rough: float) -> Image:
    """(W,) how far a range's outline rises above where it lies: fewer large hills, more small ones."""
    x, outline = np.arange(WIDTH) / WIDTH, np.zeros(WIDTH)
    for octave in range(8):
        outline += np.sin(2 * np.pi * (x * 1.3 * 2**octave + chance.uniform())) * 0.52**octave
    return rough * outline


def landscape() -> Image:
    """The picture (H, W, 3) in [0, 1]."""
    y = np.linspace(0, 1, HEIGHT)[:, None]
    x = np.linspace(0, 1, WIDTH)[None]
    high, low = np.array([0.36, 0.52, 0.78]), np.array([0.98, 0.82, 0.66])
    picture = high + (low - high) * (np.clip(y / 0.6, 0, 1) ** 1.2)[..., None] * np.ones((1, WIDTH, 1))
    glow = np.exp(-np.square((x - 0.68) / 0.16) - np.square((y - 0.5) / 0.14))
    picture = picture + glow[..., None] * np.array([0.10, 0.06, 0.0])
    bank = np.clip(clouds(1.7, 4.0) - 0.9, 0, 1) * np.clip(1 - np.abs(y - 0.22) / 0.22, 0, 1)
    picture = picture + (0.28 * bank)[..., None] * np.array([1.0, 0.93, 0.9])
    for lies, rough, colour in RANGES:
        inside = np.clip((y - lies + ridge(rough)) * HEIGHT + 0.5, 0, 1)[..., None]
        ground = np.array(colour) * (1 + (0.05 + 0.14 * lies**2) * clouds(1.0))[..., None]
        mist = np.clip((y - lies) / 0.25, 0, 1)[..., None] * 0.10
        picture = picture * (1 - inside) + np.clip(ground * (1 - mist) + mist * low, 0, 1) * inside
    return np.clip(picture, 0, 1)


def main() -> None:
    pixels = np.rint(landscape() * 255).astype(np.uint8)
    cv2.imwrite(str(Path(__file__).with_name("hills.jpg")), pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])


if __name__ == "__main__":
    main()
