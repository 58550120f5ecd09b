"""Several objectives at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from pipeline.device import upload
from pipeline.objectives.choosing import Choosing
from pipeline.objectives.scores import Logit, Neuron, Objective

_TINY = 1e-12


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

    def at(self, seconds: float) -> None:
        """It is now this time of the film."""
        for _, term in self._choosing():
            term.at(seconds)

    def meet(self, activations: Mapping[str, Tensor]) -> None:
        """Let the terms that have a choice to make see the picture."""
        for _, term in self._choosing():
            term.meet(activations)

    def forget(self) -> None:
        """Begin anew with the next picture: whatever was chosen by the last is chosen again."""
        for _, term in self._choosing():
            term.forget()

    @property
    def is_open(self) -> bool:
        """Whether a term waits for a picture now."""
        return any(term.is_open for _, term in self._choosing())

    def state_dict(self) -> dict[str, Tensor]:
        """What was chosen, as `term-0.NAME`."""
        states = ((index, term.state_dict()) for index, term in self._choosing())
        return {f"term-{index}.{name}": value for index, state in states for name, value in state.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state_dict` gave."""
        for index, term in self._choosing():
            mine = f"term-{index}."
            term.load_state_dict(
                {name.removeprefix(mine): value for name, value in state.items() if name.startswith(mine)}
            )

    def _choosing(self) -> Iterator[tuple[int, Choosing]]:
        for index, term in enumerate(self.objectives):
            if isinstance(term, Choosing):
                yield index, term
