"""Objectives as fields of a config: one mapping or a list of them, told apart by their key; and building them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Annotated

from pydantic import BeforeValidator, Discriminator, Tag

from pipeline.backbones import Backbone
from pipeline.curves import Clock
from pipeline.nearest import did_you_mean
from pipeline.objectives.caricature_term import CaricatureTerm, KeepTerm
from pipeline.objectives.direction_term import DirectionTerm
from pipeline.objectives.journey_term import JourneyTerm
from pipeline.objectives.nearest_term import NearestTerm
from pipeline.objectives.sum import WeightedSum
from pipeline.objectives.terms import (
    BaseTerm,
    ChannelTerm,
    ClassTerm,
    GuideTerm,
    LayerTerm,
    NeuronTerm,
)
from pipeline.objectives.wander_term import WanderTerm

_MOST_TERMS = 100
_START = Clock(Fraction(24), 1, 0).at_frame(0)
Term = (
    LayerTerm
    | ChannelTerm
    | NeuronTerm
    | ClassTerm
    | GuideTerm
    | DirectionTerm
    | CaricatureTerm
    | KeepTerm
    | WanderTerm
    | NearestTerm
    | JourneyTerm
)
_KEYS: dict[str, type[BaseTerm]] = {
    "channel": ChannelTerm,
    "neuron": NeuronTerm,
    "class": ClassTerm,
    "guide": GuideTerm,
    "direction": DirectionTerm,
    "caricature": CaricatureTerm,
    "keep": KeepTerm,
    "wander": WanderTerm,
    "nearest": NearestTerm,
    "journey": JourneyTerm,
    "layer": LayerTerm,  # last: most others have it too
}


def _kind(value: object) -> str:
    if isinstance(value, BaseTerm):
        return type(value).__name__
    if not isinstance(value, dict):
        raise ValueError(f"must be a mapping with one of the keys {', '.join(_KEYS)}")
    named = [key for key in _KEYS if key in value and key != "layer"]
    if len(named) > 1:
        raise ValueError(f"names both {named[0]} and {named[1]}; write two mappings, as a list")
    if named or "layer" in value:
        return _KEYS[named[0] if named else "layer"].__name__
    hint = next((hint for key in value if (hint := did_you_mean(str(key), _KEYS))), "")
    raise ValueError(f"says no objective{hint} (there are: {', '.join(_KEYS)})")


def _as_tuple(value: object) -> object:
    listed = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not listed:
        raise ValueError("is empty; name at least one objective")
    if len(listed) > _MOST_TERMS:
        raise ValueError(f"holds {len(listed)} objectives, may hold at most {_MOST_TERMS}")
    for each in listed:
        _kind(each)  # raises in words of its own
    return listed


ObjectiveField = Annotated[
    tuple[
        Annotated[
            Annotated[LayerTerm, Tag("LayerTerm")]
            | Annotated[ChannelTerm, Tag("ChannelTerm")]
            | Annotated[NeuronTerm, Tag("NeuronTerm")]
            | Annotated[ClassTerm, Tag("ClassTerm")]
            | Annotated[GuideTerm, Tag("GuideTerm")]
            | Annotated[DirectionTerm, Tag("DirectionTerm")]
            | Annotated[CaricatureTerm, Tag("CaricatureTerm")]
            | Annotated[KeepTerm, Tag("KeepTerm")]
            | Annotated[WanderTerm, Tag("WanderTerm")]
            | Annotated[NearestTerm, Tag("NearestTerm")]
            | Annotated[JourneyTerm, Tag("JourneyTerm")],
            Discriminator(_kind),
        ],
        ...,
    ],
    BeforeValidator(_as_tuple),
]
"""One objective as a mapping, or a list of them to be summed."""


def build_objective(terms: Sequence[BaseTerm], backbone: Backbone, *, balanced: bool = False) -> WeightedSum:
    """The weighted sum of the terms as they are at the film's start, read from a backbone that has their layers."""
    whole = WeightedSum(tuple(term.build(backbone) for term in terms), backbone.device, balanced=balanced)
    whole.weigh(tuple(term.weight.at(_START) for term in terms))
    return whole
