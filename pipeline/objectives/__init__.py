"""What a dream climbs towards: the YAML of it, and scores of a network's activations to be maximised."""

from pipeline.objectives.direction_term import DirectionTerm
from pipeline.objectives.field import ObjectiveField, Term, build_objective
from pipeline.objectives.scores import LayerL2, Objective
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

__all__ = [
    "BaseTerm",
    "ChannelTerm",
    "ClassTerm",
    "DirectionTerm",
    "GuideTerm",
    "LayerL2",
    "LayerTerm",
    "NeuronTerm",
    "Objective",
    "ObjectiveField",
    "Term",
    "WanderTerm",
    "WeightedSum",
    "build_objective",
]
