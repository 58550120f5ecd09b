"""What every dream needs, put together in one place: a network, what it climbs towards, and what computes gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from pipeline import backbones
from pipeline.backbones import Backbone
from pipeline.backbones.weights import AUTO
from pipeline.curves import Constant
from pipeline.engines import (
    Climb,
    Engine,
    EngineChoice,
    EngineKey,
    PrecisionKey,
    TiledEngine,
    build_engine,
    choose_engine,
    climb_octaves,
    memory_budget,
    memory_text,
)
from pipeline.frame import Size
from pipeline.objectives import BaseTerm, WeightedSum, build_objective


@dataclass(frozen=True)
class DreamerSpec:
    """What a dreamer is made of, in the words of the dream stage's keys."""

    model: str
    terms: tuple[BaseTerm, ...]
    weights: str = AUTO
    engine: EngineKey = "auto"
    precision: PrecisionKey = "auto"
    memory: str | None = "auto"
    """what a step may take before it goes tile by tile; None: it never does"""
    balanced: bool = False
    """whether the terms pull alike, however large their layers' activations are"""

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that are read, each once. Raises ModelError."""
        recipe = backbones.find_recipe(self.model)
        return tuple(dict.fromkeys(term.place(recipe) for term in self.terms))

    @property
    def network(self) -> tuple[object, ...]:
        """What the network depends on."""
        return self.model, self.layers, self.weights

    @property
    def goal(self) -> tuple[object, ...]:
        """What the objective depends on beside the network; how much terms count, `weigh` says."""
        return self.balanced, *(term.model_copy(update={"weight": Constant(1.0)}) for term in self.terms)


class Dreamer:
    """Climbs on pictures: the network, the objective, and the engine, which serve pictures of any size.

    `size` is that of the pictures for which the engine is chosen. With a dreamer that it is `like`, for the same size
    and on the same device, it shares all that would be no other: the network, the objective, the engine and what that
    has planned. That one goes on as it is. Raises PipelineError for what can't be had.
    """

    def __init__(self, spec: DreamerSpec, size: Size, device: torch.device, like: Dreamer | None = None) -> None:
        self.spec, self.device = spec, device
        like = like if like is not None and like.spec.network == spec.network else None
        self.backbone: Backbone = self._loaded() if like is None else like.backbone
        self.objective: WeightedSum = self._aim() if like is None or like.spec.goal != spec.goal else like.objective
        self._choice = self._chosen(size, like)
        self._budget = self._allowed()
        self.engine = self._built(like)

    def _loaded(self) -> Backbone:
        return backbones.load(self.spec.model, self.spec.layers, self.device, self.spec.weights)

    def _aim(self) -> WeightedSum:
        return build_objective(self.spec.terms, self.backbone, balanced=self.spec.balanced)

    def _chosen(self, size: Size, like: Dreamer | None) -> EngineChoice:
        asked = self.spec.engine, self.spec.precision
        if like is not None and asked == (like.spec.engine, like.spec.precision):
            return like._choice
        return choose_engine(self.backbone, self.objective, size, *asked)

    def _allowed(self) -> int | None:
        """The budget of a step; what only the whole picture can score is never tiled."""
        memory = None if self.objective.sees_whole else self.spec.memory
        return None if memory is None else memory_budget(memory, self.device)

    def _built(self, like: Dreamer | None) -> Engine:
        tiled = self.spec.memory is not None
        if like is not None and self._choice == like._choice and tiled == (like.spec.memory is not None):
            return like.engine.with_budget(self._budget)
        engine = build_engine(self.backbone, self._choice)
        return TiledEngine(engine, self.backbone, self._budget) if tiled else engine

    def weigh(self, weights: tuple[float, ...]) -> None:
        """Set how much each term counts from now on."""
        self.objective.weigh(weights)

    def meet(self, picture: Callable[[], Tensor], seconds: float) -> None:
        """Let terms that have a choice to make at this time of the film see the picture (1, 3, H, W)."""
        self.objective.at(seconds)
        if self.objective.is_open:
            self.objective.meet(self.backbone(picture()))

    def climb(
        self, picture: Tensor, octaves: Iterable[tuple[Size, Climb]], generator: torch.Generator
    ) -> Tensor | None:
        """What climbing at several sizes, coarse to fine, adds to a picture (1, 3, H, W); None without octaves."""
        return climb_octaves(self.engine, self.objective, picture, octaves, generator)

    def pinned(self) -> dict[str, str]:
        """What was taken for keys that say `auto`."""
        taken: dict[str, str] = {"engine": self.engine.choice.engine, "precision": self.engine.choice.precision}
        if self.spec.memory == "auto" and self._budget is not None:
            taken["memory"] = memory_text(self._budget)  # another machine has another half
        return taken

    @cached_property
    def _weights_digest(self) -> str:
        return self.backbone.digest()

    def fingerprints(self) -> dict[str, str]:
        """Digests of the network's numbers, and of what else its last digits depend on."""
        return {"model": self._weights_digest} | self.engine.fingerprints()

    def state_dict(self) -> dict[str, Tensor]:
        """What terms have chosen by pictures; the budget, where memory ran out and tiles have been smaller since."""
        shrunk = self.engine.budget is not None and self.engine.budget != self._budget
        kept: dict[str, Tensor] = {"budget": torch.tensor(self.engine.budget)} if shrunk else {}
        return kept | self.objective.state_dict()

    def state_for(self, other: Dreamer) -> dict[str, Tensor]:
        """What of `state_dict` means the same to a dreamer of another spec."""
        state = self.state_dict()
        same = (self.spec.model, self.spec.weights) == (other.spec.model, other.spec.weights)
        terms = enumerate(zip(self.spec.goal[1:], other.spec.goal[1:], strict=False))
        kept = {f"term-{index}" for index, (mine, theirs) in terms if same and mine == theirs}
        if self.spec.memory == other.spec.memory and other.engine.budget is not None:
            kept.add("budget")
        return {name: value for name, value in state.items() if name.split(".")[0] in kept}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state_dict` gave; other names are left alone."""
        if "budget" in state:
            self.engine.budget = int(state["budget"])
        self.objective.load_state_dict({name: value.to(self.device) for name, value in state.items()})
