"""A chosen journey: classes or channels that take turns, each fading into the next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from pipeline.backbones import Backbone, Recipe, find_head
from pipeline.curves import Clock, Curve, Every, EveryField, Moments
from pipeline.objectives.direction_term import DirectionTerm
from pipeline.objectives.motif_term import MotifTerm
from pipeline.objectives.scores import Objective
from pipeline.objectives.terms import BaseTerm, ChannelTerm, ClassTerm, Things
from pipeline.ops.smoothstep import smoothstep
from pipeline.times import Array


class JourneyTerm(MotifTerm):
    """One thing after the other, and round again; the picture flows from each to the next."""

    journey: Annotated[Things, Field(min_length=2)] = Field(
        description="ImageNet classes, by name or index: [palace, coral reef]; with `layer`, channels' numbers, with "
        "`directions` theirs"
    )
    elsewhere = True
    life: EveryField = Field(
        Every("8s"), description="how long each has its turn: 8s, 8b for beats of the song, or section"
    )
    blend: float = Field(0.5, gt=0, le=1, description="the share of a turn in which it fades into the next")

    def place(self, recipe: Recipe) -> str:
        return find_head(recipe).name if self.of_classes else super().place(recipe)

    def problems(self, recipe: Recipe) -> Iterator[tuple[str, str]]:
        if self.life.frames:
            yield "life", f"is {self.life}, must be in seconds, such as 8s, in beats, 8b, or section"
        yield from (found := list(super().problems(recipe)))
        if found:
            return
        if not self.of_classes:
            yield from self.number_problems(recipe, [(f"journey[{i}]", each) for i, each in enumerate(self.journey)])
            return
        for index, part in enumerate(self.parts()):
            for _, message in part.problems(recipe):
                yield f"journey[{index}]", message

    def problems_of_film(self, clock: Clock) -> Iterator[tuple[str, str]]:
        if said := self.life.problem(clock):
            yield "life", said

    def parts(self) -> tuple[BaseTerm, ...]:
        return tuple(self._part(index, each) for index, each in enumerate(self.journey))

    def _part(self, index: int, thing: str | int) -> BaseTerm:
        turn = Turn(self.weight, index, len(self.journey), self.life, self.blend)
        number = thing if isinstance(thing, int) else 0
        if self.directions is not None:
            return DirectionTerm.model_validate({"directions": self.directions, "direction": number, "weight": turn})
        if self.layer is not None:
            return ChannelTerm.model_validate({"layer": self.layer, "channel": number, "weight": turn})
        return ClassTerm.model_validate({"class": thing, "weight": turn})

    def build(self, backbone: Backbone) -> Objective:
        raise NotImplementedError("its parts are built")


class Turn(Curve):
    """A weight while it is the turn of one of several that come one after the other, and round again."""

    def __init__(self, weight: Curve, index: int, count: int, life: Every, blend: float) -> None:
        self._weight, self._index, self._count, self._life, self._blend = weight, index, count, life, blend
        self.source: Any = [weight.source, index, count, str(life), blend]

    def values(self, moments: Moments) -> Array:
        round_ = np.mod(self._life.turns(moments), self._count)
        since = np.mod(round_ - self._index + self._count / 2, self._count) - self._count / 2
        # It comes in while the one before goes, and goes in the last share of its own turn.
        comes = smoothstep(np.clip(1 + since / self._blend, 0, 1))
        goes = smoothstep(np.clip((since - 1 + self._blend) / self._blend, 0, 1))
        return self._weight.values(moments) * (comes - goes)

    def problem(self, clock: Clock) -> str | None:
        return self._weight.problem(clock)
