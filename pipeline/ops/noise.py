"""Pictures out of random numbers."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.frame import Size
from pipeline.ops.sphere import centres, directions, evenly, isotropic

# How the colours of natural photographs vary together: a square root of their covariance, and their mean
# (tensorflow/lucid, measured on ImageNet).
NATURAL_COLOUR_ROOT = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
NATURAL_COLOUR_MEAN = (0.48, 0.46, 0.41)
# Pixels a side of the cube that clouds around a sphere are cut out of, finer detail is for the dream; and the sphere's
# share of it: the cube is periodic, so the sphere keeps away from its sides.
_CUBE, _RADIUS = 160, 0.75


def white(size: Size, contrast: float, generator: torch.Generator) -> Tensor:
    """Independent grey-centred colour in every pixel: (1, 3, H, W), standard deviation `contrast`, in [0, 1].

    Example:
        >>> found = white(Size(48, 64), 0.1, torch.Generator().manual_seed(0))
        >>> found.shape, round(float(found.std()), 2)
        (torch.Size([1, 3, 48, 64]), 0.1)
    """
    noise = torch.randn(1, 3, *size, generator=generator)
    return (0.5 + contrast * noise).clamp_(0, 1)


def pink(size: Size, contrast: float, falloff: float, generator: torch.Generator) -> Tensor:
    """Clouds with the 1/f^`falloff` spectrum and the colour correlation of natural photographs: (1, 3, H, W) in [0, 1].

    Amplitude falls as 1/f in photographs; a larger `falloff` is softer. `contrast` is the standard deviation
    over all values. Source: Olah, Mordvintsev, Schubert 2017.

    Example:
        >>> found = pink(Size(48, 64), 0.1, 1.0, torch.Generator().manual_seed(0))
        >>> found.shape, round(float(found.std()), 1)
        (torch.Size([1, 3, 48, 64]), 0.1)
    """
    spectrum = torch.fft.rfft2(torch.randn(3, *size, generator=generator))
    fy = torch.fft.fftfreq(size.height)[:, None]
    fx = torch.fft.rfftfreq(size.width)[None, :]
    frequency = torch.sqrt(fx**2 + fy**2).clamp_min(1 / max(size))
    spectrum = spectrum / frequency**falloff
    spectrum[:, 0, 0] = 0  # the mean is set below, not drawn
    planes = torch.fft.irfft2(spectrum, s=tuple(size))
    planes /= planes.std(dim=(1, 2), keepdim=True)
    return _natural(planes, contrast)


def _natural(planes: Tensor, contrast: float) -> Tensor:
    root = torch.tensor(NATURAL_COLOUR_ROOT)
    coloured = torch.einsum("ij,jhw->ihw", root, planes)
    coloured *= contrast / coloured.std()
    mean = torch.tensor(NATURAL_COLOUR_MEAN)[:, None, None]
    return (mean + coloured)[None].clamp_(0, 1)


def around(size: Size, contrast: float, falloff: float | None, generator: torch.Generator) -> Tensor:
    """The same all over a sphere, as an equirectangular picture (1, 3, H, W): `pink`, or without a falloff `white`.

    Clouds are cut out of a cube of them: what an isotropic field in space shows on a sphere is isotropic there, and its
    amplitude falls by half a power less.

    Example:
        >>> found = around(Size(32, 64), 0.1, 1.5, torch.Generator().manual_seed(0))
        >>> seam, elsewhere = (found[..., 0] - found[..., -1]).abs().mean(), found.diff(dim=3).abs().mean()
        >>> found.shape, bool(seam < 1.5 * elsewhere)
        (torch.Size([1, 3, 32, 64]), True)
    """
    if falloff is None:
        return (0.5 + contrast * isotropic(torch.randn(1, 3, *size, generator=generator))).clamp_(0, 1)
    side = min(_CUBE, size.width)
    spectrum = torch.fft.rfftn(torch.randn(3, side, side, side, generator=generator), dim=(1, 2, 3))
    far, near = torch.fft.fftfreq(side), torch.fft.rfftfreq(side)
    frequency = torch.sqrt(far[:, None, None] ** 2 + far[:, None] ** 2 + near**2).clamp_min(1 / side)
    spectrum /= frequency ** (falloff + 0.5)
    spectrum[:, 0, 0, 0] = 0
    cube = torch.fft.irfftn(spectrum, s=(side, side, side), dim=(1, 2, 3))
    x, y = centres(size)
    toward = directions(x, y, size).float().permute(1, 2, 0)
    planes = F.grid_sample(cube[None], toward[None, None] * _RADIUS, align_corners=False)[0, :, 0]
    planes -= evenly(planes[None]).mean((2, 3))[0][:, None, None]
    planes /= evenly(planes[None]).std((2, 3))[0][:, None, None]
    return _natural(planes, contrast)
