"""Resampling: moving pictures by a matrix, and changing their size. `align_corners=False` throughout."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.frame import Size, size_of


def warp_affine(frame: Tensor, matrix: Tensor) -> Tensor:
    """`frame` (1, C, H, W) read through a backward (3, 3) pixel matrix; bicubic, reflected at the edges.

    The identity returns the frame itself, bit for bit. The result is not clamped.
    """
    if torch.equal(matrix, torch.eye(3, dtype=matrix.dtype)):
        return frame
    height, width = size_of(frame)
    # From output positions in [-1, 1] to pixels, through the matrix, and back to [-1, 1].
    to_pixels = torch.tensor([[width / 2, 0, width / 2], [0, height / 2, height / 2], [0, 0, 1]], dtype=torch.float64)
    theta = (torch.linalg.inv(to_pixels) @ matrix.double() @ to_pixels)[None, :2].to(frame)
    grid = F.affine_grid(theta, list(frame.shape), align_corners=False)
    return F.grid_sample(frame, grid, mode="bicubic", padding_mode="reflection", align_corners=False)


def resize(frame: Tensor, size: Size) -> Tensor:
    """`frame` (1, C, h, w) at another size: bicubic, low-passed when it shrinks. Not clamped."""
    if size_of(frame) == size:
        return frame
    return F.interpolate(frame, size, mode="bicubic", align_corners=False, antialias=True)
