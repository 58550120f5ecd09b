"""Pictures as spectra that keep to the statistics of photographs, whatever pulls at them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pipeline.frame import Size
from pipeline.ops.noise import NATURAL_COLOUR_MEAN, NATURAL_COLOUR_ROOT

_BANDS = 13


class NaturalSpectrum:
    """Spectra (3, H, W // 2 + 1, 2) of decorrelated colours, in units of what a photograph has at each frequency.

    Amplitude falls as 1/f^`slope`, a slope for each colour, luma first; f counts waves per picture, so that a smaller
    picture of the same spectrum is the same picture. `contrast` is 1 for the variance that photographs have.
    Source: Fel et al. 2023 (MaCo), who fix each amplitude; here each of 13 logarithmic bands has a most it may hold.
    """

    def __init__(self, size: Size, slopes: tuple[float, ...], contrast: float, device: torch.device) -> None:
        self.size = size
        waves = _waves(size)
        amplitude = torch.stack([waves.clamp_min(1) ** -slope for slope in slopes])
        varying = (waves > 0) * 2.0  # the other half of the plane mirrors this one
        amplitude *= contrast / (amplitude.square() * varying).sum((1, 2), keepdim=True).sqrt()
        edges = torch.logspace(0, math.log10(float(waves.max()) + 1), _BANDS + 1)
        bands = torch.bucketize(waves.clamp_min(1), edges[1:], right=True).clamp_max(_BANDS - 1) + 1
        bands[0, 0] = 0  # the mean is a band of its own
        self._amplitude, self._bands = amplitude.to(device), bands.flatten().to(device)
        self._counts = torch.bincount(self._bands, minlength=_BANDS + 1).float().clamp_min(1)

    def noise(self, level: float, generator: torch.Generator) -> Tensor:
        """A grey spectrum with random numbers, `level` times as strong as a photograph's.

        Example:
            >>> natural = NaturalSpectrum(Size(4, 6), (1.4, 1.7, 1.7), 1.0, torch.device("cpu"))
            >>> natural.noise(0.1, torch.Generator().manual_seed(0)).shape
            torch.Size([3, 4, 4, 2])
        """
        height, width = self.size
        spectrum = level * math.sqrt(0.5) * torch.randn(3, height, width // 2 + 1, 2, generator=generator)
        spectrum[:, 0, 0] = 0
        return spectrum.to(self._amplitude.device)

    def hold(self, spectrum: Tensor) -> None:
        """Bring every band that is stronger than in photographs back to that, in place.

        Example:
            >>> natural = NaturalSpectrum(Size(4, 6), (1.4, 1.7, 1.7), 1.0, torch.device("cpu"))
            >>> loud = 5 * torch.ones(3, 4, 4, 2)
            >>> natural.hold(loud)
            >>> round(float(loud.square().sum(-1).mean()), 4)
            1.0
        """
        energy = spectrum.square().sum(-1).flatten(1)
        mean = energy.new_zeros(3, _BANDS + 1).index_add_(1, self._bands, energy) / self._counts
        factors = mean.clamp_min(1).rsqrt()[:, self._bands]
        spectrum *= factors.view(*spectrum.shape[:3], 1)

    def picture(self, spectrum: Tensor, size: Size) -> Tensor:
        """The picture (1, 3, h, w) in (0, 1) of a spectrum, at a `size` up to the spectrum's own; differentiable.

        Example:
            >>> natural = NaturalSpectrum(Size(4, 6), (1.4, 1.7, 1.7), 1.0, torch.device("cpu"))
            >>> grey = natural.picture(torch.zeros(3, 4, 4, 2), Size(2, 3))
            >>> grey.shape, [round(value, 2) for value in grey[0, :, 0, 0].tolist()]
            (torch.Size([1, 3, 2, 3]), [0.48, 0.46, 0.41])
        """
        coarse = torch.view_as_complex(_lowest(spectrum, size)) * _lowest(self._amplitude, size)
        planes = torch.fft.irfft2(coarse, s=tuple(size), norm="forward")
        root, mean = planes.new_tensor(NATURAL_COLOUR_ROOT), planes.new_tensor(NATURAL_COLOUR_MEAN)
        # A sigmoid clips nothing; 4 undoes its slope at grey.
        return torch.sigmoid(torch.logit(mean)[:, None, None] + 4 * torch.einsum("ij,jhw->ihw", root, planes))[None]


def _waves(size: Size) -> Tensor:
    """How many waves of each coefficient (H, W // 2 + 1) fit into a picture, by its middle side."""
    down, across = torch.fft.fftfreq(size.height)[:, None], torch.fft.rfftfreq(size.width)[None, :]
    return torch.sqrt(down**2 + across**2) * math.sqrt(size.height * size.width)


def _lowest(planes: Tensor, size: Size) -> Tensor:
    """Of planes (3, H, W // 2 + 1, ...) what a picture of `size` can show."""
    height, columns = planes.shape[1], size.width // 2 + 1
    if (height, planes.shape[2]) == (size.height, columns):
        return planes
    top, bottom = (size.height + 1) // 2, size.height // 2
    return torch.cat([planes[:, :top, :columns], planes[:, height - bottom :, :columns]], 1)
