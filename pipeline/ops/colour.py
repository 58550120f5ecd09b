"""Colour statistics, and moving a picture's colours towards given ones."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.device import constant

# Keeps the covariance of a grey or flat picture invertible; 1/255 is the smallest step the eye can be shown.
_VARIANCE_FLOOR = (1 / 255) ** 2
# From linear sRGB (IEC 61966-2-1) to X, Y and Z, each as a share of white's.
_XYZ = (
    (0.4123908 / 0.9504559, 0.3575843 / 0.9504559, 0.1804808 / 0.9504559),
    (0.2126390, 0.7151687, 0.0721923),
    (0.0193308 / 1.0890578, 0.1191948 / 1.0890578, 0.9505322 / 1.0890578),
)
_DARK = (6 / 29) ** 3


class ColourStatistics(NamedTuple):
    """Mean (3,) and covariance (3, 3) of RGB values in [0, 1], float64."""

    mean: Tensor
    covariance: Tensor

    def to(self, device: torch.device) -> ColourStatistics:
        """The same on another device."""
        return ColourStatistics(self.mean.to(device), self.covariance.to(device))


def colour_statistics(frame: Tensor) -> ColourStatistics:
    """The colour statistics of a (1, 3, H, W) frame, on its device.

    Example:
        >>> found = colour_statistics(torch.full((1, 3, 4, 4), 0.25))
        >>> found.mean.tolist(), float(found.covariance.abs().max())
        ([0.25, 0.25, 0.25], 0.0)
    """
    values = frame[0].flatten(1)
    mean = values.mean(1, keepdim=True)
    centred = values - mean
    covariance = (centred @ centred.T).double() / values.shape[1]
    return ColourStatistics(mean[:, 0].double(), covariance)


def statistics_of_colours(colours: list[tuple[str, float]]) -> ColourStatistics:
    """The statistics of a picture made of `#rrggbb` colours with the given shares, slightly blurred together.

    Example:
        >>> statistics_of_colours([('#ff0000', 1), ('#0000ff', 3)]).mean.tolist()
        [0.25, 0.0, 0.75]
    """
    values = torch.tensor([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c, _ in colours]).double()
    shares = torch.tensor([share for _, share in colours]).double()
    shares /= shares.sum()
    mean = shares @ values
    centred = values - mean
    # A handful of colours span few directions; real pictures always vary a little in the others.
    covariance = centred.T @ (centred * shares[:, None]) + 0.03**2 * torch.eye(3).double()
    return ColourStatistics(mean, covariance)


def sample_colours(colours: list[tuple[str, float]], count: int, generator: torch.Generator) -> Tensor:
    """(count, 3) colours of a picture that shades between `#rrggbb` colours with the given shares, float32.

    Each is a mixture of two of them, since pictures shade; the whole has the palette's own mean and covariance.

    Example:
        >>> sample_colours([('#ff0000', 1), ('#0000ff', 1)], 5, torch.Generator().manual_seed(0)).shape
        torch.Size([5, 3])
    """
    values = torch.tensor([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c, _ in colours]).double()
    shares = torch.tensor([share for _, share in colours]).double()
    ends = values[torch.multinomial(shares, 2 * count, replacement=True, generator=generator)]
    mixture = torch.lerp(ends[:count], ends[count:], torch.rand(count, 1, generator=generator).double())
    mixture += 0.03 * torch.randn(count, 3, generator=generator)
    return match_colours(mixture.T.reshape(1, 3, count, 1), statistics_of_colours(colours), 1.0)[0, :, :, 0].T.float()


def statistics_with_contrast(statistics: ColourStatistics, contrast: float) -> ColourStatistics:
    """The statistics of the same picture with every colour's distance from the mean times `contrast`.

    Example:
        >>> plain = ColourStatistics(torch.zeros(3), torch.eye(3))
        >>> statistics_with_contrast(plain, 2.0).covariance.diagonal().tolist()
        [4.0, 4.0, 4.0]
    """
    return ColourStatistics(statistics.mean, contrast**2 * statistics.covariance)


def colours_with_contrast(colours: Tensor, contrast: float) -> Tensor:
    """Colours (n, 3) with their distance from the mean times `contrast`.

    Example:
        >>> colours_with_contrast(torch.tensor([[0.25, 0.5, 0.5], [0.75, 0.5, 0.5]]), 2.0).tolist()
        [[0.0, 0.5, 0.5], [1.0, 0.5, 0.5]]
    """
    mean = colours.mean(0)
    return mean + contrast * (colours - mean)


def match_colours(
    frame: Tensor, target: ColourStatistics, share: float, source: ColourStatistics | None = None
) -> Tensor:
    """`frame` moved by `share` (0 to 1) of the way to the colour mean and covariance of `target`; in [0, 1].

    `target` is on the frame's device, and so are the statistics of the picture itself, `source`, where they are known.

    The whole way is the linear Monge-Kantorovich map, which moves colours the least (Pitie, Kokaram 2007).

    Example:
        >>> grey = torch.full((1, 3, 8, 8), 0.5)
        >>> red = match_colours(grey, statistics_of_colours([('#ff0000', 1)]), 1.0)
        >>> [round(value, 3) for value in red[0, :, 0, 0].tolist()]
        [1.0, 0.0, 0.0]
    """
    source = colour_statistics(frame) if source is None else source
    transport = monge_kantorovich(source.covariance, target.covariance)
    shift = share * (target.mean - transport @ source.mean)
    matrix = share * transport
    matrix.diagonal().add_(1 - share)
    moved = matrix.to(frame.dtype) @ frame[0].flatten(1) + shift.to(frame.dtype)[:, None]
    return moved.clamp_(0, 1).view_as(frame)


def monge_kantorovich(source: Tensor, target: Tensor) -> Tensor:
    """The symmetric (3, 3) T with T source T = target, of float64 covariances, on their device, not waiting for it.

    With source = L L', target = C C' (Cholesky) and U the orthogonal polar factor of C'L, it is C U L^-1.

    Example:
        >>> one = torch.eye(3).double()
        >>> monge_kantorovich(one, 4 * one).diagonal().round(decimals=3).tolist()  # twice as far from the mean
        [2.0, 2.0, 2.0]
    """
    floor = _VARIANCE_FLOOR * torch.eye(3, dtype=source.dtype, device=source.device)
    # torch.linalg.eigh would be shorter, but makes the host wait for a CUDA device.
    lower, goal = torch.linalg.cholesky_ex(torch.stack([source, target]) + floor)[0]
    turned = goal @ _polar_factor(goal.T @ lower)
    transport: Tensor = torch.linalg.solve_triangular(lower, turned, upper=False, left=False)
    return transport


def _polar_factor(matrix: Tensor) -> Tensor:
    """The orthogonal matrix (3, 3) nearest to one whose singular values lie within a factor of 1 / _LEAST_SINGULAR.

    Newton-Schulz steps X (3 - X'X) / 2, each scaled for the least singular value that can be left (Chen, Chow 2014).
    """
    identity = torch.eye(3, dtype=matrix.dtype, device=matrix.device)
    x: Tensor = matrix / torch.linalg.matrix_norm(matrix)
    for scale in _SCALES:
        x = x @ torch.addmm(identity, x.T, x, beta=1.5 * scale, alpha=-0.5 * scale**3)
    return x


def _polar_scales(least: float) -> tuple[float, ...]:
    scales = []
    while 1 - least > 1e-15:
        scales.append(math.sqrt(3 / (1 + least + least**2)))
        least = scales[-1] * least * (3 - (scales[-1] * least) ** 2) / 2
    return (*scales, 1.0)


# A frame's covariance has a trace of at most 0.75, a palette's 16 times that.
_LEAST_SINGULAR = _VARIANCE_FLOOR / math.sqrt(0.76 * 16 * 0.76)
_SCALES = _polar_scales(_LEAST_SINGULAR)


def lab(frame: Tensor) -> Tensor:
    """A frame (1, 3, H, W) as CIE L*a*b* under D65: L from 0 to 100, a and b about -100 to 100.

    Example:
        >>> lab(torch.ones(1, 3, 1, 1)).round().abs().flatten().tolist()
        [100.0, 0.0, 0.0]
    """
    linear = torch.where(frame <= 0.04045, frame / 12.92, ((frame.clamp_min(0.04045) + 0.055) / 1.055) ** 2.4)
    x, y, z = (_cube_root((linear * constant(row, frame).view(1, 3, 1, 1)).sum(1, keepdim=True)) for row in _XYZ)
    return torch.cat([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


def _cube_root(value: Tensor) -> Tensor:
    """CIE's: straight near black."""
    return torch.where(value > _DARK, value.clamp_min(_DARK) ** (1 / 3), value / (3 * (6 / 29) ** 2) + 4 / 29)
