"""What a dream needs: put together once, and shared with the next dreamer as far as that would have the same."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import pytest
import torch
from torch import Tensor

from pipeline.dreamer import Dreamer, DreamerSpec
from pipeline.engines import Climb, Engine, TiledEngine
from pipeline.engines.graph import GraphEngine
from pipeline.frame import Size
from pipeline.objectives import ChannelTerm, LayerTerm, NeuronTerm, Term
from pipeline.ops import noise

CPU = torch.device("cpu")
SIZE = Size(48, 64)
QUICK: dict[str, Any] = {"engine": "packed", "precision": "float32"}


def layer(name: str = "blocks.2.1", **keys: Any) -> Term:
    return LayerTerm.model_validate({"layer": name, **keys})


def channel(number: int) -> Term:
    return ChannelTerm.model_validate({"layer": "blocks.2.1", "channel": number})


def neuron() -> Term:
    return NeuronTerm.model_validate({"layer": "blocks.2.1", "neuron": 1, "at": [0.5, 0.5]})


SPEC = DreamerSpec("lite0", (layer(),), **QUICK)


@lru_cache
def first() -> Dreamer:
    return Dreamer(SPEC, SIZE, CPU)


def climbed(dreamer: Dreamer) -> Tensor:
    picture = noise.pink(SIZE, 0.15, 1.5, torch.Generator().manual_seed(0))
    how = Climb(2, 0.01, 8, None)
    detail = dreamer.climb(picture, [(Size(32, 43), how), (SIZE, how)], torch.Generator().manual_seed(1))
    assert detail is not None
    return detail


def inner(dreamer: Dreamer) -> Engine:
    assert isinstance(dreamer.engine, TiledEngine)
    return dreamer.engine.engine


@pytest.mark.parametrize(
    ("changes", "shared"),
    [
        ({}, {"network", "objective", "engine"}),
        ({"memory": "1GB"}, {"network", "objective", "engine"}),
        ({"terms": (layer(weight=2.0),)}, {"network", "objective", "engine"}),
        ({"terms": (layer(score="mean"),)}, {"network", "engine"}),
        ({"terms": (channel(1),)}, {"network", "engine"}),
        ({"balanced": True}, {"network", "engine"}),
        ({"engine": "folded"}, {"network", "objective"}),
        ({"precision": "bfloat16"}, {"network", "objective"}),
        ({"terms": (layer("blocks.4.1"),)}, set()),
        ({"terms": (layer(), layer("blocks.4.1"))}, set()),
        ({"weights": "random"}, set()),
    ],
)
def test_the_next_one_shares_what_would_be_the_same(changes: dict[str, Any], shared: set[str]) -> None:
    spec, before = replace(SPEC, **changes), climbed(first())
    after, alone = Dreamer(spec, SIZE, CPU, like=first()), Dreamer(spec, SIZE, CPU)
    parts = {"network": lambda d: d.backbone, "objective": lambda d: d.objective, "engine": inner}
    assert {name for name, part in parts.items() if part(after) is part(first())} == shared
    assert after.pinned() == alone.pinned() and after.fingerprints() == alone.fingerprints()
    assert torch.equal(climbed(after), climbed(alone))
    assert torch.equal(climbed(first()), before)


def test_a_budget_of_its_own_leaves_the_others_alone() -> None:
    smaller = Dreamer(replace(SPEC, memory="1GB"), SIZE, CPU, like=first())
    smaller.load_state_dict({"budget": torch.tensor(10**6)})
    assert smaller.state_dict()["budget"] == 10**6 and smaller.pinned().get("memory") is None
    assert not first().state_dict() and first().engine.budget != 10**6


def test_what_needs_the_whole_picture_has_no_budget() -> None:
    assert Dreamer(replace(SPEC, terms=(neuron(),)), SIZE, CPU, like=first()).engine.budget is None
    assert Dreamer(replace(SPEC, memory=None), SIZE, CPU, like=first()).engine.budget is None


def test_a_captured_step_is_kept_while_the_climb_is_the_same() -> None:
    """And replaced by the next, so that a film that changes on its way does not gather them."""
    engine, picture = GraphEngine(first().backbone, "float32"), torch.full((1, 3, *SIZE), 0.5)
    kernel, generator = torch.ones(1, 1), torch.Generator()
    plain, smooth = Climb(1, 0.01, 0, None), Climb(1, 0.01, 0, kernel)
    steps = []
    for objective, how in ((first().objective, plain), (first().objective, plain), (first().objective, smooth)):
        engine.climb_whole(picture, objective, how, generator)
        steps.append(engine._steps[SIZE])
    assert steps[0] is steps[1] is not steps[2] and len(engine._steps) == 1
