"""Every engine against the reference: gradients, quality, determinism, and the way back when it can't run."""

from __future__ import annotations

import gc
import json
import logging
import tempfile
import weakref
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from statistics import median

import pytest
import torch
from skimage.data import chelsea
from torch import Tensor, nn

from pipeline import backbones
from pipeline.backbones import Backbone
from pipeline.backbones.recipes import Recipe
from pipeline.engines import Climb, EngineChoice, TiledEngine, build_engine, choose, choose_engine, climb, climb_octaves
from pipeline.engines.bytes import largest_weight
from pipeline.engines.choose import cache_file, candidates
from pipeline.engines.convolution import Convolution, Geometry, adjoint, has_packed_convolution
from pipeline.engines.folded import FoldedEngine
from pipeline.engines.graph import AscentStep, GraphEngine
from pipeline.engines.packed import PackedEngine
from pipeline.engines.reference import Reference
from pipeline.frame import Size, from_array
from pipeline.objectives import LayerL2
from pipeline.ops.gradient import smoothing_kernel
from pipeline.stages import Dream, DreamConfig, FrameContext, RunSpec

CPU = torch.device("cpu")
CHOICES = [EngineChoice(e, p) for e in ("folded", "packed") for p in ("float32", "bfloat16")]
CHOICES += [EngineChoice("packed", "int8")] if largest_weight() else []
EXACT = [choice for choice in CHOICES if choice.precision == "float32"]
NETWORKS = {
    "lite0": "blocks.5.0",
    "googlenet": "inception4c",
    "vgg16": "features.15",
    "resnet50": "layer2.1",
    "densenet121": "features.transition1",
    "timm:efficientnet_b0": "blocks.2.0",
    "timm:convnext_atto": "stages.1",
}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@lru_cache
def _backbone(model: str, *layers: str) -> Backbone:
    return backbones.load(model, layers, CPU, "auto" if model == "lite0" else "random")


def _picture(height: int = 72, width: int = 97, seed: int = 0) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def _cosine(a: Tensor, b: Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(a.flatten().double(), b.flatten().double(), 0))


@dataclass(frozen=True)
class Several:
    """Two layers, one of them read twice over: what later objectives are sums of."""

    layers: tuple[str, ...]

    def __call__(self, activations: Mapping[str, Tensor]) -> Tensor:
        first, second = (activations[name] for name in self.layers)
        return first[:, 3].mean() + 0.5 * second.square().mean() - second[0, 0, 0, 0]


@pytest.mark.parametrize("choice", EXACT, ids=str)
@pytest.mark.parametrize("model", NETWORKS)
def test_float32_engines_give_the_reference_gradient(model: str, choice: EngineChoice) -> None:
    layer = NETWORKS[model]
    backbone, objective, picture = _backbone(model, layer), LayerL2(layer), _picture()
    score, gradient = Reference(backbone)(picture, objective)
    found_score, found = build_engine(backbone, choice)(picture, objective)
    assert torch.allclose(score, found_score, rtol=1e-3)
    assert _cosine(gradient, found) >= 0.9999
    assert float(found.norm() / gradient.norm()) == pytest.approx(1, abs=1e-3)
    assert found.dtype == torch.float32 and found.shape == picture.shape and found.is_contiguous()


@pytest.mark.parametrize("choice", EXACT, ids=str)
@pytest.mark.parametrize(
    ("model", "layers"),
    [
        ("lite0", ("blocks.1.0.conv_dw", "blocks.3.1")),  # the first is what a folded batch norm would hide
        ("googlenet", ("inception3a.branch1.conv", "inception3b")),
        ("resnet50", ("layer1.0.bn3", "layer1.1")),
        ("resnet50", ("layer1.1", "layer1.2.conv2")),
    ],
)
def test_gradients_enter_at_several_layers(model: str, layers: tuple[str, ...], choice: EngineChoice) -> None:
    backbone, objective, picture = _backbone(model, *layers), Several(layers), _picture(64, 80)
    score, gradient = Reference(backbone)(picture, objective)
    found_score, found = build_engine(backbone, choice)(picture, objective)
    assert torch.allclose(score, found_score, rtol=1e-3)
    assert _cosine(gradient, found) >= 0.9999


