"""One suite over every stage in the registry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
import torch

from pipeline import testing
from pipeline.frame import Size
from pipeline.stages import STAGES, FrameContext, Role, RunSpec
from pipeline.testing import SPEC, STAGE_CHECKS, Subject
from tests.clips import real_film
from tests.conftest import photograph

# The keys a stage can't do without, or that keep its test short.
KEYS: dict[str, dict[str, Any]] = {
    "image": {"path": str(photograph("chelsea.png"))},
    "video": {"path": str(real_film("carphone_pristine"))},
    "dream": {"octaves": 1, "steps": 1, "first_steps": 2, "engine": "folded"},
    "zoom": {"zoom": 1.5, "rotate": 10.0, "pan": [0.1, 0.0]},
    "sphere": {"zoom": 1.5, "roll": 10.0, "yaw": 20.0},
    "hold": {"sharpness": "first", "saturation": 0.2, "settle": "1f"},
    "tone": {"gamma": 1.2, "contrast": 1.3, "saturation": 1.5, "vignette": 0.5},
    "grain": {"size": 2.0},
    "loop": {"over": "3f"},
}
SPECS = {"sphere": replace(SPEC, projection="equirectangular", size=Size(32, 64))}
SOURCES = [name for name, kind in STAGES.items() if kind.config.role is Role.SOURCE]
EFFECTS = [name for name, kind in STAGES.items() if kind.config.role is Role.EFFECT]


def build(name: str, spec: RunSpec = SPEC, **keys: Any) -> Any:
    config = STAGES[name].config.model_validate({"id": name} | KEYS.get(name, {}) | keys)
    assert not list(config.problems(spec))
    return STAGES[name].build(config, spec)


def picture(seed: int = 0) -> torch.Tensor:
    return testing.picture(SPEC, seed)


@pytest.mark.parametrize("check", STAGE_CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", [*SOURCES, *EFFECTS])
def test_every_stage_passes_what_plug_ins_are_tried_with(name: str, check: Callable[[Subject], None]) -> None:
    check(Subject(name, KEYS.get(name, {}), SPECS.get(name, SPEC)))


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
    assert build("zoom", zoom=1.0, rotate=0.0, pan=[0.0, 0.0])(frame, FrameContext(1, SPEC, picture(1))) is frame


def test_palettes_draw_nearer_by_the_second() -> None:
    from pipeline.ops.colour import colour_statistics

    def after_a_second(fps: int) -> torch.Tensor:
        spec = replace(SPEC, fps=Fraction(fps))
        stage, frame = build("palette", spec, to="lagoon", strength=0.7), picture()
        for index in range(fps):
            frame = stage(frame, FrameContext(index, spec, frame))
        return colour_statistics(frame).mean

    assert torch.allclose(after_a_second(12), after_a_second(48), atol=0.01)
