"""Objectives that look at the picture, and choose by it what they climb towards."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from torch import Tensor

from pipeline.objectives.scores import OneLayer


class Choosing(OneLayer, ABC):
    """An objective on one layer that has a choice to make.

    What it has chosen lies in tensors on the network's device that keep their places, so that an objective captured
    in a CUDA graph follows; all that it must remember is in its `state_dict`.
    """

    def at(self, seconds: float) -> None:
        """It is now this time of the film; before the start it is negative."""

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether it waits for a picture now."""

    @abstractmethod
    def meet(self, activations: Mapping[str, Tensor]) -> None:
        """Choose by a picture's (1, C, H, W) activations; nothing happens where no choice is open."""

    @abstractmethod
    def forget(self) -> None:
        """Begin anew with the next picture."""

    @abstractmethod
    def state_dict(self) -> dict[str, Tensor]:
        """What was chosen; empty before it was."""

    @abstractmethod
    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state_dict` gave, unless that was nothing."""


class SeedChannels(Choosing):
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
    def is_open(self) -> bool:
        return self._waits

    def state_dict(self) -> dict[str, Tensor]:
        """The channels (k,), int64."""
        return {} if self._waits or self._chosen is None else {"channels": self._chosen}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        if state:
            self.choose(state["channels"])

    def __call__(self, activations: Mapping[str, Tensor]) -> Tensor:
        activation = activations[self.layer]
        # Before the seed is known an engine may be tried out: any channels take as long.
        chosen = activation[:, : self._count] if self._chosen is None else activation.index_select(1, self._chosen)
        return chosen.mean()
