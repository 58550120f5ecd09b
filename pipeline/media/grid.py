"""A grid that a camera moves over, drawn afresh at every moment: no blur, however long it moves."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
_CELLS = 12  # across the frame
_STRONG = 4  # one line of so many
_PAPER = np.array([16, 18, 24], np.float32)
_ACROSS, _DOWN = np.array([236, 150, 70], np.float32), np.array([80, 160, 230], np.float32)
_FINEST = 5.0  # pixels between two lines, below which they fade


def draw_grid(ways: Sequence[tuple[NDArray[np.float64], float]], height: int, width: int) -> NDArray[np.uint8]:
    """(H, W, 3) RGB: one grid for each backward (3, 3) pixel matrix, by its weight.

    A matrix leads from the frame to where its grid stood still: lines down the frame are blue, across it orange, and
    those that lie behind the camera are not drawn.
    """
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    points = np.stack([x, y, np.ones_like(x)])
    picture = np.broadcast_to(_PAPER, (height, width, 3)).copy()
    for matrix, weight in ways:
        if weight == 0:
            continue
        u, v, w = np.tensordot(matrix.astype(np.float32), points, 1)
        seen = w > 1e-6
        depth = np.where(seen, w, np.float32(1))
        for place, centre, colour in ((u, (width - 1) / 2, _DOWN), (v, (height - 1) / 2, _ACROSS)):
            lines = _lines((place / depth - centre) * _CELLS / width) * seen * weight
            picture += lines[..., None] * (colour - _PAPER)
    return np.clip(picture, 0, 255).round().astype(np.uint8)


def _lines(place: Array) -> Array:
    """How strongly a line at the whole numbers of `place` shows in each pixel, from 0 to 1."""
    slope = np.hypot(*np.gradient(place)) + 1e-12  # cells per pixel
    found = np.zeros_like(place)
    for step, strength in ((1, 0.45), (_STRONG, 1.0)):
        pixels = np.abs(place / step - np.round(place / step)) * step / slope
        apart = np.clip(step / slope / _FINEST - 1, 0, 1)
        found = np.maximum(found, strength * apart * np.clip(1.5 - pixels, 0, 1))
    return found


def write_text(picture: NDArray[np.uint8], text: str) -> None:
    """A line in the lower left corner, readable on anything; changes the picture."""
    at, size = (8, picture.shape[0] - 9), max(0.35, picture.shape[1] / 1000)
    for colour, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, colour, thickness, cv2.LINE_AA)
