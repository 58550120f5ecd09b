"""Scores of a network's activations, to be maximised (Olah, Mordvintsev, Schubert 2017)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.device import upload

_TINY = 1e-12
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
class _OneLayer:
    layer: str

    @property
    def layers(self) -> tuple[str, ...]:
        """The one layer it reads."""
        return (self.layer,)


@dataclass(frozen=True)
class LayerL2(_OneLayer):
    """More of whatever a layer responds to: the mean of its squared activations (google/deepdream, 2015)."""

    def __call__(self, activations: Mapping[str, Tensor]) -> Tensor:
        return activations[self.layer].square().mean()


@dataclass(frozen=True)
class LayerMean(_OneLayer):
    """More activation everywhere: the mean over channels and places."""

    def __call__(self, activations: Mapping[str, Tensor]) -> Tensor:
        return activations[self.layer].mean()


@dataclass(frozen=True)
class LayerCosine(_OneLayer):
    """One motif everywhere: the mean cosine between each place's feature and the picture's mean feature."""

    def __call__(self, activations: Mapping[str, Tensor]) -> Tensor:
        features = activations[self.layer].flatten(2)
        return F.cosine_similarity(features, features.mean(2, keepdim=True), 1).mean()


@dataclass(frozen=True)
class Channels(_OneLayer):
    """More of some channels: their mean activation."""

    channels: tuple[int, ...]

    def __call__(self, activations: Mapping[str, Tensor]) -> Tensor:
        activation = activations[self.layer]
        # One by one: an index tensor would have to move to the device, which a captured CUDA graph can't.
        return torch.stack([activation[:, channel].mean() for channel in self.channels]).mean()


class SeedChannels(_OneLayer):
    """More of the channels that respond the most, or the least, to the picture the dream begins with."""

    def __init__(self, layer: str, count: int, strongest: bool) -> None:
        super().__init__(layer)
        self._count, self._strongest = count, strongest
        self._chosen: Tensor | None = None
        self._waits = True

    def meet(self, activations: Mapping[str, Tensor]) -> None:
        """Choose by the seed's activations; later pictures change nothing, until `forget`."""
        if self._waits:
            strength = activations[self.layer].flatten(2).mean(2)[0]
            self.choose(strength.topk(self._count, largest=self._strongest).indices)

    def choose(self, channels: Tensor) -> None:
        """Take these channels (k,), which are on the network's device."""
        chosen = channels.sort().values
        # In place, so that an objective captured in a CUDA graph follows.
        self._chosen = chosen if self._chosen is None else self._chosen.copy_(chosen)
        self._waits = False

    def forget(self) -> None:
        """The next picture is another seed."""
        self._waits = True

    @property
    def chosen(self) -> Tensor | None:
        """The channels (k,), int64; None before the seed was met."""
        return None if self._waits else self._chosen

    def __call__(self, activations: Mapping[str, Tensor]) -> Tensor:
        activation = activations[self.layer]
        # Before the seed is known an engine may be tried out: any channels take as long.
        chosen = activation[:, : self._count] if self._chosen is None else activation.index_select(1, self._chosen)
        return chosen.mean()


@dataclass(frozen=True)
class Neuron(_OneLayer):
    """One channel at one place, `at` (x, y) in shares of the picture."""

    channel: int
    at: tuple[float, float]

    def __call__(self, activations: Mapping[str, Tensor]) -> Tensor:
        height, width = activations[self.layer].shape[2:]
        x, y = min(int(self.at[0] * width), width - 1), min(int(self.at[1] * height), height - 1)
        return activations[self.layer][0, self.channel, y, x]


@dataclass(frozen=True)
class Logit(_OneLayer):
    """A class's logit, before softmax: that would also rise when only the other classes fall."""

    index: int

    def __call__(self, activations: Mapping[str, Tensor]) -> Tensor:
        return activations[self.layer][0, self.index]


@dataclass(frozen=True, eq=False)
class Guide(_OneLayer):
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
class Direction(_OneLayer):
    """More of a mixture of channels: the mean dot product with `vector` (C,) of unit length."""

    vector: Tensor

    def __call__(self, activations: Mapping[str, Tensor]) -> Tensor:
        return self.vector.to(activations[self.layer]) @ activations[self.layer][0].flatten(1).mean(1)


class WeightedSum:
    """Several objectives at once, each times its weight; a negative one is avoided. One forward pass serves all.

    The weights live in a tensor that keeps its place, so that an objective captured in a CUDA graph follows them.
    `balanced` divides each score by its own value, held fixed, so that half the weight is half the pull however
    large a layer's activations are.
    """

    def __init__(self, objectives: tuple[Objective, ...], device: torch.device, *, balanced: bool = False) -> None:
        self.objectives = objectives
        self._weights = torch.ones(len(objectives), device=device)
        self._balanced = balanced and len(objectives) > 1

    def weigh(self, weights: tuple[float, ...]) -> None:
        """Set how much each objective counts from now on."""
        self._weights.copy_(upload(torch.tensor(weights), self._weights.device))

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers of all objectives, each once."""
        return tuple(dict.fromkeys(layer for objective in self.objectives for layer in objective.layers))

    @property
    def sees_whole(self) -> bool:
        """Whether a part of the picture has another score than the whole, so that it must not be tiled."""
        return any(isinstance(objective, Neuron | Logit) for objective in self.objectives)

    def __call__(self, activations: Mapping[str, Tensor]) -> Tensor:
        """The sum of the weighted scores."""
        scores = torch.stack([objective(activations) for objective in self.objectives])
        if self._balanced:
            scores = scores / scores.detach().abs().clamp_min(_TINY)
        return (self._weights.to(scores) * scores).sum()

    def meet(self, activations: Mapping[str, Tensor]) -> None:
        """Let the terms that depend on the seed picture choose."""
        for _, term in self._choosing():
            term.meet(activations)

    def forget(self) -> None:
        """Begin anew with the next picture: whatever was chosen in the last seed is chosen again."""
        for _, term in self._choosing():
            term.forget()

    @property
    def is_open(self) -> bool:
        """Whether a term still waits for the seed picture."""
        return any(term.chosen is None for _, term in self._choosing())

    def state_dict(self) -> dict[str, Tensor]:
        """What was chosen in the seed."""
        return {f"term-{index}": term.chosen for index, term in self._choosing() if term.chosen is not None}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state_dict` gave."""
        for index, term in self._choosing():
            if f"term-{index}" in state:
                term.choose(state[f"term-{index}"])

    def _choosing(self) -> Iterator[tuple[int, SeedChannels]]:
        for index, term in enumerate(self.objectives):
            if isinstance(term, SeedChannels):
                yield index, term
