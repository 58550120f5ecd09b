"""How to climb, and the random shifts of a climb."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Climb:
    """How to climb: `step_size` is the mean change of a colour value per step, one number or (1, 1, H, W) where
    places differ; `jitter` is in pixels. `kernel` (k, k) smooths the gradient; None leaves it as it is.
    `laplacian` brings every octave of the gradient's detail to one strength, before it is smoothed.
    """

    steps: int
    step_size: float | Tensor
    jitter: int
    kernel: Tensor | None
    laplacian: bool = False


def draw_shifts(how: Climb, generator: torch.Generator) -> Tensor:
    """Where each step's picture is rolled to, down and to the right of where it began: (steps, 2) pixels, int64."""
    return torch.randint(-how.jitter, how.jitter + 1, (how.steps, 2), generator=generator)
