"""Eight bits: convolutions that are exact in their own numbers, gradients that climb, and what `auto` makes of it."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from statistics import median
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline import backbones
from pipeline.backbones import Backbone
from pipeline.engines import Engine, EngineChoice, build_engine, choose, choose_engine, probe
from pipeline.engines import bytes as in_bytes
from pipeline.engines.bytes import (
    SIGNED,
    ByteAdjoint,
    ByteConvolution,
    fitting,
    has_byte_adjoint,
    largest_weight,
    masked,
    to_bytes,
    to_float,
    to_int8,
)
from pipeline.engines.convolution import Clip, Geometry
from pipeline.engines.eightbit import EightBitEngine
from pipeline.engines.packed import PackedEngine
from pipeline.errors import PresetError
from pipeline.frame import Size
from pipeline.objectives import LayerL2, Objective
from pipeline.preset import parse_preset

pytestmark = pytest.mark.skipif(largest_weight() is None, reason="this torch has no quantised convolution here")
CPU = torch.device("cpu")
SHAPES = {
    "1x1": ((24, 16, 1, 1), Geometry((1, 1), (0, 0), (1, 1), 1)),
    "3x3": ((24, 16, 3, 3), Geometry((1, 1), (1, 1), (1, 1), 1)),
    "depthwise": ((16, 1, 5, 5), Geometry((1, 1), (2, 2), (1, 1), 16)),
    "depthwise, every second": ((16, 1, 3, 3), Geometry((2, 2), (1, 1), (1, 1), 16)),
    "dilated": ((24, 16, 3, 3), Geometry((1, 1), (2, 2), (2, 2), 1)),
}


@lru_cache
def _backbone(model: str, layer: str) -> Backbone:
    return backbones.load(model, [layer], CPU, "auto" if model == "lite0" else "random")


def _random(*shape: int, seed: int = 0) -> Tensor:
    found = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return found.contiguous(memory_format=torch.channels_last) if len(shape) == 4 else found


def _rounded(weight: Tensor) -> Tensor:
    """The weights as bytes say them."""
    scale = weight.abs().amax((1, 2, 3), keepdim=True) / float(largest_weight() or 1)
    return (weight / scale).round() * scale


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("zero", [0, SIGNED])
def test_a_convolution_is_exact_in_its_own_numbers(name: str, zero: int) -> None:
    shape, g = SHAPES[name]
    weight, bias = _random(*shape), _random(shape[0])
    x = torch.randint(0, 256, (1, 16, 11, 14), generator=torch.Generator().manual_seed(1)).to(torch.uint8)
    x = x.contiguous(memory_format=torch.channels_last)
    convolution = ByteConvolution(weight, bias, g, tuple(x.shape), zero)
    wanted = F.conv2d(to_float(x, 0.02, zero), _rounded(weight), bias, g.stride, g.padding, g.dilation, g.groups)
    assert torch.allclose(convolution.to_float(x, 0.02), wanted, atol=1e-3)
    assert torch.allclose(convolution.to_float(x, 0.02, Clip(0.0, 6.0)), wanted.clamp(0, 6), atol=1e-3)
    held = convolution.to_bytes(x, 0.02, 6 / 255)
    assert torch.allclose(to_float(held, 6 / 255, 0), wanted.clamp(0, 6), atol=0.51 * 6 / 255)


@pytest.mark.parametrize("name", SHAPES)
def test_an_adjoint_is_that_of_its_convolution(name: str) -> None:
    shape, g = SHAPES[name]
    weight, x = _random(*shape), _random(1, 16, 11, 14, seed=2).requires_grad_()
    assert has_byte_adjoint(weight, g, tuple(x.shape))
    y = F.conv2d(x, weight, None, g.stride, g.padding, g.dilation, g.groups)
    other = _random(*y.shape, seed=3)
    (wanted,) = torch.autograd.grad(y, x, other)
    scale = fitting(other, 1.0)
    adjoint = ByteAdjoint(weight, g, tuple(x.shape))
    bytes_ = to_bytes(other, scale)
    found = adjoint.to_float(bytes_, scale)
    assert float((found - wanted).norm() / wanted.norm()) < 0.03
    result_scale = fitting(wanted, 1.0)
    again = to_float(adjoint.to_int8(bytes_, scale, result_scale), result_scale, 0)
    assert float((again - wanted).norm() / wanted.norm()) < 0.04


@pytest.mark.parametrize(("kernel", "stride"), [(7, 2), (3, 2), (3, 1)])
def test_pictures_get_their_gradient_from_bytes(kernel: int, stride: int) -> None:
    weight, g = _random(24, 3, kernel, kernel), Geometry((stride, stride), (kernel // 2,) * 2, (1, 1), 1)
    x = _random(1, 3, 17, 20, seed=2).requires_grad_()
    assert has_byte_adjoint(weight, g, tuple(x.shape))
    y = F.conv2d(x, weight, None, g.stride, g.padding)
    other = _random(*y.shape, seed=3)
    (wanted,) = torch.autograd.grad(y, x, other)
    scale = fitting(other, 1.0)
    found = ByteAdjoint(weight, g, tuple(x.shape)).to_float(to_bytes(other, scale), scale)
    assert float((found - wanted).norm() / wanted.norm()) < 0.03


def test_strides_that_are_left_to_float32() -> None:
    assert not has_byte_adjoint(_random(24, 16, 3, 3), Geometry((2, 2), (1, 1), (1, 1), 1), (1, 16, 8, 8))
    assert not has_byte_adjoint(_random(24, 16, 1, 1), Geometry((1, 1), (1, 1), (1, 1), 1), (1, 16, 8, 8))


def test_a_clip_lets_no_gradient_through_where_it_holds() -> None:
    result = torch.randint(0, 256, (1, 9, 7, 8), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    result[0, 0], result[0, 1] = 0, 255
    result = result.contiguous(memory_format=torch.channels_last)
    gradient = torch.randint(-128, 128, result.shape).to(torch.int8).contiguous(memory_format=torch.channels_last)
    for ceiling, free in ((True, (result > 0) & (result < 255)), (False, result > 0)):
        found = masked(gradient.clone(), result.clone(), ceiling)
        assert torch.equal(found, torch.where(free, gradient, 0))


def test_scales_hold_what_they_should() -> None:
    x = _random(1, 32, 40, 40)
    assert fitting(x, 0.999) * 127 == pytest.approx(float(x.abs().quantile(0.999)), rel=0.05)  # of a sample
    assert fitting(x[:, :, :10], 1.0) * 127 == pytest.approx(float(x[:, :, :10].abs().max()))  # few enough for all
    assert fitting(x, 0.9) * 127 == pytest.approx(1.645, rel=0.05)
    assert float((to_float(to_bytes(x, 0.03), 0.03, SIGNED) - x.clamp(-3.84, 3.81)).abs().max()) <= 0.0151


def test_more_numbers_than_are_turned_at_once_are_all_turned() -> None:
    x = _random(1, 24, 60, 61)  # 87,840
    assert torch.equal(to_int8(x, 0.03), (x / 0.03).round().clamp(-128, 127).to(torch.int8))


@pytest.mark.parametrize(
    ("model", "layer", "least"),
    # Random weights say nothing of quality: there it is only asked that the way leads up.
    [("lite0", "blocks.2.1", 0.97), ("googlenet", "inception3b", 0.9), ("vgg16", "features.15", 0.9)],
)
def test_its_score_is_right_and_its_gradient_climbs(model: str, layer: str, least: float) -> None:
    backbone, objective = _backbone(model, layer), LayerL2(layer)
    exact, engine = PackedEngine(backbone, "float32"), EightBitEngine(backbone)
    picture = torch.rand(1, 3, 72, 97, generator=torch.Generator().manual_seed(0))
    (score, gradient), (found, other) = exact(picture, objective), engine(picture, objective)
    assert float(found / score) == pytest.approx(1, abs=0.05)
    assert float(F.cosine_similarity(gradient.flatten(), other.flatten(), 0)) > 0.5
    reached = [_climbed(exact, engine, objective, seed) for seed in range(3)]
    assert median(reached) >= least


def _climbed(exact: PackedEngine, engine: EightBitEngine, objective: Objective, seed: int) -> float:
    start = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(seed)) * 0.5 + 0.25
    ends = [float(exact(probe.climbed(each, start, objective), objective)[0]) for each in (engine, exact)]
    return ends[0] / ends[1]


def test_weights_of_seven_bits_do_where_eight_overflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_bytes, "_WEIGHTS", (63,))
    in_bytes.largest_weight.cache_clear()
    try:
        engine = EightBitEngine(_backbone("lite0", "blocks.2.1"))
        assert engine.fingerprints()["convolution"].endswith("weights to 63")
        score, gradient = engine(torch.full((1, 3, 64, 64), 0.5), LayerL2("blocks.2.1"))
        assert score.isfinite() and bool(gradient.isfinite().all())
    finally:
        in_bytes.largest_weight.cache_clear()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("model", "layer"), [("lite0", "blocks.2.1"), ("googlenet", "inception3b")])
def test_threads_and_what_was_before_change_nothing(model: str, layer: str, threads: int) -> None:
    before = torch.get_num_threads()
    picture = torch.rand(1, 3, 64, 80, generator=torch.Generator().manual_seed(4))
    objective, alone = LayerL2(layer), EightBitEngine(_backbone(model, layer))
    wanted = alone(picture, objective)[1]
    torch.set_num_threads(threads)
    try:
        engine = EightBitEngine(_backbone(model, layer))
        first = engine(picture, objective)[1]
        engine(1 - picture, objective)
        assert torch.equal(engine(picture, objective)[1], first)
        assert torch.equal(first, wanted)
    finally:
        torch.set_num_threads(before)


def test_auto_takes_it_only_where_it_climbs_as_high(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    backbone, objective = _backbone("lite0", "blocks.2.1"), LayerL2("blocks.2.1")
    monkeypatch.setattr(probe, "_time", lambda step, hopeless: 0.1 if "EightBit" in repr(step) else 1.0)
    assert choose_engine(backbone, objective, Size(64, 64)) == EngineChoice("packed", "int8")
    choose.cache_file().unlink()
    real = EightBitEngine.__call__

    def misled(self: EightBitEngine, image: Tensor, aim: Objective) -> tuple[Tensor, Tensor]:
        score, gradient = real(self, image, aim)
        return score, gradient.flip(3)

    monkeypatch.setattr(EightBitEngine, "__call__", misled)
    assert choose_engine(backbone, objective, Size(64, 64)).precision != "int8"


@pytest.mark.parametrize(
    ("weights", "measured", "taken"), [("auto", "blocks.", True), ("theirs", "blocks.", False), ("auto", "bn2", False)]
)
def test_what_is_known_of_a_network_counts_for_its_own_weights_where_it_was_measured(
    weights: str, measured: str, taken: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    """One dream says little: these get somewhat less far, as some do of a network whose others get further."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    backbone, objective = _backbone("lite0", "blocks.2.1"), LayerL2("blocks.2.1")
    monkeypatch.setattr(backbone, "weights", weights)
    assert backbone.recipe.eight_bits == "blocks."
    monkeypatch.setattr(backbone, "recipe", replace(backbone.recipe, eight_bits=measured))
    monkeypatch.setattr(probe, "_time", lambda step, hopeless: 0.1 if "EightBit" in repr(step) else 1.0)
    real = probe.climbed

    def climbed(engine: Any, image: Tensor, aim: Objective) -> Tensor:
        low, high = image, real(engine, image, aim)
        return low + 0.7 * (high - low) if isinstance(engine, EightBitEngine) else high

    monkeypatch.setattr(probe, "climbed", climbed)
    assert (choose_engine(backbone, objective, Size(64, 64)).precision == "int8") == taken


