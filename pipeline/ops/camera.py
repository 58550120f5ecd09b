"""Camera motion as 3x3 matrices that say where each pixel of the new picture is read from."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pipeline.frame import Size


def motion_matrix(
    seconds: float,
    size: Size,
    *,
    zoom: float,
    degrees_per_second: float,
    pan: tuple[float, float],
    centre: tuple[float, float],
) -> Tensor:
    """The backward motion of a steady camera over `seconds`, as a float64 (3, 3) matrix.

    It maps a pixel position (x, y, 1) of the picture after the motion to the one it shows before it, with
    pixel centres at half-integers. `zoom` is a factor per second (above 1 moves in), positive
    `degrees_per_second` turns the picture clockwise, `pan` is the camera's own speed in frame widths per
    second, to the right and down; `centre` is in shares of width and height.

    The three motions act at once: the matrix is the exponential of their joint rate, so that motions over
    consecutive times compose exactly and the frame rate does not matter.
    """
    height, width = size
    x, y = centre[0] * width, centre[1] * height
    log_zoom, turn = math.log(zoom), math.radians(degrees_per_second)
    # Backward: reading coordinates shrink towards the centre while the camera moves in.
    a, b = -log_zoom, turn
    rate = torch.tensor(
        [
            [a, b, pan[0] * width - a * x - b * y],
            [-b, a, pan[1] * width + b * x - a * y],
            [0.0, 0.0, 0.0],
        ],
        dtype=torch.float64,
    )
    matrix: Tensor = torch.linalg.matrix_exp(rate * seconds)
    return matrix
