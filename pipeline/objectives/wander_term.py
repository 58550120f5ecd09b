"""Wandering among motifs, as presets write it."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from pipeline.backbones import Backbone, Recipe, find_features, find_head
from pipeline.errors import ModelError
from pipeline.objectives.motif_term import MotifTerm
from pipeline.objectives.nearest_term import class_directions
from pipeline.objectives.scores import Objective
from pipeline.objectives.wander import Pace, Wander, usual_activations
from pipeline.times import SpanField, parse_span


class WanderTerm(MotifTerm):
    """A journey among a layer's motifs that finds its own way: what the picture suggests, and what is new.

    Without a layer it goes among all classes, which are looked for all over the picture, as `nearest` does.
    """

    wander: int = Field(ge=2, le=16, description="how many motifs there are at a time, swelling and fading in turn")
    life: SpanField = Field(parse_span("24s"), description="how long each motif lasts, in seconds")
    rest: SpanField = Field(
        parse_span("60s"), description="how soon a motif that was shown may come again, in seconds: the time constant"
    )
    whole: float = Field(
        0.4, ge=0, le=100, description="how much the whole layer counts beside the motifs; more is richer and steadier"
    )
    suggested: float = Field(
        3.0, ge=0, le=100, description="how much what the picture suggests already counts against chance, which is 1"
    )
    elsewhere = True
    seed: int = Field(0, ge=0, lt=2**63, description="another seed gives another journey")

    def place(self, recipe: Recipe) -> str:
        return find_features(recipe).name if self.of_classes else super().place(recipe)

    def count(self, recipe: Recipe) -> int:
        return find_head(recipe).channels if self.of_classes else super().count(recipe)

    def problems(self, recipe: Recipe) -> Iterator[tuple[str, str]]:
        yield from (found := list(super().problems(recipe)))
        if self.of_classes:
            try:
                self.place(recipe)
            except ModelError as error:
                yield "wander", str(error)
                return
        if not found and self.wander >= (count := self.count(recipe)):
            kind = "classes" if self.of_classes else "channels"
            has = f"{self.layer or recipe.name} has {count} {kind}"
            motifs = has if self.directions is None else f"there are {count} directions"
            yield "wander", f"is {self.wander}, and {motifs}; use at most {count - 1}"
        for key, span in (("life", self.life), ("rest", self.rest)):
            if not span.seconds:
                yield key, f"is {span.text}, must be in seconds, such as 24s"

    def build(self, backbone: Backbone) -> Objective:
        life, rest = self.life.seconds, self.rest.seconds
        assert life and rest
        pace = Pace(self.wander, float(life), float(rest), self.whole, self.suggested, self.seed)
        place, learnt = self.place(backbone.recipe), self.learnt(backbone)
        vectors = None if learnt is None else learnt.vectors
        vectors = class_directions(backbone).T.contiguous() if self.of_classes else vectors
        return Wander(place, pace, usual_activations(backbone, place, vectors), vectors)
