"""What a dream climbs towards: scores of a network's activations, to be maximised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

_TINY = 1e-12


class Objective(Protocol):
    """A differentiable score; the ascent step owns the sign and the scale."""

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers whose activations it reads."""
        ...

    def __call__(self, activations: Mapping[str, Tensor]) -> Tensor:
        """The score (a scalar to maximise) of (1, C, H, W) activations by layer name."""
        ...


@dataclass(frozen=True)
class LayerL2:
    """More of whatever a layer responds to: the mean of its squared activations (google/deepdream, 2015)."""

    layer: str

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    def __call__(self, activations: Mapping[str, Tensor]) -> Tensor:
        return activations[self.layer].square().mean()


class LayerBlend:
    """Several layers at once, each weighed against the others whatever the size of its activations.

    Each layer's score is divided by its own value, held fixed, so that a weight of 0.5 is half the pull. The weights
    live in a tensor that keeps its place, so that an objective captured in a CUDA graph follows them.
    """

    def __init__(self, layers: tuple[str, ...], device: torch.device) -> None:
        self._parts = tuple(LayerL2(layer) for layer in layers)
        self.weights = torch.full((len(layers),), 1 / len(layers), device=device)

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(part.layer for part in self._parts)

    def weigh(self, weights: tuple[float, ...]) -> None:
        """Set how much each layer counts from now on."""
        self.weights.copy_(torch.tensor(weights))

    def __call__(self, activations: Mapping[str, Tensor]) -> Tensor:
        scores = torch.stack([part(activations) for part in self._parts])
        return (self.weights * scores / scores.detach().clamp_min(_TINY)).sum()
