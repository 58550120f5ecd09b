"""Each place drawn to the one of several things that it resembles most, as presets write it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from pipeline import backbones
from pipeline.backbones import Backbone, Recipe, find_features, find_head, find_layer
from pipeline.errors import ModelError
from pipeline.objectives import scores
from pipeline.objectives.classes import class_index
from pipeline.objectives.motif_term import MotifTerm
from pipeline.objectives.scores import Objective
from pipeline.objectives.terms import Things


class NearestTerm(MotifTerm):
    """Horizons become towers, rocks buildings: each place grows into what it resembles most (Mordvintsev et al. 2015).

    The classes are looked for all over the picture, by what their logits read from the last features, not in the
    picture as a whole.
    """

    nearest: Annotated[Things, Field(min_length=1)] = Field(
        description="ImageNet classes, by name or index: [palace, castle]; with `layer`, numbers of its channels, with "
        "`directions` of those"
    )
    elsewhere = True

    def place(self, recipe: Recipe) -> str:
        return find_features(recipe).name if self.of_classes else super().place(recipe)

    def problems(self, recipe: Recipe) -> Iterator[tuple[str, str]]:
        yield from (found := list(super().problems(recipe)))
        if found:
            return
        if not self.of_classes:
            yield from self.number_problems(recipe, [(f"nearest[{i}]", each) for i, each in enumerate(self.nearest)])
            return
        try:
            self.place(recipe)
        except ModelError as error:
            yield "nearest", str(error)
            return
        for index, each in enumerate(self.nearest):
            try:
                class_index(recipe, each)
            except ModelError as error:
                yield f"nearest[{index}]", str(error)

    def build(self, backbone: Backbone) -> Objective:
        place = self.place(backbone.recipe)
        if self.of_classes:
            indices = [class_index(backbone.recipe, each) for each in self.nearest]
            return scores.Nearest(place, class_directions(backbone)[:, indices])
        numbers = torch.tensor([each for each in self.nearest if isinstance(each, int)])
        learnt = self.learnt(backbone)
        if learnt is None:
            channels = find_layer(backbone.recipe, place).channels
            return scores.Nearest(place, F.one_hot(numbers, channels).float().T.to(backbone.device))
        vectors, usual, spread = (
            each[numbers.to(each.device)] for each in (learnt.vectors, learnt.usual, learnt.spread)
        )
        # What is usual in the pictures resembles nothing, or the direction of their mean would win everywhere.
        return scores.Nearest(place, (vectors / spread[:, None]).T.contiguous(), usual / spread)


def class_directions(backbone: Backbone) -> Tensor:
    """What tells each class from the others in the last features (C, classes), each of unit length."""
    head = find_head(backbone.recipe)
    whole = backbones.load(backbone.recipe.name, [head.name], backbone.device, backbone.weights)
    weight = whole.constant(f"{head.name}.weight").flatten(1)
    return F.normalize(weight - weight.mean(0), dim=1).T.contiguous()
