"""Pictures out of nothing of what a network responds to: a spectrum climbed by Adam, seen from changing angles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from pipeline.activity import report
from pipeline.dreamer import Dreamer
from pipeline.frame import Size
from pipeline.ops.spectrum import frequency_scale, picture_of, spectrum_noise, total_variation, turn_and_scale

_START_CONTRAST = 0.01


@dataclass(frozen=True)
class Visualisation:
    """How to climb. `rate` is Adam's, per step; for `ascent`, the mean change of a parameter per step.

    `falloff` is of the spectrum: amplitudes are scaled by 1/f^falloff. `degrees`, `scale` (smallest and largest)
    and `jitter` (pixels) bound the random view of each step. `variation` and `energy` weigh total variation and
    the squared distance from grey against the score.
    """

    steps: int = 160
    parameters: Literal["fft", "pixels"] = "fft"
    optimiser: Literal["adam", "ascent"] = "adam"
    rate: float = 0.03
    falloff: float = 1.5
    degrees: float = 10.0
    scale: tuple[float, float] = (0.85, 1.15)
    jitter: int = 16
    variation: float = 5.0
    energy: float = 0.0


PLAIN = Visualisation(parameters="pixels", rate=0.05, degrees=0, scale=(1, 1), jitter=0, variation=0)
"""No prior at all: every pixel for itself, always seen alike."""


def visualise(
    dreamer: Dreamer,
    size: Size,
    how: Visualisation,
    generator: torch.Generator,
    on_step: Callable[[int], None] = lambda step: None,
) -> Tensor:
    """The picture (1, 3, H, W) in [0, 1] that raises the objective. Source: Olah, Mordvintsev, Schubert 2017."""
    parameters, draw = _canvas(size, how, generator, dreamer.device)
    adam = torch.optim.Adam([parameters], lr=how.rate) if how.optimiser == "adam" else None
    for step in range(how.steps):
        with torch.enable_grad():
            picture = draw(parameters)
            view = _view(picture, how, generator)
            _, uphill = dreamer.engine(view.detach(), dreamer.objective)
            parameters.grad = None
            torch.autograd.backward([view, _penalty(picture, how)], [-uphill, None])
        _move(parameters, adam, how.rate)
        report("drawing", step + 1, how.steps)
        on_step(step)
    with torch.no_grad():
        return draw(parameters).clamp(0, 1)


def _canvas(
    size: Size, how: Visualisation, generator: torch.Generator, device: torch.device
) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """The numbers to climb with, and how they make a picture."""
    if how.parameters == "fft":
        scale = frequency_scale(size, how.falloff).to(device)
        return _leaf(spectrum_noise(size, generator), device), lambda spectrum: picture_of(spectrum, scale, size)
    noise = _START_CONTRAST * torch.randn(1, 3, *size, generator=generator)
    return _leaf(noise, device), torch.sigmoid


def _leaf(numbers: Tensor, device: torch.device) -> Tensor:
    return numbers.to(device).requires_grad_()


def _view(picture: Tensor, how: Visualisation, generator: torch.Generator) -> Tensor:
    """The picture from a random angle and distance, so that only what survives both is drawn."""
    turn, zoom, x, y = torch.rand(4, generator=generator, dtype=torch.float64).tolist()
    if how.jitter == 0 and how.degrees == 0 and how.scale == (1, 1):
        return picture
    low, high = how.scale
    shift = (how.jitter * (2 * x - 1), how.jitter * (2 * y - 1))
    return turn_and_scale(picture, how.degrees * (2 * turn - 1), low * (high / low) ** zoom, shift)


def _penalty(picture: Tensor, how: Visualisation) -> Tensor:
    return how.variation * total_variation(picture) + how.energy * (picture - 0.5).square().mean()


def _move(parameters: Tensor, adam: torch.optim.Adam | None, rate: float) -> None:
    if adam is not None:
        adam.step()
        return
    assert parameters.grad is not None
    with torch.no_grad():
        parameters -= parameters.grad * (rate / parameters.grad.abs().mean().clamp_min(1e-12))
