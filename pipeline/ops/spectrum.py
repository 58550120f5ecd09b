"""Pictures as spectra, so that a step of equal length changes coarse shapes more than fine texture."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.frame import Size
from pipeline.ops.noise import NATURAL_COLOUR_ROOT

_START = 0.01  # standard deviation of fresh coefficients: nearly grey
_PIVOT = 20.0  # pixels


def spectrum_noise(size: Size, generator: torch.Generator) -> Tensor:
    """Fresh coefficients (3, H, W // 2 + 1, 2): planes of decorrelated colours, real and imaginary parts.

    Example:
        >>> spectrum_noise(Size(4, 6), torch.Generator().manual_seed(0)).shape
        torch.Size([3, 4, 4, 2])
    """
    return _START * torch.randn(3, size.height, size.width // 2 + 1, 2, generator=generator)


def frequency_scale(size: Size, falloff: float) -> Tensor:
    """1/f^`falloff` for each coefficient (H, W // 2 + 1): how fast detail fades; 1 as in photographs.

    Twenty pixels to a wave have the same weight whatever the falloff.

    Example:
        >>> frequency_scale(Size(4, 6), 1.0).shape
        torch.Size([4, 4])
    """
    fy, fx = torch.fft.fftfreq(size.height)[:, None], torch.fft.rfftfreq(size.width)[None, :]
    frequency = torch.sqrt(fx**2 + fy**2).clamp_min(1 / max(size))
    return math.sqrt(size.height * size.width) * _PIVOT * (1 / (_PIVOT * frequency)) ** falloff


def picture_of(spectrum: Tensor, scale: Tensor, size: Size) -> Tensor:
    """The (1, 3, H, W) picture in (0, 1) of coefficients. Source: Olah, Mordvintsev, Schubert 2017 (lucid).

    Example:
        >>> size = Size(4, 6)
        >>> flat = picture_of(torch.zeros(3, 4, 4, 2), frequency_scale(size, 1.0), size)
        >>> flat.shape, flat.unique().tolist()
        (torch.Size([1, 3, 4, 6]), [0.5])
    """
    planes = torch.fft.irfft2(torch.view_as_complex(spectrum) * scale, s=tuple(size)) / 4
    return from_decorrelated(planes)


def from_decorrelated(planes: Tensor) -> Tensor:
    """Planes (3, H, W) of unbounded, decorrelated colour as a picture (1, 3, H, W) in (0, 1).

    Example:
        >>> from_decorrelated(torch.zeros(3, 1, 1)).flatten().tolist()
        [0.5, 0.5, 0.5]
    """
    root = torch.tensor(NATURAL_COLOUR_ROOT)
    root = root / torch.linalg.vector_norm(root, dim=0).max()
    return torch.sigmoid(torch.einsum("ij,jhw->ihw", root.to(planes), planes))[None]


def turn_and_scale(picture: Tensor, degrees: float, scale: float, shift_px: tuple[float, float]) -> Tensor:
    """A picture (1, 3, H, W) turned, magnified and moved about its centre, mirrored at its edges; differentiable.

    Example:
        >>> picture = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> turned = turn_and_scale(picture, 180.0, 1.0, (0.0, 0.0))
        >>> torch.allclose(turned, picture.flip(2, 3), atol=1e-4)
        True
    """
    height, width = picture.shape[2:]
    radians = math.radians(degrees)
    cos, sin = math.cos(radians) / scale, math.sin(radians) / scale
    move_x, move_y = 2 * shift_px[0] / width, 2 * shift_px[1] / height
    aspect = height / width
    matrix = picture.new_tensor([[[cos, -sin * aspect, move_x], [sin / aspect, cos, move_y]]])
    grid = F.affine_grid(matrix, list(picture.shape), align_corners=False)
    return F.grid_sample(picture, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def total_variation(picture: Tensor) -> Tensor:
    """The mean absolute difference of neighbours, across and down.

    Example:
        >>> float(total_variation(torch.tensor([[0.0, 1.0], [0.0, 1.0]])[None, None]))
        1.0
    """
    across, down = picture[..., 1:] - picture[..., :-1], picture[..., 1:, :] - picture[..., :-1, :]
    return across.abs().mean() + down.abs().mean()
