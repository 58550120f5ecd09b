"""Objectives as presets write them: what each kind says, whether it fits a network, and the score it stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, Literal

import torch.nn.functional as F
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

from pipeline.backbones import Backbone, Recipe, find_head, find_layer
from pipeline.curves import Clock, Constant, CurveField, Within
from pipeline.errors import ModelError
from pipeline.media.paths import MediaPath
from pipeline.objectives import scores
from pipeline.objectives.choosing import SeedChannels
from pipeline.objectives.classes import class_index
from pipeline.objectives.scores import Objective
from pipeline.objectives.seen import picture_activations, picture_problems
from pipeline.units import Pair

_GUIDE_FEATURES = 4096
Things = Annotated[
    tuple[str | Annotated[int, Field(ge=0)], ...],
    BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value),
    Field(max_length=100),
]
"""Classes by name or index, or channels by number."""
LayerName = Annotated[str, Field(min_length=1, max_length=200)]


class BaseTerm(BaseModel):
    """One objective of a sum."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    weight: Annotated[CurveField, Within(-1e6, 1e6)] = Field(
        Constant(1.0), description="its share of the sum; a negative one is avoided"
    )

    def place(self, recipe: Recipe) -> str:
        """The layer it reads. Raises ModelError when the network has none such."""
        raise NotImplementedError

    def problems(self, recipe: Recipe) -> Iterator[tuple[str, str]]:
        """What is wrong with it for this network, as (key, message)."""
        raise NotImplementedError

    def problems_of_film(self, clock: Clock) -> Iterator[tuple[str, str]]:
        """What does not fit a film with this clock, as (key, message), beside its curves."""
        yield from ()

    def problems_on_sphere(self) -> Iterator[tuple[str, str]]:
        """What is wrong with it in a film that is a whole sphere, seen as six views, as (key, message)."""
        yield from ()

    def parts(self) -> tuple[BaseTerm, ...]:
        """What it is made of, where it is more than one score."""
        return (self,)

    def build(self, backbone: Backbone) -> Objective:
        """The score. Raises MediaError when a picture it needs can't be read."""
        raise NotImplementedError


class OnLayer(BaseTerm):
    """One objective on a layer of the preset's choice."""

    layer: LayerName = Field(description="the layer; `dreamreel layers` lists them")

    def place(self, recipe: Recipe) -> str:
        return find_layer(recipe, self.layer).name

    def problems(self, recipe: Recipe) -> Iterator[tuple[str, str]]:
        try:
            self.place(recipe)
        except ModelError as error:
            yield "layer", str(error)


class LayerTerm(OnLayer):
    """More of whatever a layer responds to."""

    score: Literal["l2", "mean", "cosine"] = Field(
        "l2",
        description="l2: what is there, strong first; mean: activation everywhere; cosine: one motif everywhere",
    )

    def build(self, backbone: Backbone) -> Objective:
        kinds: dict[str, Callable[[str], Objective]] = {
            "l2": scores.LayerL2,
            "mean": scores.LayerMean,
            "cosine": scores.LayerCosine,
        }
        return kinds[self.score](self.layer)


ChannelKey = Annotated[
    int | tuple[Annotated[int, Field(ge=0)], ...] | Literal["strongest", "weakest"],
    BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value),
]


class ChannelTerm(OnLayer):
    """More of one channel of a layer, of several, or of those that the seed picture shows most or least of."""

    channel: ChannelKey = Field(description="a number from 0, a list of them, strongest or weakest")
    count: int = Field(1, ge=1, description="how many of the strongest or weakest")

    def problems(self, recipe: Recipe) -> Iterator[tuple[str, str]]:
        yield from super().problems(recipe)
        yield from _channel_problems(recipe, self.layer, "channel", self._numbers())
        if isinstance(self.channel, str):
            yield from _channel_problems(recipe, self.layer, "count", (self.count - 1,), "asks for number")
        elif self.channel == ():
            yield "channel", "is an empty list; name at least one"

    def _numbers(self) -> tuple[int, ...]:
        if isinstance(self.channel, str):
            return ()
        return (self.channel,) if isinstance(self.channel, int) else self.channel

    def build(self, backbone: Backbone) -> Objective:
        if isinstance(self.channel, str):
            return SeedChannels(self.layer, self.count, self.channel == "strongest")
        return scores.Channels(self.layer, self._numbers())


class NeuronTerm(OnLayer):
    """More of one channel at one place of the picture."""

    neuron: int = Field(ge=0, description="the channel's number, from 0")
    at: Pair = Field((0.5, 0.5), description="the place, [x, y] in shares of width and height; jitter blurs it")

    def problems(self, recipe: Recipe) -> Iterator[tuple[str, str]]:
        yield from super().problems(recipe)
        yield from _channel_problems(recipe, self.layer, "neuron", (self.neuron,))
        if not all(0 <= share <= 1 for share in self.at):
            near = [min(1.0, max(0.0, share)) for share in self.at]
            yield "at", f"is {list(self.at)}, outside the picture; both shares must be 0 to 1, the nearest is {near}"

    def problems_on_sphere(self) -> Iterator[tuple[str, str]]:
        where = f"`mask: {{radial: 0.1, centre: {list(self.at)}}}`"
        yield "neuron", f"has one place in a flat picture, which a sphere is not; use `channel`, with {where} beside it"

    def build(self, backbone: Backbone) -> Objective:
        return scores.Neuron(self.layer, self.neuron, self.at)


class ClassTerm(BaseTerm):
    """More of what the network calls by a name: its logit, before softmax."""

    class_: str | Annotated[int, Field(ge=0)] = Field(alias="class", description="an ImageNet class: name or index")

    def place(self, recipe: Recipe) -> str:
        return find_head(recipe).name

    def problems(self, recipe: Recipe) -> Iterator[tuple[str, str]]:
        try:
            class_index(recipe, self.class_)
        except ModelError as error:
            yield "class", str(error)

    def build(self, backbone: Backbone) -> Objective:
        return scores.Logit(self.place(backbone.recipe), class_index(backbone.recipe, self.class_))

    @model_serializer(mode="wrap")
    def _by_its_key(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"class" if key == "class_" else key: value for key, value in plain(self).items()}


class GuideTerm(OnLayer):
    """Every place is drawn to the feature of a guide picture that it resembles most."""

    guide: MediaPath = Field(description="the picture: relative to the preset, absolute, or package:NAME/inside/it")

    def problems(self, recipe: Recipe) -> Iterator[tuple[str, str]]:
        yield from super().problems(recipe)
        yield from (("guide", said) for said in picture_problems(recipe, self.layer, self.guide))

    def build(self, backbone: Backbone) -> Objective:
        features = picture_activations(backbone, self.layer, self.guide)[self.layer][0].flatten(1)
        thinned = features[:, :: -(-features.shape[1] // _GUIDE_FEATURES)]
        return scores.Guide(self.layer, F.normalize(thinned, dim=0))


def _channels(recipe: Recipe, layer: str, otherwise: int) -> int:
    try:
        return find_layer(recipe, layer).channels
    except ModelError:
        return otherwise  # told about the layer itself


def _channel_problems(
    recipe: Recipe, layer: str, key: str, numbers: Sequence[int], words: str = "is"
) -> Iterator[tuple[str, str]]:
    channels = _channels(recipe, layer, max([0, *numbers]) + 1)
    for number in numbers:
        if not 0 <= number < channels:
            near = min(max(number, 0), channels - 1)
            yield key, f"{words} {number}, and {layer} has channels 0 to {channels - 1}; the nearest is {near}"
