"""A gentle controller for figures of a picture, in powers: figures are held by factors, so errors are logarithms."""

from __future__ import annotations

import torch
from torch import Tensor

MOST_PER_SECOND = 1.5  # of the logarithm: a figure is pushed by a factor of at most 4.5 in a second


def proportional_integral(error: Tensor, integral: Tensor, dt: float, seconds: float) -> tuple[Tensor, Tensor]:
    """The push (logarithm, for this step of `dt` seconds) and the new integral, for a loop that keeps every push.

    `error` is ln(target / figure). Such a loop adds the pushes up, so a steady drift needs the integral to be held
    without a gap left over. The two gains, 2/T and 1/T^2 for T = `seconds`, settle as fast as can be without
    swinging (critical damping). The integral does not grow while the push is at its limit.

    Example:
        >>> push, integral = proportional_integral(torch.tensor(0.5), torch.tensor(0.0), 0.1, 2.0)
        >>> round(float(push), 4), round(float(integral), 4)
        (0.0512, 0.0125)
    """
    grown = integral + error * (dt / seconds**2)
    rate = 2 / seconds * error + grown
    held = rate.clamp(-MOST_PER_SECOND, MOST_PER_SECOND)
    return held * dt, torch.where(rate == held, grown, integral)


def lag(error: Tensor, state: Tensor, dt: float, seconds: float) -> tuple[Tensor, Tensor]:
    """The same for pictures that forget each push, such as footage: the whole correction, `seconds` behind.

    Example:
        >>> push, state = lag(torch.tensor(1.0), torch.tensor(0.0), 1.0, 3.0)
        >>> float(push), float(state)
        (0.25, 0.25)
    """
    share = dt / (dt + seconds)
    moved = state + (error - state) * share
    return moved, moved
