"""What a dream climbs towards: the YAML of it, and scores of a network's activations to be maximised."""

from pipeline.objectives.field import ObjectiveField, Term, build_objective
from pipeline.objectives.scores import LayerL2, Objective, WeightedSum
from pipeline.objectives.terms import (
    ChannelTerm,
    ClassTerm,
    DirectionTerm,
    GuideTerm,
    LayerTerm,
    NeuronTerm,
)

__all__ = [
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
    "WeightedSum",
    "build_objective",
]
