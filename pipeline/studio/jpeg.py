"""Pictures as the page gets them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

QUALITY = 88
NARROWEST, WIDEST = 16, 4096


def to_jpeg(pixels: NDArray[np.uint8], width: int | None = None) -> bytes:
    """An (H, W, 3) RGB picture as JPEG, made smaller where it is wider than `width` pixels."""
    height, wide = pixels.shape[:2]
    picture: NDArray[np.uint8] = pixels
    if width is not None and width < wide:
        size = (max(NARROWEST, width), max(1, round(height * max(NARROWEST, width) / wide)))
        picture = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    options = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    done, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    assert done
    return data.tobytes()
