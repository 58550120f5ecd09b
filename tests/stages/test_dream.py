"""The dream along the film: layers that cross-fade, weights for octaves, and cadence."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
import torch

from pipeline import backbones
from pipeline.curves import Clock
from pipeline.engines import build_engine
from pipeline.engines.base import EngineChoice
from pipeline.errors import PresetError
from pipeline.frame import Size, size_of
from pipeline.objectives import LayerL2, WeightedSum
from pipeline.ops import noise
from pipeline.ops.motion import warp
from pipeline.preset import parse_preset
from pipeline.preset.curves import curve_problems
from pipeline.stages import STAGES, FrameContext, RunSpec

SIZE = Size(48, 64)
SPEC = RunSpec(SIZE, Fraction(12), 48, 1, torch.device("cpu"))
LAYERS = ("blocks.2.1", "blocks.4.1")


def build(name: str, **keys: Any) -> Any:
    config = STAGES[name].config.model_validate({"id": name, **keys})
    assert not [*curve_problems(config, SPEC), *config.problems(SPEC)]
    return STAGES[name].build(config, SPEC)


def dream(**keys: Any) -> Any:
    return build("dream", **{"octaves": 1, "steps": 1, "first_steps": 2, "jitter": 4} | keys)


def picture(seed: int = 0) -> torch.Tensor:
    return noise.pink(SIZE, 0.15, 1.5, torch.Generator().manual_seed(seed))


def film(stages: list[Any], frames: range, start: torch.Tensor) -> list[torch.Tensor]:
    previous, made = start, []
    for index in frames:
        ctx = FrameContext(index, SPEC, previous if index else None)
        frame = previous
        for stage in stages:
            frame = stage(frame, ctx)
        made.append(frame)
        previous = frame
    return made


@pytest.mark.parametrize("engine", ["reference/float32", "packed/float32"])
def test_blended_gradients_follow_their_weights(engine: str) -> None:
    blend = WeightedSum(tuple(LayerL2(layer) for layer in LAYERS), SPEC.device, balanced=True)
    network = backbones.load("lite0", LAYERS, SPEC.device)
    run = build_engine(network, EngineChoice.parse(engine))
    alone = [run(picture(), LayerL2(layer)) for layer in LAYERS]
    parts = [gradient / score for score, gradient in alone]
    for weights in ((1.0, 0.0), (0.25, 0.75), (0.0, 1.0)):
        blend.weigh(weights)
        score, gradient = run(picture(), blend)
        expected = weights[0] * parts[0] + weights[1] * parts[1]
        assert torch.allclose(gradient, expected, rtol=1e-3, atol=1e-5 * float(expected.abs().max()))
        assert float(score) == pytest.approx(1)


def test_layers_take_turns() -> None:
    def gained(stage: Any, layer: str, index: int) -> float:
        network = backbones.load("lite0", (layer,), SPEC.device)
        frame = picture()
        with torch.no_grad():
            before = LayerL2(layer)(network(frame))
            return float(LayerL2(layer)(network(stage(frame, FrameContext(index, SPEC, frame)))) / before)

    stage = dream(layer={"0s": LAYERS[0], "2s": LAYERS[1]}, strength=0.6, steps=4)
    for layer, strong, weak in ((LAYERS[0], 1, 30), (LAYERS[1], 30, 1)):
        assert gained(stage, layer, strong) > 1.05 * gained(stage, layer, weak)
    assert stage.config.layer.weights(Clock(Fraction(12), 48, 0).at_frame(12)) == pytest.approx((0.5, 0.5))


def test_octave_weights_choose_octaves() -> None:
    frame = noise.pink(Size(96, 128), 0.15, 1.5, torch.Generator().manual_seed(0))
    spec = RunSpec(Size(96, 128), Fraction(12), 48, 1, torch.device("cpu"))

    def change(weights: list[Any] | None) -> torch.Tensor:
        keys = {"id": "dream", "octaves": 2, "steps": 1, "jitter": 0, "octave_weights": weights}
        stage: Any = STAGES["dream"].build(STAGES["dream"].config.model_validate(keys), spec)
        changed: torch.Tensor = stage(frame, FrameContext(2, spec, frame)) - frame
        return changed

    assert not change([0, 0]).any()
    assert torch.equal(change([1, 1.0]), change(None))
    coarse = change(["1", 0])
    size = (48, 64)
    smooth = torch.nn.functional.interpolate(coarse, size, mode="area")
    again = torch.nn.functional.interpolate(smooth, (96, 128), mode="bilinear")
    assert float((again - coarse).abs().mean()) < 0.5 * float(coarse.abs().mean())  # it holds no fine detail


def test_curves_move_strength_and_steps() -> None:
    stage = dream(strength="0.2 + 0.2*t", steps={"0s": 1, "2s": 3})
    frame = picture()
    early, late = (float((stage(frame, FrameContext(i, SPEC, frame)) - frame).abs().mean()) for i in (3, 36))
    assert 1.6 < late / early < 4  # 0.8 against 0.25 per second; more steps change less than their sum


def moving_stages(**keys: Any) -> list[Any]:
    return [build("zoom", zoom=1.3, rotate=10, edges="noise"), dream(strength=0.3, **keys)]


def jumps(stages: list[Any], frames: list[torch.Tensor]) -> list[float]:
    """How much each frame differs from the one before, moved along the camera's motion."""
    found = []
    for index, (before, after) in enumerate(pairwise(frames), start=1):
        ctx = FrameContext(index, SPEC, before)
        found.append(float((after - stages[0](before, ctx)).abs().mean()))
    return found


