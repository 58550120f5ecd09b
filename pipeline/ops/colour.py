"""Colour statistics, and moving a picture's colours towards given ones."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

# Keeps the covariance of a grey or flat picture invertible; 1/255 is the smallest step the eye can be shown.
_VARIANCE_FLOOR = (1 / 255) ** 2


class ColourStatistics(NamedTuple):
    """Mean (3,) and covariance (3, 3) of RGB values in [0, 1], float64."""

    mean: Tensor
    covariance: Tensor


def colour_statistics(frame: Tensor) -> ColourStatistics:
    """The colour statistics of a (1, 3, H, W) frame, on its device."""
    values = frame[0].flatten(1)
    mean = values.mean(1, keepdim=True)
    centred = values - mean
    covariance = (centred @ centred.T).double() / values.shape[1]
    return ColourStatistics(mean[:, 0].double(), covariance)


def statistics_of_colours(colours: list[tuple[str, float]]) -> ColourStatistics:
    """The statistics of a picture made of `#rrggbb` colours with the given shares, slightly blurred together."""
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
    """
    values = torch.tensor([[int(c[i : i + 2], 16) / 255 for i in (1, 3, 5)] for c, _ in colours]).double()
    shares = torch.tensor([share for _, share in colours]).double()
    ends = values[torch.multinomial(shares, 2 * count, replacement=True, generator=generator)]
    mixture = torch.lerp(ends[:count], ends[count:], torch.rand(count, 1, generator=generator).double())
    mixture += 0.03 * torch.randn(count, 3, generator=generator)
    return match_colours(mixture.T.reshape(1, 3, count, 1), statistics_of_colours(colours), 1.0)[0, :, :, 0].T.float()


def with_contrast(statistics: ColourStatistics, contrast: float) -> ColourStatistics:
    """The statistics of the same picture with every colour's distance from the mean times `contrast`."""
    return ColourStatistics(statistics.mean, contrast**2 * statistics.covariance)


def colours_with_contrast(colours: Tensor, contrast: float) -> Tensor:
    """Colours (n, 3) with their distance from the mean times `contrast`."""
    mean = colours.mean(0)
    return mean + contrast * (colours - mean)


def match_colours(frame: Tensor, target: ColourStatistics, share: float) -> Tensor:
    """`frame` moved by `share` (0 to 1) of the way to the colour mean and covariance of `target`; in [0, 1].

    The whole way is the linear Monge-Kantorovich map, which moves colours the least (Pitie, Kokaram 2007).
    """
    source = colour_statistics(frame)
    transport = _monge_kantorovich(source.covariance.cpu(), target.covariance)
    matrix = (1 - share) * torch.eye(3).double() + share * transport
    shift = share * (target.mean - transport @ source.mean.cpu())
    moved = matrix.to(frame) @ frame[0].flatten(1) + shift.to(frame)[:, None]
    return moved.clamp_(0, 1).view_as(frame)


def _monge_kantorovich(source: Tensor, target: Tensor) -> Tensor:
    floor = _VARIANCE_FLOOR * torch.eye(3).double()
    root = _matrix_power(source + floor, 0.5)
    inverse_root = _matrix_power(source + floor, -0.5)
    return inverse_root @ _matrix_power(root @ (target + floor) @ root, 0.5) @ inverse_root


def _matrix_power(symmetric: Tensor, power: float) -> Tensor:
    values, vectors = torch.linalg.eigh(symmetric)
    result: Tensor = (vectors * values.clamp_min(1e-12) ** power) @ vectors.T
    return result
