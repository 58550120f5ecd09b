"""What dreams climb towards: gradients, rises on photographs, sums, and words for what is not there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from pydantic import TypeAdapter
from torch import Tensor

from pipeline import backbones
from pipeline.backbones import Backbone
from pipeline.chain import Chain
from pipeline.engines import Climb, EngineChoice, TiledEngine, build_engine, climb
from pipeline.engines.reference import Reference
from pipeline.errors import DeviceError, PresetError
from pipeline.frame import Size
from pipeline.media.picture import fit_to, read_picture
from pipeline.objectives import ClassTerm, ObjectiveField, WeightedSum, build_objective, scores
from pipeline.preset import load_preset, parse_preset
from pipeline.stages import Dream, DreamConfig, FrameContext, RunSpec
from tests.clips import counter
from tests.conftest import photograph

CPU = torch.device("cpu")
LAYER = "blocks.4.1"  # 112 channels
GUIDE = "package:skimage/data/coffee.png"
TERMS: dict[str, dict[str, Any]] = {
    "l2": {"layer": LAYER},
    "mean": {"layer": LAYER, "score": "mean"},
    "cosine": {"layer": LAYER, "score": "cosine"},
    "channel": {"layer": LAYER, "channel": 7},
    "channels": {"layer": LAYER, "channel": [7, 50]},
    "strongest": {"layer": LAYER, "channel": "strongest", "count": 3},
    "weakest": {"layer": LAYER, "channel": "weakest", "count": 2},
    "neuron": {"layer": LAYER, "neuron": 7, "at": [0.25, 0.75]},
    "class": {"class": "banana"},
    "guide": {"layer": LAYER, "guide": GUIDE},
    "direction": {"layer": LAYER, "direction": "random", "seed": 4},
    "wander": {"layer": LAYER, "wander": 3, "seed": 2},
    "vector": {"layer": LAYER, "direction": [1.0] * 56 + [-1.0] * 56},
}


@lru_cache
def _backbone(*layers: str) -> Backbone:
    return backbones.load("lite0", layers, CPU)


def _objective(*terms: dict[str, Any]) -> tuple[WeightedSum, Backbone]:
    parsed = TypeAdapter(ObjectiveField).validate_python(list(terms))
    recipe = backbones.find_recipe("lite0")
    assert not [problem for term in parsed for problem in term.problems(recipe)]
    backbone = _backbone(*(term.place(recipe) for term in parsed))
    return build_objective(parsed, backbone), backbone


@lru_cache
def _photograph() -> Tensor:
    return fit_to(read_picture(photograph("chelsea.png")), Size(96, 128), "crop")


@pytest.mark.parametrize("name", TERMS)
def test_every_objective_rises_on_a_photograph(name: str) -> None:
    objective, backbone = _objective(TERMS[name])
    if objective.is_open:
        objective.meet(backbone(_photograph()))
    engine = Reference(backbone)
    heights = []
    picture = _photograph()
    for _ in range(4):
        heights.append(float(engine(picture, objective)[0]))
        picture = climb(engine, objective, picture, Climb(1, 0.001, 0, None), torch.Generator())
    assert heights == sorted(heights) and heights[-1] > heights[0], heights


@pytest.mark.parametrize(
    "score",
    [
        scores.LayerL2("a"),
        scores.LayerMean("a"),
        scores.LayerCosine("a"),
        scores.Channels("a", (1, 3)),
        scores.Neuron("a", 2, (0.9, 0.1)),
        scores.Guide("a", F.normalize(torch.randn(5, 7, generator=torch.Generator().manual_seed(1)), dim=0)),
        scores.Direction("a", F.normalize(torch.arange(5.0), dim=0)),
    ],
    ids=lambda score: type(score).__name__,
)
def test_gradients_are_the_difference_quotients(score: Callable[[Mapping[str, Tensor]], Tensor]) -> None:
    """In float64, with respect to the activations; the network's own gradient is tested with the engines."""
    activation = torch.randn(1, 5, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradcheck(lambda a: score({"a": a}), activation.requires_grad_())


def test_the_gradient_of_a_class_through_the_whole_network() -> None:
    """Float64 all the way: the network, the logit, and a sum with a layer."""
    objective, _ = _objective({"class": "banana"}, {"layer": LAYER, "channel": 3, "weight": -0.5})
    picture = _photograph().double()
    layers = {name: None for name in objective.layers}
    double = backbones.load("lite0", list(layers), CPU)
    double.network.double()
    double.mean, double.std = double.mean.double(), double.std.double()
    _, gradient = Reference(double)(picture, objective)
    # ReLU6 has corners: a step so small that none is crossed.
    step = 1e-7 * gradient / gradient.norm()
    with torch.no_grad():
        rise = objective(double(picture + step)) - objective(double(picture - step))
    assert float(rise) == pytest.approx(2e-7 * float(gradient.norm()), rel=1e-4)


@pytest.mark.parametrize("engine", ["folded", "packed"])
def test_class_logits_come_through_every_engine(engine: Any) -> None:
    objective, backbone = _objective({"class": "tabby"}, {"layer": "blocks.2.1", "weight": 0.1})
    score, gradient = Reference(backbone)(_photograph(), objective)
    built = build_engine(backbone, EngineChoice(engine, "float32"))
    assert built.choice.engine == engine
    found_score, found = built(_photograph(), objective)
    assert torch.allclose(score, found_score, rtol=1e-3)
    assert float(F.cosine_similarity(gradient.flatten(), found.flatten(), 0)) > 0.9999


@pytest.mark.parametrize(
    "model", ["googlenet", "vgg16", "inception_v3", "resnet50", "timm:convnext_atto", "timm:mobilenetv3_small_050"]
)
def test_other_networks_have_classes_too(model: str) -> None:
    term = ClassTerm.model_validate({"class": "banana"})
    backbone = backbones.load(model, [term.place(backbones.find_recipe(model))], CPU, "random")
    objective = build_objective([term], backbone)
    picture = fit_to(_photograph(), Size(96, 96), "crop")
    score, gradient = Reference(backbone)(picture, objective)
    _, found = build_engine(backbone, EngineChoice("packed", "float32"))(picture, objective)
    assert score.isfinite() and float(gradient.abs().max()) > 0
    assert float(F.cosine_similarity(gradient.flatten(), found.flatten(), 0)) > 0.999


def test_what_sees_the_whole_is_not_tiled() -> None:
    _, backbone = _objective({"class": "banana"})
    engine = TiledEngine(Reference(backbone), backbone, None)
    assert engine.tile_for(Size(8000, 8000)) is None
    with pytest.raises(DeviceError, match="need the whole picture at once"):
        engine.shrink(Size(8000, 8000), None, torch.OutOfMemoryError("full"))
    assert _dream(objective={"class": "banana"}).dreamer.engine.budget is None
    assert _dream(objective={"layer": LAYER}, memory="4GB").dreamer.engine.budget == 4 * 10**9


def test_sums_weights_and_signs() -> None:
    one, two = TERMS["channel"], TERMS["class"]
    both, backbone = _objective(one | {"weight": 2.0}, two | {"weight": -0.5})
    activations = backbone(_photograph())
    alone = [float(_objective(term)[0](activations)) for term in (one, two)]
    assert float(both(activations)) == pytest.approx(2 * alone[0] - 0.5 * alone[1], rel=1e-5)
    assert both.layers == (LAYER, "classifier") and both.sees_whole
    avoided, backbone = _objective(one | {"weight": -1.0})
    before = backbone(_photograph())[LAYER][0, 7].mean()
    picture = climb(Reference(backbone), avoided, _photograph(), Climb(3, 0.005, 0, None), torch.Generator())
    assert backbone(picture)[LAYER][0, 7].mean() < before


def test_several_layers_share_one_pass() -> None:
    objective, backbone = _objective({"layer": "blocks.2.1"}, {"layer": LAYER}, {"class": 954})
    passes: list[int] = []
    handle = backbone.network.get_submodule("conv_stem").register_forward_hook(lambda *_: passes.append(1))
    Reference(backbone)(_photograph(), objective)
    handle.remove()
    assert len(passes) == 1


def test_a_guided_dream_moves_towards_the_guide() -> None:
    objective, backbone = _objective(TERMS["guide"])
    guide = objective.objectives[0]
    assert isinstance(guide, scores.Guide)

    def likeness(picture: Tensor) -> float:
        places = F.normalize(backbone(picture)[LAYER][0].flatten(1), dim=0)
        return float((guide.features.T @ places).amax(0).mean())

    dreamt = climb(Reference(backbone), objective, _photograph(), Climb(8, 0.01, 8, None), torch.Generator())
    with torch.no_grad():
        assert likeness(dreamt) > likeness(_photograph()) + 0.05


def _dream(**keys: Any) -> Dream:
    spec = RunSpec(Size(64, 80), Fraction(12), 9, 1, CPU)
    config = DreamConfig.model_validate({"id": "dream", "octaves": 1, "first_steps": 1, "steps": 1} | keys)
    assert not list(config.problems(spec))
    return Dream(config, spec)


def test_a_layer_is_short_for_an_objective() -> None:
    frame = fit_to(_photograph(), Size(64, 80), "crop")
    short, long = _dream(layer=LAYER), _dream(objective={"layer": LAYER})
    ctx = FrameContext(0, short.spec, None)
    assert torch.equal(short(frame, ctx), long(frame, ctx))


def test_what_was_chosen_in_the_seed_survives_a_resume() -> None:
    frame = fit_to(_photograph(), Size(64, 80), "crop")
    first = _dream(objective=TERMS["strongest"])
    first(frame, FrameContext(0, first.spec, None))
    chosen = first.state_dict()["term-0.channels"]
    expected = first.dreamer.backbone(frame)[LAYER].flatten(2).mean(2)[0].topk(3).indices.sort().values
    assert torch.equal(chosen, expected)
    resumed = _dream(objective=TERMS["strongest"])
    resumed.load_state_dict(first.state_dict())
    later = FrameContext(3, first.spec, frame)
    noise = torch.rand(frame.shape, generator=torch.Generator().manual_seed(0))
    assert torch.equal(first(noise, later), resumed(noise, later))
    assert torch.equal(resumed.state_dict()["term-0.channels"], chosen)


def test_a_film_resumed_in_the_middle_goes_on_alike(write_preset: Callable[[str], Path], tmp_path: Path) -> None:
    counter(tmp_path / "mask.mp4", 6, "12")
    terms = f"[{TERMS['strongest']}, {TERMS['class'] | {'weight': -0.1}}]".replace("'", "")
    dream = f"  - {{stage: dream, octaves: 1, objective: {terms}, mask: {{film: mask.mp4, invert: true}}}}\n"
    top = "size: 64x48\nfps: 12\nduration: 4f\ndevice: cpu\nstages:\n  - stage: noise\n"
    preset = load_preset(write_preset(top + dream))

    def films(chain: Chain, indices: range, previous: Tensor | None) -> Tensor:
        for index in indices:
            previous = chain.step(index, previous).image
        assert previous is not None
        return previous

    with Chain(preset) as whole, Chain(preset) as stopped, Chain(preset) as resumed:
        middle = films(stopped, range(2), None)
        resumed.load_state_dict(stopped.state_dict())
        assert torch.equal(films(whole, range(4), None), films(resumed, range(2, 4), middle))


def test_objectives_are_written_out_and_read_back(write_preset: Callable[[str], Path]) -> None:
    listed = "".join(f"      - {term}\n" for term in TERMS.values()).replace("'", "")
    preset = load_preset(write_preset(f"stages:\n  - stage: noise\n  - stage: dream\n    objective:\n{listed}"))
    again = parse_preset(preset.to_yaml().encode())
    assert again.stages == preset.stages
    assert "class: banana" in preset.to_yaml() and "layer: null" not in preset.to_yaml()


@pytest.mark.parametrize(
    ("objective", "words"),
    [
        ("{class: bananna}", r"objective\[0\]\.class: is 'bananna'.*near: banana"),
        ("{class: crane}", r"134 \(crane\) or 517 \(crane\)"),
        ("{class: 1000}", r"is 1000, and lite0 has 1000 classes; use 0 to 999"),
        ("{layer: blocks.4.1, channel: 112}", r"objective\[0\]\.channel: is 112.*0 to 111; the nearest is 111"),
        ("{layer: blocks.4.1, channel: [3, 200]}", r"is 200.*the nearest is 111"),
        ("{layer: blocks.4.1, channel: strongest, count: 300}", r"count: asks for number 299"),
        ("{layer: blocks.4.1, channel: strong}", r"channel"),
        ("{layer: blocks.4.1, neuron: 3, at: [0.5, 1.5]}", r"at: is \[0.5, 1.5\], outside.*nearest is \[0.5, 1.0\]"),
        ("{layer: block.4.1, channel: 3}", r"no layer 'block.4.1'; near: blocks.4.1"),
        ("{layer: blocks.4.1, direction: [1, 2]}", r"has 2 numbers; blocks.4.1 has 112 channels"),
        ("{layer: blocks.4.1, guide: nowhere.png}", r"guide: can't read the picture .*nowhere.png"),
        ("{layr: blocks.4.1}", r"says no objective; did you mean 'layer'"),
        ("{class: banana, neuron: 3}", r"names both neuron and class"),
        ("[{class: banana, wieght: 2}]", r"objective\[0\].wieght: unknown key 'wieght'; did you mean 'weight'"),
        ("{class: banana, weight: lots}", r"objective\[0\].weight: is 'lots': 'lots' is unknown"),
        ("null\n    layer: null", r"has neither `layer` nor `objective`"),
        ("[]", r"is empty; name at least one"),
        ("{class: banana}\n    layer: blocks.4.1", r"stages\[1\]: names both `layer` and `objective`"),
    ],
)
def test_what_is_not_there_is_named_with_the_nearest(objective: str, words: str) -> None:
    text = f"stages:\n  - stage: noise\n  - stage: dream\n    objective: {objective}\n"
    with pytest.raises(PresetError) as caught:
        parse_preset(text.encode(), name="p.yaml")
    assert re.search(words, str(caught.value)), str(caught.value)
    assert "p.yaml:" in str(caught.value)