@pytest.mark.parametrize(
    ("fixed", "per_pixel", "wanted"),
    [
        (1e-3, 1e-9, {64, 128, 256, 384, 512}),  # as far as the picture reaches
        (1e-3, 3e-7, {64, 128, 256, 384}),
        (1e-3, 5e-7, {64, 128, 256}),
        (1e-1, 1e-9, {64}),
    ],
)
def test_pictures_are_as_large_as_steps_are_short(
    fixed: float, per_pixel: float, wanted: set[int], monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    backbone, objective, seen = _backbone("lite0", "blocks.2.1"), LayerL2("blocks.2.1"), set()

    def timed(step: Any, hopeless: float) -> float:
        side = step.args[0].shape[3]
        if isinstance(step.func, Engine):  # not what is tried to see how fast bfloat16 is
            seen.add(side)
        return fixed + per_pixel * float(side**2)

    monkeypatch.setattr(probe, "_time", timed)
    choose_engine(backbone, objective, Size(720, 1280))
    assert seen == wanted


@pytest.mark.parametrize(
    ("gain", "precisions"),
    [(0.4, {"float32", "int8"}), (1.0, {"bfloat16", "float32", "int8"}), (2.0, {"bfloat16", "int8"})],
)
def test_what_the_processor_s_bfloat16_rules_out_is_not_tried(
    gain: float, precisions: set[str], monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    backbone, objective, seen = _backbone("lite0", "blocks.2.1"), LayerL2("blocks.2.1"), set()

    def timed(step: Any, hopeless: float) -> float:
        seen.add(step.func.choice)
        return 1.0

    monkeypatch.setattr(probe, "bfloat16_gain", lambda: gain)
    monkeypatch.setattr(probe, "_time", timed)
    choose_engine(backbone, objective, Size(64, 64))
    assert {choice.precision for choice in seen} == precisions
    assert all(choice.engine != "reference" for choice in seen)
    # What is asked for is tried, whatever the processor.
    assert choose_engine(backbone, objective, Size(64, 64), precision="bfloat16").precision == "bfloat16"
    assert choose_engine(backbone, objective, Size(64, 64), precision="float32").precision == "float32"


def test_a_processor_may_have_no_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    real = F.conv2d

    def convolve(image: Tensor, *given: Any, **keys: Any) -> Tensor:
        if image.dtype == torch.bfloat16:
            raise RuntimeError("not implemented for 'BFloat16'")
        return real(image, *given, **keys)

    monkeypatch.setattr(F, "conv2d", convolve)
    assert probe.bfloat16_gain.__wrapped__() == 0


PRESET = "size: 64x48\nfps: 12\nduration: 2f\ndevice: cpu\nstages: [{stage: noise}, {stage: dream, octaves: 1, KEYS}]\n"


@pytest.mark.parametrize("engine", ["reference", "folded", "graph"])
def test_other_engines_do_not_compute_in_it(engine: str) -> None:
    with pytest.raises(PresetError, match=f"precision: is int8, which the packed engine alone .* `engine` is {engine}"):
        parse_preset(PRESET.replace("KEYS", f"precision: int8, engine: {engine}").encode(), name="film")


def test_it_is_asked_for_by_its_precision_alone() -> None:
    backbone, objective = _backbone("lite0", "blocks.2.1"), LayerL2("blocks.2.1")
    assert choose_engine(backbone, objective, Size(64, 64), "auto", "int8") == EngineChoice("packed", "int8")
    assert build_engine(backbone, EngineChoice("packed", "int8")).choice.precision == "int8"
