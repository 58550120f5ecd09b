"""From pictures to directions: sampling, factorising, and what else the file says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline import backbones
from pipeline.backbones import Backbone
from pipeline.backbones.weights import AUTO
from pipeline.learn.factorise import factorise, require_scikit_learn
from pipeline.learn.sampling import Sample, sample_activations
from pipeline.objectives.learnt import Directions
from pipeline.threads import one_thread


@dataclass(frozen=True, eq=False)
class Learnt:
    """Directions, and how they were found: `codes` (n, k) say how much of each the places of `sample` show."""

    directions: Directions
    sample: Sample
    codes: Tensor
    explained: float
    """the share of the activations, squared, that all directions account for together"""


def learn(
    pictures: Sequence[Path],
    layer: str,
    count: int,
    device: torch.device,
    *,
    model: str = "lite0",
    weights: str = AUTO,
    seed: int = 0,
    most: int = 20_000,
) -> Learnt:
    """Directions of a layer that pictures are made of, learnt from at most `most` places of them. Raises PipelineError.

    The same pictures and seed give the same numbers on the same processor with the same versions of torch and
    scikit-learn.
    """
    require_scikit_learn()
    recipe = backbones.find_recipe(model)
    layer = backbones.find_layer(recipe, layer).name
    backbone = backbones.load(model, [layer], device, weights)
    # Otherwise another number of threads gave other last digits, and those other directions.
    with one_thread():
        return _learnt(backbone, layer, sample_activations(backbone, layer, pictures, most, seed), count, seed)


def _learnt(backbone: Backbone, layer: str, sample: Sample, count: int, seed: int) -> Learnt:
    factors = factorise(sample.vectors, count, seed)
    vectors = F.normalize(factors.atoms / factors.deviation, dim=1)
    along = sample.vectors @ vectors.T
    directions = Directions(
        model=backbone.recipe.name,
        layer=layer,
        weights=backbone.digest(layer),
        vectors=vectors,
        mean=factors.mean,
        deviation=factors.deviation,
        strengths=factors.strengths,
        usual=along.mean(0),
        spread=along.std(0).clamp_min(1e-12),
    )
    return Learnt(directions, sample, factors.codes, factors.explained)
