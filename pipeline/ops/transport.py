"""Moving a picture's whole distribution of colours onto another's: sliced optimal transport.

Colours are (n, 3) values in [0, 1]. Sources: Pitie, Kokaram, Dahyot 2007 (matching along rotated axes, again and
again); Bonneel, Rabin, Peyre, Pfister 2015 (its reading as sliced transport).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.device import upload

ROUNDS = 8
QUANTILES = 128
LATTICE = 17  # points of the colour table along each axis


def random_rotations(count: int, generator: torch.Generator) -> Tensor:
    """`count` orthogonal matrices (count, 3, 3), uniform over all directions, drawn on the CPU.

    Example:
        >>> turn = random_rotations(1, torch.Generator().manual_seed(0))[0]
        >>> torch.allclose(turn @ turn.T, torch.eye(3), atol=1e-5)
        True
    """
    rotations: Tensor = torch.linalg.qr(torch.randn(count, 3, 3, generator=generator))[0]
    return rotations


def thinned(frame: Tensor, most: int = 4096) -> Tensor:
    """At most about `most` colours (n, 3) of a (1, 3, H, W) picture, picked on an even grid: none are mixed.

    Example:
        >>> thinned(torch.zeros(1, 3, 64, 96), most=24).shape
        torch.Size([24, 3])
    """
    stride = max(1, round((frame.shape[2] * frame.shape[3] / most) ** 0.5))
    # As a checkpoint stores it: a product of other strides has other last digits.
    return frame[0, :, stride // 2 :: stride, stride // 2 :: stride].flatten(1).T.contiguous()


def quantiles(colours: Tensor, rotation: Tensor) -> Tensor:
    """(QUANTILES, 3): evenly spaced quantiles of `colours` along the three axes of `rotation`.

    Example:
        >>> line = torch.linspace(0, 1, 1000)[:, None].expand(-1, 3)
        >>> quantiles(line, torch.eye(3)).shape
        torch.Size([128, 3])
    """
    ranked = (colours @ rotation).sort(0).values
    at = torch.linspace(0, colours.shape[0] - 1, QUANTILES, device=colours.device).round().long()
    return ranked[at]


def transport_table(source: Tensor, target: Tensor, rotations: Tensor) -> Tensor:
    """How far each colour has to move for colours spread as `source` to be spread as `target`.

    Found on the two samples (n, 3), told for a lattice over all colours: (1, 3, LATTICE, LATTICE, LATTICE), indexed
    [blue, green, red] as `grid_sample` wants it. So the movement is smooth in the colours, and pixels of one colour
    move alike wherever they lie.

    Example:
        >>> some = torch.rand(500, 3, generator=torch.Generator().manual_seed(0))
        >>> turns = random_rotations(ROUNDS, torch.Generator().manual_seed(0))
        >>> float(transport_table(some, some, turns).abs().max()) < 1e-5  # nowhere to go
        True
    """
    axis = torch.linspace(0, 1, LATTICE, device=source.device)
    blue, green, red = torch.meshgrid(axis, axis, axis, indexing="ij")
    lattice = torch.stack([red, green, blue], -1).view(-1, 3)
    moved = lattice
    for rotation in upload(rotations, source.device):
        have, want = quantiles(source, rotation), quantiles(target, rotation)
        source, moved = (colours + _step(colours @ rotation, have, want) @ rotation.T for colours in (source, moved))
    return (moved - lattice).T.reshape(1, 3, LATTICE, LATTICE, LATTICE)


def _step(values: Tensor, have: Tensor, want: Tensor) -> Tensor:
    """How far `values` (n, 3) have to go, column by column, for quantiles `have` to become `want` (QUANTILES, 3)."""
    columns = values.T.contiguous()
    upper = torch.searchsorted(have.T.contiguous(), columns).clamp(1, QUANTILES - 1)
    lower = upper - 1
    x0, x1 = have.T.gather(1, lower), have.T.gather(1, upper)
    y0, y1 = want.T.gather(1, lower), want.T.gather(1, upper)
    # Values beyond the ends go as far as the ends do.
    share = ((columns - x0) / (x1 - x0).clamp_min(1e-6)).clamp(0, 1)
    step = torch.lerp(y0, y1, share) - torch.lerp(x0, x1, share)
    return step.T


def apply_table(frame: Tensor, table: Tensor, share: float) -> Tensor:
    """`frame` (1, 3, H, W) moved by `share` of the way a `transport_table` says; in [0, 1].

    Example:
        >>> grey = torch.full((1, 3, 2, 2), 0.5)
        >>> lift = torch.full((1, 3, LATTICE, LATTICE, LATTICE), 0.25)
        >>> apply_table(grey, lift, 1.0).unique().tolist()
        [0.75]
    """
    grid = frame.permute(0, 2, 3, 1)[:, None] * 2 - 1
    # The one place with align_corners=True: the lattice's outermost points are the values 0 and 1 themselves.
    movement = F.grid_sample(table, grid, mode="bilinear", padding_mode="border", align_corners=True)[:, :, 0]
    return (frame + share * movement).clamp_(0, 1)