def test_the_reference_gradient_is_the_difference_quotient() -> None:
    backbone, objective, picture = _backbone("lite0", "blocks.2.0"), LayerL2("blocks.2.0"), _picture(48, 48)
    engine = Reference(backbone)
    _, gradient = engine(picture, objective)
    step = 1e-3 * gradient / gradient.norm()
    rise = engine(picture + step, objective)[0] - engine(picture - step, objective)[0]
    assert float(rise) == pytest.approx(2e-3 * float(gradient.norm()), rel=0.02)


@pytest.mark.parametrize(
    ("weight", "stride", "padding", "dilation", "groups", "side"),
    [
        ((8, 8, 3, 3), 1, 1, 1, 1, (9, 8)),
        ((8, 4, 3, 3), 1, 2, 2, 2, (9, 8)),
        ((8, 1, 5, 5), 2, 2, 1, 8, (12, 9)),
        ((8, 1, 3, 3), 2, 0, 1, 8, (12, 9)),
        ((16, 8, 1, 1), 2, 0, 1, 1, (9, 8)),
        ((16, 3, 7, 7), 2, 3, 1, 1, (16, 19)),
        ((16, 3, 3, 3), 2, 0, 1, 1, (16, 19)),
        ((16, 3, 11, 11), 4, 2, 1, 1, (33, 30)),
        ((16, 3, 4, 4), 4, 0, 1, 1, (18, 17)),
        ((16, 16, 3, 3), 2, 1, 1, 1, (9, 8)),
        ((16, 16, 1, 1), 1, 1, 1, 1, (9, 8)),
    ],
)
def test_each_adjoint_is_the_transpose_of_its_convolution(
    weight: tuple[int, ...], stride: int, padding: int, dilation: int, groups: int, side: tuple[int, int]
) -> None:
    generator = torch.Generator().manual_seed(1)
    numbers = torch.randn(weight, generator=generator)
    geometry = Geometry((stride,) * 2, (padding,) * 2, (dilation,) * 2, groups)
    x = torch.randn(1, weight[1] * groups, *side, generator=generator).contiguous(memory_format=torch.channels_last)
    y = Convolution(numbers, None, geometry, tuple(x.shape))(x)
    assert torch.allclose(y, nn.functional.conv2d(x, numbers, None, stride, padding, dilation, groups), atol=1e-4)
    other = torch.randn(y.shape, generator=generator).contiguous(memory_format=torch.channels_last)
    back = adjoint(numbers, geometry, tuple(x.shape))(other)
    assert back.shape == x.shape
    assert float((y * other).sum()) == pytest.approx(float((x * back).sum()), rel=1e-3, abs=1e-2)


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_the_same_engine_gives_the_same_bits(choice: EngineChoice) -> None:
    objective = LayerL2("inception3b")
    first, second = (build_engine(_backbone("googlenet", "inception3b"), choice) for _ in range(2))
    a, b, c = first(_picture(), objective)[1], first(_picture(), objective)[1], second(_picture(), objective)[1]
    assert torch.equal(a, b) and torch.equal(a, c)


def _dream(choice: EngineChoice, seed: int) -> Tensor:
    # Large enough that chance evens out: single dreams of 128x160 differ by 7 % between equally good engines.
    size = Size(224, 320)
    keys = {"id": "dream", "octaves": 2, "first_steps": 10, "smoothing": 1.0}
    keys |= {"engine": choice.engine, "precision": choice.precision}
    spec = RunSpec(size, Fraction(24), 1, seed, CPU)
    stage = Dream(DreamConfig.model_validate(keys), spec)
    pins = stage.pinned()
    assert (pins["engine"], pins["precision"]) == (choice.engine, choice.precision)
    # Part of a photograph, another one for each seed: out of bare noise the way up is chance.
    top, left = 10 * seed, 30 * seed
    photograph = from_array(chelsea()[top : top + size.height, left : left + size.width])
    return stage(photograph, FrameContext(0, spec, None))


