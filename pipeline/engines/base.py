"""What every engine is: a picture in, the score of an objective and its gradient out."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from pipeline.engines.plan import Climb
from pipeline.objectives import Objective

EngineName = Literal["reference", "folded", "packed", "graph"]
PrecisionName = Literal["float32", "bfloat16", "int8"]
ENGINE_NAMES: tuple[EngineName, ...] = get_args(EngineName)
PRECISION_NAMES: tuple[PrecisionName, ...] = get_args(PrecisionName)
log = logging.getLogger("pipeline.engines")


@dataclass(frozen=True)
class EngineChoice:
    """Which engine computes, and how exactly. Its text, such as `packed/bfloat16`, reads back as the same choice."""

    engine: EngineName
    precision: PrecisionName

    def __str__(self) -> str:
        return f"{self.engine}/{self.precision}"

    @staticmethod
    def parse(text: str) -> EngineChoice:
        """The choice that `str` wrote. Raises ValueError for anything else."""
        for engine in ENGINE_NAMES:
            for precision in PRECISION_NAMES:
                choice = EngineChoice(engine, precision)
                if str(choice) == text:
                    return choice
        raise ValueError(f"is {text!r}, must be ENGINE/PRECISION, of {ENGINE_NAMES} and {PRECISION_NAMES}")

    @property
    def dtype(self) -> torch.dtype:
        """The type that the network computes in, beside its bytes; pictures and gradients are float32 always."""
        return torch.bfloat16 if self.precision == "bfloat16" else torch.float32


class Engine(ABC):
    """Computes gradients of objectives with respect to pictures.

    Whatever depends on the picture's shape is planned at the first call with it and kept, until it is told to forget.
    The same engine gives the same bits for the same picture. One method must be there; the others have harmless
    defaults.
    """

    choice: EngineChoice
    """what it is"""
    budget: int | None = None
    """bytes that a step may take before it goes tile by tile; None: it never does"""

    @abstractmethod
    def __call__(self, image: Tensor, objective: Objective) -> tuple[Tensor, Tensor]:
        """The score () and its gradient (1, 3, H, W), both float32, of a picture (1, 3, H, W) in [0, 1]."""

    def climb_whole(self, image: Tensor, objective: Objective, how: Climb, generator: torch.Generator) -> Tensor | None:
        """What `climb` does, in one go and without the host between the steps; None: it has to be led step by step."""
        return None

    def before_step(self, generator: torch.Generator) -> None:
        """A step of a climb that is led step by step is about to begin."""
        return None

    def with_budget(self, budget: int | None) -> Engine:
        """The same, with the same plans, within another budget; itself where it never goes tile by tile."""
        return self

    def forget(self) -> None:
        """Free what was planned for the sizes of pictures so far."""
        return None

    def fingerprints(self) -> dict[str, str]:
        """What tells its numbers beside its choice; with another value its gradients end in other last digits."""
        return {}


def score_gradients(objective: Objective, activations: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """The score () of activations that need no gradient themselves, and its gradient by layer, in their types."""
    leaves = {name: value.detach().float().requires_grad_() for name, value in activations.items()}
    with torch.enable_grad():
        score = objective(leaves)
        gradients = torch.autograd.grad(score, list(leaves.values()), allow_unused=True)
    found = zip(activations.items(), gradients, strict=True)
    return score.detach(), {name: grad.to(like.dtype) for (name, like), grad in found if grad is not None}
