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
from pipeline.objectives.scores import Objective
from pipeline.objectives.terms import BaseTerm, LayerName, Things


class NearestTerm(BaseTerm):
    """Horizons become towers, rocks buildings: each place grows into what it resembles most (Mordvintsev et al. 2015).

    The classes are looked for all over the picture, by what their logits read from the last features, not in the
    picture as a whole.
    """

    nearest: Annotated[Things, Field(min_length=1)] = Field(
        description="ImageNet classes, by name or index: [palace, castle]; with `layer`, numbers of its channels"
    )
    layer: LayerName | None = Field(None, description="the layer whose channels are meant; classes are if left out")

    def place(self, recipe: Recipe) -> str:
        return find_features(recipe).name if self.layer is None else find_layer(recipe, self.layer).name

    def problems(self, recipe: Recipe) -> Iterator[tuple[str, str]]:
        try:
            place = find_layer(recipe, self.place(recipe))
        except ModelError as error:
            yield "nearest" if self.layer is None else "layer", str(error)
            return
        for index, each in enumerate(self.nearest):
            if self.layer is None:
                try:
                    class_index(recipe, each)
                except ModelError as error:
                    yield f"nearest[{index}]", str(error)
            elif not isinstance(each, int):
                yield f"nearest[{index}]", f"is {each!r}; beside `layer` it must be the number of a channel"
            elif each >= place.channels:
                yield f"nearest[{index}]", f"is {each}, and {place.name} has channels 0 to {place.channels - 1}"

    def build(self, backbone: Backbone) -> Objective:
        place = self.place(backbone.recipe)
        if self.layer is not None:
            channels = find_layer(backbone.recipe, place).channels
            numbers = torch.tensor([each for each in self.nearest if isinstance(each, int)])
            return scores.Nearest(place, F.one_hot(numbers, channels).float().T.to(backbone.device))
        indices = [class_index(backbone.recipe, each) for each in self.nearest]
        return scores.Nearest(place, class_directions(backbone)[:, indices])


def class_directions(backbone: Backbone) -> Tensor:
    """What tells each class from the others in the last features (C, classes), each of unit length."""
    head = find_head(backbone.recipe)
    whole = backbones.load(backbone.recipe.name, [head.name], backbone.device, backbone.weights)
    weight = whole.constant(f"{head.name}.weight").flatten(1)
    return F.normalize(weight - weight.mean(0), dim=1).T.contiguous()