@lru_cache
def _reached(choice: EngineChoice, seed: int) -> float:
    objective = LayerL2("blocks.5.0")
    return float(objective(_backbone("lite0", "blocks.5.0")(_dream(choice, seed))))


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_every_engine_dreams_as_well_as_the_reference(choice: EngineChoice) -> None:
    truth = EngineChoice("reference", "float32")
    # A processor without bfloat16 computes it many times slower, to the same numbers.
    slow = choice.precision == "bfloat16" and torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "AVX2")
    assert median(_reached(choice, seed) / _reached(truth, seed) for seed in range(3 if slow else 5)) >= 0.97


def test_a_choice_reads_back() -> None:
    for choice in [*CHOICES, EngineChoice("reference", "float32"), EngineChoice("graph", "bfloat16")]:
        assert EngineChoice.parse(str(choice)) == choice
    with pytest.raises(ValueError, match="must be ENGINE/PRECISION"):
        EngineChoice.parse("packed/int4")


class _Odd(nn.Module):
    """Its pass reads a tensor that is no parameter, and depends on the numbers it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3)
        self.last = nn.Conv2d(4, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return self.last(x if x.mean() > 0 else -x)  # type: ignore[no-any-return]


def _odd_backbone() -> Backbone:
    torch.manual_seed(0)
    return Backbone(_Odd(), Recipe("odd", "", _Odd, dict), ["last"], CPU)


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_an_odd_network_falls_back_and_says_so(choice: EngineChoice, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "pipeline.engines"):
        engine = build_engine(_odd_backbone(), choice)
    assert engine.choice == EngineChoice("reference", "float32")
    assert len(caplog.records) == 1 and "odd: the" in caplog.text and "the reference does" in caplog.text
    score, gradient = engine(_picture(24, 24), LayerL2("last"))
    assert float(score) > 0 and float(gradient.abs().sum()) > 0


def test_the_packed_engine_does_without_private_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.engines.convolution.has_packed_convolution", lambda dtype: False)
    backbone, objective = _backbone("lite0", "blocks.2.0"), LayerL2("blocks.2.0")
    _, gradient = Reference(backbone)(_picture(), objective)
    assert _cosine(gradient, PackedEngine(backbone, "float32")(_picture(), objective)[1]) >= 0.9999


def test_missing_private_operators_are_noticed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.ops, "mkldnn", object())
    with caplog.at_level(logging.WARNING, "pipeline.engines"):
        assert not has_packed_convolution.__wrapped__(torch.float32)
    assert "no prepacked convolutions" in caplog.text


def test_the_probe_is_remembered_and_can_be_overruled(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, objective, size = _backbone("lite0", "blocks.2.0"), LayerL2("blocks.2.0"), Size(64, 64)
    choice = choose_engine(backbone, objective, size)
    assert choice in candidates(CPU, "auto", "auto")
    assert str(choice) in json.loads(cache_file().read_text()).values()
    monkeypatch.setattr("pipeline.engines.choose.fastest", lambda *_: pytest.fail("probed again"))
    assert choose_engine(backbone, objective, size) == choice
    assert choose_engine(backbone, objective, size, "packed", "float32") == EngineChoice("packed", "float32")
    assert choose_engine(backbone, objective, size, "reference") == EngineChoice("reference", "float32")


def test_of_two_probes_at_a_time_the_first_decides_for_both(monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, objective, size = _backbone("lite0", "blocks.2.0"), LayerL2("blocks.2.0"), Size(64, 64)
    ours, theirs = EngineChoice("packed", "float32"), EngineChoice("folded", "float32")

    def probe(*_: object) -> tuple[EngineChoice, bool]:
        """While we probe, another process comes to its own end."""
        monkeypatch.setattr("pipeline.engines.choose.fastest", lambda *_: (theirs, True))
        assert choose_engine(backbone, objective, size) == theirs
        return ours, True

    monkeypatch.setattr("pipeline.engines.choose.fastest", probe)
    assert choose_engine(backbone, objective, size) == theirs


@pytest.mark.parametrize(("supported", "precision"), [(True, "bfloat16"), (False, "float32")])
def test_on_cuda_nothing_is_probed(supported: bool, precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: supported)
    monkeypatch.setattr(choose, "fastest", lambda *_: pytest.fail("probed"))
    backbone = copy(_backbone("lite0", "blocks.2.0"))
    backbone.device = torch.device("cuda")
    assert str(choose_engine(backbone, LayerL2("blocks.2.0"), Size(64, 64))) == f"graph/{precision}"
    assert choose_engine(backbone, LayerL2("blocks.2.0"), Size(64, 64), "folded").engine == "folded"


def test_a_user_without_a_home_has_a_cache_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert cache_file().is_relative_to(tempfile.gettempdir())


def test_a_broken_cache_only_costs_a_probe() -> None:
    cache_file().parent.mkdir(parents=True)
    cache_file().write_text("{")
    backbone, objective = _backbone("lite0", "blocks.1.0"), LayerL2("blocks.1.0")
    assert choose_engine(backbone, objective, Size(64, 64), precision="float32").precision == "float32"


@pytest.mark.parametrize("smoothing", [0.0, 0.8])
def test_the_captured_step_is_the_climb(smoothing: float) -> None:
    """On the CPU the step runs uncaptured; its logic is the one that a CUDA graph replays."""
    backbone, objective = _backbone("lite0", "blocks.2.0"), LayerL2("blocks.2.0")
    how = Climb(3, 0.02, 12, smoothing_kernel(smoothing) if smoothing else None)
    expected = climb(FoldedEngine(backbone, "float32"), objective, _picture(), how, torch.Generator().manual_seed(5))
    graph = GraphEngine(backbone, "float32")
    for _ in range(2):
        found = graph.climb_whole(_picture(), objective, how, torch.Generator().manual_seed(5))
        assert torch.allclose(found, expected, atol=1e-5)


def test_captured_octaves_are_shifted_as_others_are() -> None:
    backbone, objective = _backbone("lite0", "blocks.2.0"), LayerL2("blocks.2.0")
    octaves = [(size, Climb(2, 0.02, 12, None)) for size in (Size(40, 40), Size(56, 56), Size(72, 72))]
    found = []
    for kind in (FoldedEngine, GraphEngine):
        tiled, generator = TiledEngine(kind(backbone, "float32"), backbone, 10**9), torch.Generator().manual_seed(3)
        found.append((climb_octaves(tiled, objective, _picture(), octaves, generator), generator.get_state()))
    (folded, state), (captured, other) = found
    assert folded is not None and captured is not None
    assert torch.allclose(captured, folded, atol=1e-5) and torch.equal(state, other)


def test_another_objective_s_step_is_captured_once_the_old_one_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both at a time would take twice the memory that a film may have."""
    graph, how = GraphEngine(_backbone("lite0", "blocks.2.0"), "float32"), Climb(1, 0.02, 4, None)
    steps: list[weakref.ref[AscentStep]] = []
    there: list[int] = []

    def prepare(self: AscentStep) -> None:
        gc.collect()
        there.append(sum(each() is not None for each in steps))
        steps.append(weakref.ref(self))

    monkeypatch.setattr(AscentStep, "prepare", prepare)
    for _ in range(2):
        objective = LayerL2("blocks.2.0")
        for _ in range(2):
            graph.climb_whole(_picture(), objective, how, torch.Generator().manual_seed(5))
    assert there == [0, 0]


def test_a_climb_leaves_its_picture_alone_and_raises_the_objective() -> None:
    engine, objective, picture = Reference(_backbone("lite0", "blocks.2.0")), LayerL2("blocks.2.0"), _picture()
    before = picture.clone()
    after = climb(engine, objective, picture, Climb(4, 0.02, 8, None), torch.Generator().manual_seed(0))
    assert torch.equal(picture, before) and float(after.min()) >= 0 and float(after.max()) <= 1
    assert engine(after, objective)[0] > 1.2 * engine(before, objective)[0]
    assert float((after - before).abs().mean()) < 4 * 0.02
