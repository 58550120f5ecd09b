"""More of a mixture of channels, as presets write it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import BeforeValidator, Field

from pipeline.backbones import Backbone, Recipe, find_layer
from pipeline.objectives import scores
from pipeline.objectives.motif_term import MotifTerm
from pipeline.objectives.scores import Objective


class DirectionTerm(MotifTerm):
    """More of a mixture of a layer's channels."""

    direction: Annotated[
        Literal["random"] | int | tuple[float, ...],
        BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value),
    ] = Field(
        description="random, or a list of one number for each channel; with `directions`, the number of one, from 0"
    )
    seed: int = Field(0, ge=0, lt=2**63, description="another seed gives another random direction")

    def problems(self, recipe: Recipe) -> Iterator[tuple[str, str]]:
        yield from (found := list(super().problems(recipe)))
        if found:
            return
        if self.directions is not None:
            yield from self.number_problems(recipe, [("direction", self.direction)])
        elif isinstance(self.direction, str):
            return
        elif isinstance(self.direction, int):
            yield "direction", f"is {self.direction}, and no file says which that is; name it with `directions`"
        elif len(self.direction) != (channels := self.count(recipe)):
            yield "direction", f"has {len(self.direction)} numbers; {self.layer} has {channels} channels, one for each"
        elif not any(self.direction):
            yield "direction", "is all zeros and points nowhere; one number must differ"

    def build(self, backbone: Backbone) -> Objective:
        place = self.place(backbone.recipe)
        learnt = self.learnt(backbone)
        if learnt is not None:
            assert isinstance(self.direction, int)
            return scores.Direction(place, learnt.vectors[self.direction])
        if self.direction == "random":
            channels = find_layer(backbone.recipe, place).channels
            vector = torch.randn(channels, generator=torch.Generator().manual_seed(self.seed))
        else:
            vector = torch.tensor(self.direction)
        return scores.Direction(place, F.normalize(vector, dim=0).to(backbone.device))