TWO = {"octaves": 2, "layer": "blocks.2.1"}


@pytest.mark.parametrize("keys", [{"every": 4}, {"every": [1, 4]} | TWO, {"every": [4, 2]} | TWO], ids=str)
def test_cadence_pops_nowhere_and_dreams_as_much(keys: dict[str, Any]) -> None:
    every = film(moving_stages(**keys | {"every": 1}), range(17), picture())
    stages = moving_stages(**keys)
    sparse = film(stages, range(17), picture())
    steady = jumps(stages, sparse)[4:]  # the first dream with cadence is due at frame 4
    assert all(b < 1.1 * (a + c) / 2 for a, b, c in zip(steady, steady[1:], steady[2:], strict=False))
    assert max(steady) < 1.35 * min(steady)
    assert sum(steady) == pytest.approx(sum(jumps(stages, every)[4:]), rel=0.25)


def test_between_dreams_the_change_moves_along() -> None:
    stages = moving_stages(every=4)
    film(stages, range(5), picture())
    pending = stages[1].state_dict()["pending"]
    frame = picture(2)
    ctx = FrameContext(5, SPEC, frame)
    moved = stages[0](frame, ctx)
    result = stages[1](moved, ctx)
    assert ctx.motion is not None
    expected = moved + warp(pending, ctx.motion.flow) * ctx.motion.trust
    assert torch.allclose(result, expected.clamp(0, 1), atol=1e-6)


def test_octaves_of_one_cadence_are_dreamt_on_together() -> None:
    one, each = (film(moving_stages(every=every, **TWO), range(7), picture()) for every in (3, [3, 3]))
    assert all(torch.equal(a, b) for a, b in zip(one, each, strict=True))


def test_fine_octaves_cost_less_when_they_come_seldom() -> None:
    stages = moving_stages(every=[1, 3], **TWO)
    asked: list[Size] = []
    plain = stages[1].dreamer.engine

    def counted(image: torch.Tensor, objective: Any) -> Any:
        asked.append(size_of(image))
        return plain(image, objective)

    counted.climb_whole, counted.before_step = plain.climb_whole, plain.before_step
    stages[1].dreamer.engine = counted
    film(stages, range(7), picture())
    assert asked[4:].count(SIZE) == 2 and asked[4:].count(Size(32, 43)) == 6  # the first frame takes two steps of both


@pytest.mark.parametrize(
    ("every", "said"),
    [
        (0, "must be a whole number from 1 to 240, or a list of them"),
        ([1, 241], "must be a whole number from 1 to 240, or a list of them"),
        ([], "must be a whole number from 1 to 240, or a list of them"),
        (True, "must be a whole number from 1 to 240, or a list of them"),
        ([1, 2], "has 2 values, must have one for each of 3 octaves, or be one"),
    ],
)
def test_a_cadence_that_does_not_fit_is_refused(every: object, said: str) -> None:
    with pytest.raises(PresetError, match=f"^preset:2: stages\\[1\\].every: .*{said}"):
        parse_preset(f"stages: [{{stage: noise}},\n{{stage: dream, every: {json.dumps(every)}}}]", name="preset")


@pytest.mark.parametrize("every", [4, [1, 4]])
@pytest.mark.parametrize("stop", [4, 6, 7])
def test_cadence_resumes_between_dreams(stop: int, every: Any) -> None:
    keys = {"every": every} | (TWO if isinstance(every, list) else {})
    whole = film(moving_stages(**keys), range(10), picture())
    stopped, resumed = moving_stages(**keys), moving_stages(**keys)
    frames = film(stopped, range(stop), picture())
    for old, new in zip(stopped, resumed, strict=True):
        new.load_state_dict({name: value.clone() for name, value in old.state_dict().items()})
    rest = film(resumed, range(stop, 10), frames[-1])
    assert all(torch.equal(a, b) for a, b in zip(rest, whole[stop:], strict=True))
