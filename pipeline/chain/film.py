"""What makes a film's frames, one after the other, whether by one chain or by several."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from torch import Tensor

from pipeline.frame import Pass
from pipeline.preset import Preset
from pipeline.stages import RunSpec


class Film(ABC):
    """Makes frame after frame, and can say all that the next ones depend on."""

    preset: Preset
    """what it was built by"""
    spec: RunSpec

    @property
    @abstractmethod
    def first(self) -> int:
        """The index of the frame that has none before it: below 0 where there is a lead-in, which is not shown."""

    @abstractmethod
    def step(self, index: int, previous: Tensor | None) -> Pass:
        """Frame `index`, given the feedback of the frame before. Raises EndOfFootage when there is none."""

    @abstractmethod
    def change(self, preset: Preset, index: int) -> None:
        """Go on by another preset from frame `index` on, the next that is asked for. Raises PresetError."""

    @abstractmethod
    def require_numbers(self) -> None:
        """Wait until it is known that all frames so far are numbers. Raises RunError naming the first that is not."""

    @abstractmethod
    def state_dict(self) -> dict[str, Tensor]:
        """A copy on the CPU of all that the next frames depend on, beside the last one's feedback."""

    @abstractmethod
    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take back what `state_dict` gave. Raises KeyError for names that are too many, or missing."""

    @abstractmethod
    def pin(self, preset: Preset) -> Preset:
        """The preset with what is computed with, and on, in place of every `auto` and of what was asked for."""

    @abstractmethod
    def settle(self, preset: Preset) -> Preset:
        """The preset that this was built by, with what all of the film takes for every `auto`."""

    @abstractmethod
    def fingerprints(self) -> dict[str, str]:
        """Digests of what is worked with beside the files that the preset names, by stage and key."""

    @abstractmethod
    def report(self) -> list[str]:
        """What there is to say about the run."""

    @abstractmethod
    def close(self) -> None:
        """Let go of everything."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
