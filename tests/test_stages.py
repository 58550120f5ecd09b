"""One suite over every stage in the registry."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
import torch

from pipeline.frame import Size
from pipeline.ops import noise
from pipeline.stages import STAGES, Effect, FrameContext, Role, RunSpec, Source
from tests.clips import real_film
from tests.conftest import photograph

SPEC = RunSpec(size=Size(48, 64), fps=Fraction(24), frames=5, seed=1, device=torch.device("cpu"))

# The keys a stage can't do without, or that keep its test short.
KEYS: dict[str, dict[str, Any]] = {
    "image": {"path": str(photograph("chelsea.png"))},
    "video": {"path": str(real_film("carphone_pristine"))},
    "dream": {"octaves": 1, "steps": 1, "first_steps": 2},
    "zoom": {"zoom": 1.5, "rotate": 10.0, "pan": [0.1, 0.0]},
    "hold": {"sharpness": "first", "saturation": 0.2, "settle": "1f"},
    "tone": {"gamma": 1.2, "contrast": 1.3, "saturation": 1.5, "vignette": 0.5},
    "grain": {"size": 2.0},
    "loop": {"over": "3f"},
}
SOURCES = [name for name, kind in STAGES.items() if kind.config.role is Role.SOURCE]
EFFECTS = [name for name, kind in STAGES.items() if kind.config.role is Role.EFFECT]


def build(name: str, spec: RunSpec = SPEC, **keys: Any) -> Any:
    config = STAGES[name].config.model_validate({"id": name} | KEYS.get(name, {}) | keys)
    assert not list(config.problems(spec))
    return STAGES[name].build(config, spec)


def picture(seed: int = 0) -> torch.Tensor:
    return noise.pink(SPEC.size, 0.15, 1.5, torch.Generator().manual_seed(seed))


def assert_is_frame(frame: torch.Tensor) -> None:
    assert frame.shape == (1, 3, *SPEC.size) and frame.dtype == torch.float32
    assert not frame.requires_grad and frame.isfinite().all()
    assert frame.min() >= 0 and frame.max() <= 1


def contexts() -> list[FrameContext]:
    return [FrameContext(0, SPEC, None), FrameContext(1, SPEC, picture(1)), FrameContext(4, SPEC, picture(2))]


@pytest.mark.parametrize("name", SOURCES)
def test_sources_make_frames(name: str) -> None:
    stage = build(name)
    assert isinstance(stage, Source)
    for ctx in contexts():
        assert_is_frame(stage(ctx))


@pytest.mark.parametrize("name", EFFECTS)
def test_effects_keep_the_convention_and_their_input(name: str) -> None:
    stage = build(name)
    assert isinstance(stage, Effect)
    for ctx in contexts():
        frame = picture(3)
        before = frame.clone()
        result = stage(frame, ctx)
        assert_is_frame(result)
        assert torch.equal(frame, before)


@pytest.mark.parametrize("name", [*SOURCES, *EFFECTS])
def test_stages_repeat_themselves_and_round_trip_their_state(name: str) -> None:
    def run(stage: Any, ctxs: list[FrameContext]) -> list[torch.Tensor]:
        return [stage(ctx) if isinstance(stage, Source) else stage(picture(ctx.index), ctx) for ctx in ctxs]

    ctxs = contexts()
    first = build(name)
    whole = run(first, ctxs)
    assert all(torch.equal(a, b) for a, b in zip(whole, run(build(name), ctxs), strict=True))
    stopped, resumed = build(name), build(name)
    run(stopped, ctxs[:2])
    state = stopped.state_dict()
    assert all(value.is_contiguous() for value in state.values())  # else a checkpoint stores it in another order
    resumed.load_state_dict(state)
    assert torch.equal(run(resumed, ctxs[2:])[0], whole[2])


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_lives_and_ends_alike(name: str) -> None:
    """Whatever its role: what a run asks of all stages, before the first frame and after the last."""
    stage = build(name)
    config = type(stage.config).model_validate(stage.config.model_dump(mode="json", exclude_none=True))
    assert config == stage.config  # a run's preset.yaml loads again
    assert stage.pinned().keys() <= type(config).model_fields.keys()
    assert all(isinstance(text, str) for text in (*stage.pinned().values(), *stage.fingerprints().values()))
    state = stage.state_dict()
    build(name).load_state_dict(state)
    assert isinstance(stage.report(), list)
    stage.close()
    stage.close()


def test_the_suite_leaves_no_stage_out() -> None:
    assert {*SOURCES, *EFFECTS} == set(STAGES)


def test_frame_generators_depend_on_seed_frame_and_stage_only() -> None:
    def draw(spec: RunSpec, index: int, stage: str) -> float:
        return float(torch.rand((), generator=FrameContext(index, spec, None).generator(stage)))

    base = draw(SPEC, 3, "dream")
    assert base == draw(replace(SPEC, frames=99, fps=Fraction(60)), 3, "dream")
    others = {draw(SPEC, 4, "dream"), draw(SPEC, 3, "noise"), draw(replace(SPEC, seed=2), 3, "dream")}
    assert base not in others and len(others) == 3


def test_the_dream_climbs_its_objective() -> None:
    from pipeline import backbones
    from pipeline.objectives import LayerL2

    objective = LayerL2("blocks.4.1")
    network = backbones.load("lite0", objective.layers, SPEC.device)
    stage = build("dream", layer="blocks.4.1", first_steps=8, first_strength=0.2, jitter=8, smoothing=0.5)
    frame = picture()
    dreamt = stage(frame, FrameContext(0, SPEC, None))
    with torch.no_grad():
        assert float(objective(network(dreamt))) > 1.3 * float(objective(network(frame)))
    assert 0.005 < float((dreamt - frame).abs().mean()) < 0.2


def test_strength_is_per_second() -> None:
    def change(fps: int) -> float:
        stage = build("dream", replace(SPEC, fps=Fraction(fps)), jitter=0, strength=1.0)
        frame = picture()
        ctx = FrameContext(1, stage.spec, frame)
        return float((stage(frame, ctx) - frame).abs().mean()) * fps

    assert change(12) == pytest.approx(change(48), rel=0.15)
    assert change(12) == pytest.approx(1.0, rel=0.2)


def test_zoom_rests_bit_exactly() -> None:
    frame = picture()
    assert build("zoom", zoom=1.0, rotate=0.0, pan=[0.0, 0.0])(frame, contexts()[1]) is frame


def test_palettes_draw_nearer_by_the_second() -> None:
    from pipeline.ops.colour import colour_statistics

    def after_a_second(fps: int) -> torch.Tensor:
        spec = replace(SPEC, fps=Fraction(fps))
        stage, frame = build("palette", spec, to="lagoon", strength=0.7), picture()
        for index in range(fps):
            frame = stage(frame, FrameContext(index, spec, frame))
        return colour_statistics(frame).mean

    assert torch.allclose(after_a_second(12), after_a_second(48), atol=0.01)
