"""Where one scene ends and the next begins."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pipeline.frame import Size, size_of, to_uint8
from pipeline.ops.warp import resize

_WORKING_WIDTH = 256


def content_change(now: Tensor, before: Tensor) -> float:
    """How much two pictures (1, 3, H, W) differ: the mean change of hue, saturation and value, 0 to 255.

    Source: PySceneDetect's ContentDetector (B. Castellano), at a width of 256 pixels; it calls 27 and more a cut.

    Example:
        >>> black = torch.zeros(1, 3, 8, 8)
        >>> content_change(black, black), content_change(black + 1, black)  # of three figures, value alone
        (0.0, 85.0)
    """
    a, b = (_hue_saturation_value(picture) for picture in (now, before))
    return float(np.abs(a - b).mean())


def _hue_saturation_value(picture: Tensor) -> NDArray[np.int16]:
    height, width = size_of(picture)
    if width > _WORKING_WIDTH:
        picture = resize(picture, Size(max(1, round(height * _WORKING_WIDTH / width)), _WORKING_WIDTH)).clamp(0, 1)
    return cv2.cvtColor(to_uint8(picture), cv2.COLOR_RGB2HSV).astype(np.int16)
