"""What a picture is about: the part of it that a network answers to, told apart from all around it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.frame import Size, size_of
from pipeline.ops.smoothstep import smoothstep

# How fast the likeness of two places falls with their difference in features (middle, deep), colour and place.
_MIDDLE, _DEEP, _COLOUR, _PLACE = 2.0, 0.5, 60.0, 20.0
_RIM = 0.03  # of the shorter side
_LOST_AT_RIM, _LOST = 0.3, 0.04  # of the heat that a place passes on
_USUAL = 0.75  # the power by which what a plain picture keeps counts
_LEAST, _MOST = 0.05, 0.98
_SHARPNESS = 300.0  # of the choice among thresholds: one that parts 1 % worse counts a twentieth
_BAND = 0.25  # to each side of the threshold, of the distance between what lies above and below


def likeness(middle: Tensor, deep: Tensor, lab: Tensor) -> Tensor:
    """How alike any two of the N = h w places of a picture are, (N, N) in [0, 1].

    `middle` and `deep` are features (1, C, h, w), compared by the angle between them once what all places share is
    taken away; `lab` are colours (1, 3, h, w), L in [0, 1].

    Example:
        >>> halves = torch.tensor([[[[0.0, 1.0]]]]).expand(1, 3, 1, 2)
        >>> found = likeness(halves, halves, halves)
        >>> found.round(decimals=3).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    exponent = _MIDDLE * (_angles(middle) - 1) + _DEEP * (_angles(deep) - 1)
    side = max(size_of(lab))
    points = torch.cat([_COLOUR**0.5 * lab.flatten(2)[0], _PLACE**0.5 * _places(size_of(lab), lab) / side])
    square = points.square().sum(0)
    return (exponent - (square[:, None] + square - 2 * points.T @ points).clamp_min(0)).exp().clamp_max(1)


def plain_likeness(size: Size, like: Tensor) -> Tensor:
    """The same for a picture that is the same all over, so that only distance tells places apart.

    Example:
        >>> plain_likeness(Size(1, 3), torch.zeros(()))[0].mul(100).round().tolist()
        [100.0, 11.0, 0.0]
    """
    points = _PLACE**0.5 * _places(size, like) / max(size)
    return (-torch.cdist(points.T[None], points.T[None])[0].square()).exp()


def standing_out(evidence: Tensor, alike: Tensor, plain: Tensor) -> Tensor:
    """What evidence (1, 1, h, w) in [0, 1] of a subject comes to where it spreads among places that are alike.

    The evidence is heat: it flows between places that are alike, and is lost at the picture's rim, where the
    background usually is (after Jiang et al. 2013, "Saliency Detection via Absorbing Markov Chain"; theirs comes from
    everywhere alike). It is set against what a plain picture would keep of it, so that what lies in the middle does
    not win by that alone.

    Example:
        >>> evidence = torch.zeros(1, 1, 5, 5)
        >>> evidence[..., 2, 1:4] = 1
        >>> plain = plain_likeness(Size(5, 5), evidence)
        >>> standing_out(evidence, plain, plain)[0, 0, 2].argmax().item()
        2
    """
    heat = evidence.flatten()
    lost = _LOST_AT_RIM * _rim(size_of(evidence), evidence).flatten() * (1 - heat) + _LOST
    kept, usual = (_spread(weights, heat, lost) for weights in (alike, plain))
    return (kept / usual.clamp_min(1e-6) ** _USUAL).view(evidence.shape)


def told_apart(found: Tensor) -> Tensor:
    """Values (1, 1, h, w) as a mask in [0, 1]: 0.5 at the threshold that parts them best (Otsu 1979).

    Example:
        >>> told_apart(torch.tensor([[[[0.0, 0.1, 0.9, 1.0]]]])).round().flatten().tolist()
        [0.0, 0.0, 1.0, 1.0]
    """
    values = found.flatten().sort().values
    below = torch.arange(1, len(values), device=found.device, dtype=found.dtype)
    above = len(values) - below
    sums = values.cumsum(0)
    low, high = sums[:-1] / below, (sums[-1] - sums[:-1]) / above
    quality = below * above * (high - low).square()
    # Near the best, thresholds share: last digits would make it jump from one to another as good.
    share = (_SHARPNESS * quality / quality.max().clamp_min(1e-12)).softmax(0)
    threshold = (share * (values[:-1] + values[1:]) / 2).sum()
    band = _BAND * (share * (high - low)).sum().clamp_min(1e-6)
    return smoothstep(((found - threshold) / (2 * band) + 0.5).clamp(0, 1))


def stretched(values: Tensor) -> Tensor:
    """Values (1, 1, h, w) from 0 to 1, a few of the lowest and the highest held to these.

    Example:
        >>> stretched(torch.tensor([[[[0.0, 2.0, 4.0]]]])).round(decimals=1).flatten().tolist()
        [0.0, 0.5, 1.0]
    """
    low, high = torch.quantile(values, _LEAST), torch.quantile(values, _MOST)
    return ((values - low) / (high - low).clamp_min(1e-6)).clamp(0, 1)


def _angles(features: Tensor) -> Tensor:
    """The cosines (N, N) of the angles between the features of places, from their mean."""
    centred = features - features.mean((2, 3), keepdim=True)
    unit = F.normalize(centred, dim=1).flatten(2)[0]
    return unit.T @ unit


def _places(size: Size, like: Tensor) -> Tensor:
    """(2, N): each place's own, y and x."""
    y = torch.arange(size.height, device=like.device, dtype=like.dtype)
    x = torch.arange(size.width, device=like.device, dtype=like.dtype)
    return torch.stack([y[:, None].expand(*size), x.expand(*size)]).flatten(1)


def _rim(size: Size, like: Tensor) -> Tensor:
    """(h, w): 1 at the picture's edges, else 0."""
    width = _RIM * min(size)
    y, x = _places(size, like).view(2, *size)
    nearest = torch.minimum(torch.minimum(y, size.height - 1 - y), torch.minimum(x, size.width - 1 - x))
    return (nearest < width).to(like)


def _spread(weights: Tensor, heat: Tensor, lost: Tensor) -> Tensor:
    """The heat (N,) that places hold at rest, by weights (N, N) between them and the share that each of them loses."""
    weights = weights / weights.sum(1).mean()
    system = torch.diag(weights.sum(1) + lost) - weights
    # Symmetric and, since every place loses something, positive. Without a check nobody waits for a CUDA device.
    factor, _ = torch.linalg.cholesky_ex(system)
    return torch.cholesky_solve(heat[:, None], factor)[:, 0].clamp_min(0)
