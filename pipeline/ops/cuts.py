"""Where one scene ends and the next begins."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pipeline.frame import Size, size_of, to_uint8
from pipeline.ops.warp import resize

_WORKING_WIDTH = 256


def content_change(now: NDArray[np.int16], before: NDArray[np.int16]) -> float:
    """How much two pictures differ, as `hue_saturation_value` gives them: the mean change of the three, 0 to 255.

    Source: PySceneDetect's ContentDetector (B. Castellano), at a width of 256 pixels; it calls 27 and more a cut.

    Example:
        >>> black, white = (hue_saturation_value(torch.full((1, 3, 8, 8), each)) for each in (0.0, 1.0))
        >>> content_change(black, black), content_change(white, black)  # of three figures, value alone
        (0.0, 85.0)
    """
    return float(np.abs(now - before).mean())


def hue_saturation_value(picture: Tensor) -> NDArray[np.int16]:
    """What cuts are told by, (h, w, 3) at most 256 wide, of a picture (1, 3, H, W): OpenCV's HSV, hue 0 to 179.

    Example:
        >>> hue_saturation_value(torch.ones(1, 3, 1, 1)).tolist()
        [[[0, 0, 255]]]
    """
    height, width = size_of(picture)
    if width > _WORKING_WIDTH:
        picture = resize(picture, Size(max(1, round(height * _WORKING_WIDTH / width)), _WORKING_WIDTH)).clamp(0, 1)
    return cv2.cvtColor(to_uint8(picture), cv2.COLOR_RGB2HSV).astype(np.int16)
