"""Scores of a network's activations, to be maximised (Olah, Mordvintsev, Schubert 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

_GUIDE_BLOCK = 4096  # positions compared with the guide at a time, so that large frames fit into memory


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
class OneLayer:
    """An objective that reads one layer."""

    layer: str

    @property
    def layers(self) -> tuple[str, ...]:
        """The one layer it reads."""
        return (self.layer,)


@dataclass(frozen=True)
class LayerL2(OneLayer):
    """More of whatever a layer responds to: the mean of its squared activations (google/deepdream, 2015)."""

    def __call__(self, activations: Mapping[str, Tensor]) -> Tensor:
        return activations[self.layer].square().mean()


@dataclass(frozen=True)
class LayerMean(OneLayer):
    """More activation everywhere: the mean over channels and places."""

    def __call__(self, activations: Mapping[str, Tensor]) -> Tensor:
        return activations[self.layer].mean()


@dataclass(frozen=True)
class LayerCosine(OneLayer):
    """One motif everywhere: the mean cosine between each place's feature and the picture's mean feature."""

    def __call__(self, activations: Mapping[str, Tensor]) -> Tensor:
        features = activations[self.layer].flatten(2)
        return F.cosine_similarity(features, features.mean(2, keepdim=True), 1).mean()


@dataclass(frozen=True)
class Channels(OneLayer):
    """More of some channels: their mean activation."""

    channels: tuple[int, ...]

    def __call__(self, activations: Mapping[str, Tensor]) -> Tensor:
        activation = activations[self.layer]
        # One by one: an index tensor would have to move to the device, which a captured CUDA graph can't.
        return torch.stack([activation[:, channel].mean() for channel in self.channels]).mean()


@dataclass(frozen=True)
class Neuron(OneLayer):
    """One channel at one place, `at` (x, y) in shares of the picture."""

    channel: int
    at: tuple[float, float]

    def __call__(self, activations: Mapping[str, Tensor]) -> Tensor:
        height, width = activations[self.layer].shape[2:]
        x, y = min(int(self.at[0] * width), width - 1), min(int(self.at[1] * height), height - 1)
        return activations[self.layer][0, self.channel, y, x]


@dataclass(frozen=True)
class Logit(OneLayer):
    """A class's logit, before softmax: that would also rise when only the other classes fall."""

    index: int

    def __call__(self, activations: Mapping[str, Tensor]) -> Tensor:
        return activations[self.layer][0, self.index]


@dataclass(frozen=True, eq=False)
class Guide(OneLayer):
    """Every place is drawn to the guide's feature that it resembles most (google/deepdream, 2015).

    `features` (C, n) have unit length, unlike the notebook's: there the guide's loudest feature wins everywhere.
    """

    features: Tensor

    def __call__(self, activations: Mapping[str, Tensor]) -> Tensor:
        places = activations[self.layer][0].flatten(1)
        guide = self.features.to(places)
        with torch.no_grad():
            best = torch.cat([(guide.T @ block).argmax(0) for block in torch.split(places, _GUIDE_BLOCK, 1)])
        return (places * guide[:, best]).sum(0).mean()


@dataclass(frozen=True, eq=False)
class Direction(OneLayer):
    """More of a mixture of channels: the mean dot product with `vector` (C,) of unit length."""

    vector: Tensor

    def __call__(self, activations: Mapping[str, Tensor]) -> Tensor:
        return self.vector.to(activations[self.layer]) @ activations[self.layer][0].flatten(1).mean(1)


@dataclass(frozen=True, eq=False)
class Nearest(OneLayer):
    """Each place grows into the one of several directions that it resembles most; what resembles it already, sooner.

    The mean over places of the largest dot product, less `usual` (k,), squared where it is above 0. `directions` (C, k)
    have unit length, or one over what is a usual deviation from `usual`.
    """

    directions: Tensor
    usual: Tensor | None = None

    def __call__(self, activations: Mapping[str, Tensor]) -> Tensor:
        places = activations[self.layer][0].flatten(1)
        likeness = self.directions.to(places).T @ places
        likeness = likeness if self.usual is None else likeness - self.usual.to(places)[:, None]
        return likeness.max(0).values.clamp_min(0).square().mean()
