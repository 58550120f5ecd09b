"""Tone, sharpening and grain: nothing asked is nothing done, and rates don't depend on the frame rate."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
import torch

from pipeline.frame import Size
from pipeline.ops.blur import blur, gaussian
from pipeline.ops.luma import luma
from pipeline.ops.tone import corner_nearness, grain, unsharp
from pipeline.stages import FrameContext, RunSpec
from tests.stages.test_stages import SPEC, build, picture

FOOTAGE = replace(SPEC, continues=False, wants_motion=False)


def after_a_second(name: str, fps: int, frame: torch.Tensor, **keys: Any) -> torch.Tensor:
    spec = replace(SPEC, fps=Fraction(fps))
    stage = build(name, spec, **keys)
    for index in range(1, fps + 1):
        frame = stage(frame, FrameContext(index, spec, frame))
    return frame


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("tone", {"gamma": 1.0, "contrast": 1.0, "saturation": 1.0, "vignette": 0.0}),
        ("sharpen", {"amount": 0.0}),
        ("grain", {"amount": 0.0}),
        ("palette", {"strength": 0.0}),
        ("palette", {"strength": 0.0, "match": "distribution"}),
    ],
)
@pytest.mark.parametrize("spec", [SPEC, FOOTAGE])
def test_what_asks_for_nothing_is_a_bit_exact_identity(name: str, keys: dict[str, Any], spec: RunSpec) -> None:
    frame = picture()
    assert build(name, spec, **keys)(frame, FrameContext(1, spec, frame)) is frame


@pytest.mark.parametrize(
    "keys", [{"gamma": 1.6}, {"contrast": 0.6}, {"saturation": 0.3}, {"vignette": 0.8}, {"contrast": 1.3}]
)
def test_a_second_of_tone_is_the_same_at_any_rate_and_as_one_stroke(keys: dict[str, float]) -> None:
    neutral = {"gamma": 1.0, "contrast": 1.0, "saturation": 1.0, "vignette": 0.0} | keys
    frame = picture().mul(0.5).add(0.2)  # far from the ends, where clamping would tell rates apart
    slow, fast = (after_a_second("tone", fps, frame, **neutral) for fps in (6, 30))
    once = build("tone", FOOTAGE, **neutral)(frame, FrameContext(1, FOOTAGE, frame))
    assert torch.allclose(slow, fast, atol=1e-4) and torch.allclose(slow, once, atol=1e-4)
    assert (once - frame).abs().mean() > 0.005


def test_shown_only_is_done_at_once() -> None:
    frame = picture()
    stage = build("tone", saturation=0.0, gamma=1.0, contrast=1.0, vignette=0.0, shown_only=True)
    assert not stage.config.feeds_back and stage.seconds == 1.0
    grey = stage(frame, FrameContext(1, SPEC, frame))
    assert torch.allclose(grey, luma(frame).expand_as(grey), atol=1e-6)


def test_each_tone_does_what_it_says() -> None:
    frame = picture()

    def toned(**keys: float) -> torch.Tensor:
        neutral = {"gamma": 1.0, "contrast": 1.0, "saturation": 1.0, "vignette": 0.0} | keys
        result: torch.Tensor = build("tone", FOOTAGE, **neutral)(frame, FrameContext(1, FOOTAGE, frame))
        return result

    assert toned(gamma=2.0).mean() > frame.mean() + 0.1
    assert torch.allclose(toned(contrast=0.0), torch.full_like(frame, 0.5))
    shaded = toned(vignette=1.0)
    assert shaded[..., 0, 0].max() == 0 and torch.equal(shaded[..., 24, 32], frame[..., 24, 32])


def test_the_vignette_is_round_and_smooth() -> None:
    shape = corner_nearness(Size(40, 60), torch.device("cpu"))[0, 0]
    assert shape[0, 0] == 1 and shape[20, 30] == 0
    assert torch.allclose(shape, shape.flip(0).flip(1)) and shape.diff(dim=1).abs().max() < 0.1


def test_blurring_keeps_a_flat_picture_and_its_edges() -> None:
    flat = torch.full((1, 3, 20, 30), 0.3)
    assert torch.allclose(blur(flat, 3.0), flat, atol=1e-6)
    assert float(gaussian(1.7).sum()) == pytest.approx(1.0)


def test_sharpening_makes_detail_and_bounded_halos() -> None:
    edge = torch.full((1, 3, 32, 32), 0.3)
    edge[..., 16:] = 0.7
    sharpened = unsharp(edge, 2.0, 5.0, 0.05)
    assert sharpened.max() == pytest.approx(0.75) and sharpened.min() == pytest.approx(0.25)
    assert torch.allclose(unsharp(edge, 2.0, 5.0, 0.0), edge, atol=1e-6)  # nothing beyond what is there
    frame = picture()
    detail = (frame - blur(frame, 1.0)).std()
    assert (lambda x: x - blur(x, 1.0))(unsharp(frame, 1.0, 1.0, 1.0)).std() > 1.3 * detail
    assert (lambda x: x - blur(x, 1.0))(unsharp(frame, 1.0, -0.5, 1.0)).std() < 0.8 * detail


def test_sharpening_round_and_round_stays_in_bounds() -> None:
    """A hundred seconds of the strongest sharpening: no value leaves what its surroundings held at first."""
    edge = torch.full((1, 3, 32, 32), 0.3)
    edge[..., 16:] = 0.7
    frame = edge
    for index in range(1, 200):
        frame = build("sharpen", amount=10.0, halo=0.0)(frame, FrameContext(index, SPEC, frame))
    assert frame.min() >= 0.3 - 1e-5 and frame.max() <= 0.7 + 1e-5


def test_grain_is_fresh_sized_and_of_the_strength_asked_for() -> None:
    generator = torch.Generator().manual_seed(1)
    for size_px in (1.0, 2.5, 6.0):
        noise = grain(Size(128, 128), size_px, 0.3, generator)
        assert float(noise.std()) == pytest.approx(1.0, rel=0.15)
    coarse, fine = grain(Size(64, 64), 4.0, 0.0, generator), grain(Size(64, 64), 1.0, 0.0, generator)
    assert coarse.diff(dim=3).std() < 0.6 < fine.diff(dim=3).std()
    assert torch.equal(coarse[:, 0], coarse[:, 2])
    stage, frame = build("grain", amount=0.1, size=1.0), picture()
    first, second = (stage(frame, FrameContext(index, SPEC, frame)) for index in (1, 2))
    assert not torch.equal(first, second)


def test_a_second_of_grain_has_the_same_strength_at_any_rate() -> None:
    grey = torch.full((1, 3, *SPEC.size), 0.5)
    for fps in (6, 24):
        spread = float(after_a_second("grain", fps, grey, amount=0.05, size=1.0, colour=1.0).std())
        assert spread == pytest.approx(0.05, rel=0.1), fps


def test_black_and_white_have_no_grain() -> None:
    frame = torch.zeros(1, 3, *SPEC.size)
    frame[..., 32:] = 1
    assert torch.equal(build("grain", amount=0.5)(frame, FrameContext(1, SPEC, frame)), frame)


def test_grading_moves_along_the_film() -> None:
    spec = replace(SPEC, frames=48)
    stage = build("tone", spec, gamma={"0s": 1, "1s": 2}, vignette="0.5*t", contrast=1, saturation=1, shown_only=True)
    frame = torch.full((1, 3, *SPEC.size), 0.25)
    assert stage(frame, FrameContext(0, spec, frame)) is frame
    later = stage(frame, FrameContext(24, spec, frame))
    assert float(later[0, 0, 24, 32]) == pytest.approx(0.5, abs=0.01) and float(later[0, 0, 0, 0]) < 0.35


def test_tones_move_along_curves() -> None:
    frame = picture()
    stage = build("tone", saturation={"0s": 1.0, "2s": 0.0}, shown_only=True)
    spread = [float(stage(frame, FrameContext(index, SPEC, frame)).std(dim=1).mean()) for index in (0, 24, 48)]
    assert spread[1] == pytest.approx(spread[0] / 2, rel=0.01) and spread[2] < 1e-6
    grain_stage = build("grain", amount="0.1 * p", size="1 + t")
    assert grain_stage(frame, FrameContext(0, SPEC, frame)) is frame
    sharpen_stage = build("sharpen", amount="sin(2 * pi * t)")
    assert sharpen_stage(frame, FrameContext(0, SPEC, frame)) is frame
    assert not torch.equal(sharpen_stage(frame, FrameContext(6, SPEC, frame)), frame)
