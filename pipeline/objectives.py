"""What a dream climbs towards: scores of a network's activations, to be maximised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


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
