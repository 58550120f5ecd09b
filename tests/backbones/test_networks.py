"""Networks: names, weights, layers, and a pass that ends where it should."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from pipeline import backbones
from pipeline.backbones import find_layer, find_recipe, list_layers
from pipeline.backbones.recipes import MODELS, Recipe
from pipeline.backbones.tape import Tracer, UnsupportedNetwork
from pipeline.backbones.weights import random_weights, read_weights
from pipeline.errors import ModelError
from pipeline.frame import Size
from pipeline.stages import FrameContext, RunSpec
from pipeline.stages.dream import Dream, DreamConfig

CPU = torch.device("cpu")


def _lite0_file(path: Path) -> Path:
    save_file({name: tensor.contiguous() for name, tensor in MODELS["lite0"].weights().items()}, path)
    return path


@pytest.mark.parametrize("model", MODELS)
def test_every_model_describes_its_layers(model: str) -> None:
    layers = list_layers(find_recipe(model))
    assert len(layers) > 10
    for layer in layers:
        assert layer.smallest_side >= layer.stride >= 1
        assert layer.receptive_field is None or layer.receptive_field >= 1


@pytest.mark.parametrize(
    ("model", "layer", "field", "stride"),
    # Araujo et al. 2019, "Computing receptive fields", for the ones it lists.
    [("vgg16", "features.30", 212, 32), ("alexnet", "features.12", 195, 32), ("vgg16", "features.3", 5, 1)],
)
def test_receptive_fields_are_the_published_ones(model: str, layer: str, field: int, stride: int) -> None:
    info = find_layer(find_recipe(model), layer)
    assert (info.receptive_field, info.stride) == (field, stride)


@pytest.mark.parametrize(("model", "layer"), [("inception_v3", "Mixed_5d"), ("alexnet", "features.12")])
def test_the_smallest_side_is_the_smallest_that_runs(model: str, layer: str) -> None:
    info = find_layer(find_recipe(model), layer)
    backbone = backbones.load(model, [layer], CPU, "random")
    side = info.smallest_side
    assert min(backbone(torch.rand(1, 3, side, side))[layer].shape[2:]) >= 1
    if side > info.stride:
        with pytest.raises(RuntimeError):
            backbone(torch.rand(1, 3, side - 1, side - 1))


def test_the_pass_stops_at_the_deepest_layer() -> None:
    backbone = backbones.load("lite0", ["blocks.1.0", "blocks.2.0"], CPU)
    ran: list[str] = []
    for name, module in backbone.network.named_modules():
        module.register_forward_pre_hook(lambda _module, _inputs, name=name: ran.append(name))
    found = backbone(torch.rand(1, 3, 64, 64))
    assert list(found) == ["blocks.1.0", "blocks.2.0"]
    assert "blocks.2.0" in ran and "blocks.2.1" not in ran and "conv_head" not in ran


def test_parameters_beyond_the_deepest_layer_take_no_memory() -> None:
    backbone = backbones.load("vgg16", ["features.3"], CPU, "random")
    held = sum(p.numel() for p in backbone.network.parameters() if not p.is_meta)
    assert held == 64 * 3 * 9 + 64 + 64 * 64 * 9 + 64


def test_an_activation_that_is_written_to_later_stays_as_it_was() -> None:
    both = backbones.load("resnet50", ["layer1.0.bn3", "layer1.0"], CPU, "random")
    alone = backbones.load("resnet50", ["layer1.0.bn3"], CPU, "random")
    frame = torch.rand(1, 3, 32, 32)
    assert torch.equal(both(frame)["layer1.0.bn3"], alone(frame)["layer1.0.bn3"])


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_come_from_a_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"mine{suffix}"
    if suffix == ".pth":
        torch.save({"state_dict": {f"module.{k}": v for k, v in MODELS["lite0"].weights().items()}}, path)
    else:
        _lite0_file(path)
    frame = torch.rand(1, 3, 64, 64)
    mine = backbones.load("lite0", ["blocks.2.0"], CPU, str(path))
    assert torch.equal(mine(frame)["blocks.2.0"], backbones.load("lite0", ["blocks.2.0"], CPU)(frame)["blocks.2.0"])


def test_random_weights_are_the_same_every_time() -> None:
    frame = torch.rand(1, 3, 48, 48)
    first, second = (backbones.load("googlenet", ["inception3a"], CPU, "random")(frame) for _ in range(2))
    assert torch.equal(first["inception3a"], second["inception3a"])


def test_missing_broken_and_foreign_weights_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no weights file"):
        read_weights(tmp_path / "nothing.safetensors")
    with pytest.raises(ModelError, match=r"must be a \.safetensors"):
        read_weights(tmp_path / "weights.h5")
    for name in ("broken.safetensors", "broken.pth"):
        (tmp_path / name).write_bytes(b"not weights")
        with pytest.raises(ModelError, match="can't be read"):
            read_weights(tmp_path / name)
    with pytest.raises(ModelError, match=r"does not fit googlenet: .* are missing, the first is conv1"):
        backbones.load("googlenet", ["inception3a"], CPU, str(_lite0_file(tmp_path / "lite0.safetensors")))


def test_weights_of_other_shapes_are_refused(tmp_path: Path) -> None:
    wrong = {name: torch.zeros(2) for name in MODELS["lite0"].weights()}
    save_file(wrong, tmp_path / "wrong.safetensors")
    with pytest.raises(ModelError, match=r"conv_stem.weight is \(2,\), must be \(32, 3, 3, 3\)"):
        backbones.load("lite0", ["blocks.1.0"], CPU, str(tmp_path / "wrong.safetensors"))


def test_a_failed_download_names_the_way_without_one() -> None:
    def unreachable() -> dict[str, torch.Tensor]:
        raise OSError("no network")

    recipe = Recipe("far", "", MODELS["vgg16"].build, unreachable)
    with pytest.raises(ModelError, match=r"OSError: no network.*`weights: PATH`"):
        backbones.weights.weights_for(recipe, {})


def test_unknown_models_and_layers_name_the_nearest() -> None:
    with pytest.raises(ModelError, match="did you mean 'googlenet'"):
        find_recipe("googlnet")
    with pytest.raises(ModelError, match="did you mean 'resnet18'"):
        find_recipe("timm:resnet_18")
    with pytest.raises(ModelError, match="near: inception4c"):
        find_layer(find_recipe("googlenet"), "inception4cc")


def test_timm_models_bring_their_own_colours() -> None:
    recipe = find_recipe("timm:tf_efficientnet_lite1")
    assert recipe.mean == (0.5, 0.5, 0.5)
    assert find_layer(recipe, "blocks.5.0").stride == 32


def test_a_network_of_one_picture_size_is_refused() -> None:
    with pytest.raises(ModelError, match="does not take pictures of any size"):
        list_layers(find_recipe("timm:swin_tiny_patch4_window7_224"))


def test_recording_computes_nothing_and_ends_at_the_layer() -> None:
    backbone = backbones.load("lite0", ["blocks.1.0"], CPU)
    tape = backbone.record(Size(4096, 4096))
    assert tape.shapes[tape.targets["blocks.1.0"]] == (1, 24, 1024, 1024)
    assert all(name.startswith(("conv_stem", "bn1", "blocks.0.0", "blocks.1.0")) for name in tape.constants)


def test_writing_into_a_viewed_tensor_is_not_recorded() -> None:
    class Odd(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            row = x[:, :, :1]
            x.add_(1)
            return x + row

    image = torch.empty(1, 3, 8, 8, device="meta")
    with torch.no_grad(), pytest.raises(UnsupportedNetwork), Tracer({}, image):
        Odd()(image)


def test_random_weights_have_the_shapes_asked_for() -> None:
    shapes = {"a.weight": torch.empty(4, 3, 1, 1, device="meta"), "count": torch.empty((), dtype=torch.long)}
    found = random_weights(MODELS["lite0"], shapes)
    assert found["a.weight"].shape == (4, 3, 1, 1) and found["count"].dtype == torch.long


@pytest.mark.parametrize(
    "model",
    [
        *("googlenet", "vgg16", "inception_v3", "resnet50"),
        *("timm:mobilenetv3_small_050", "timm:regnetx_002", "timm:convnext_atto", "timm:efficientnet_b0"),
        "timm:repvgg_a0",
    ],
)
def test_networks_run_end_to_end_from_a_file_and_stop_where_they_should(model: str, tmp_path: Path) -> None:
    recipe = backbones.find_recipe(model)
    blocks = backbones.list_blocks(recipe)
    layer = blocks[len(blocks) // 2]
    assert layer.channels > 0 and layer.stride > 0 and layer.smallest_side > 0
    random = backbones.load(model, [layer.name], CPU, "random")
    held = {name: value for name, value in random.network.state_dict().items() if not value.is_meta}
    save_file({name: value.clone() for name, value in held.items()}, tmp_path / "weights.safetensors")

    size = Size(96, 96)
    spec = RunSpec(size, Fraction(12), 1, 1, CPU)
    keys = {"id": "dream", "model": model, "layer": layer.name, "octaves": 1, "first_steps": 1, "engine": "folded"}
    config = DreamConfig.model_validate(keys | {"weights": str(tmp_path / "weights.safetensors")})
    assert not list(config.problems(spec))
    stage = Dream(config, spec)
    assert stage.dreamer.backbone.digest() == random.digest()
    frame = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    assert float((stage(frame, FrameContext(0, spec, None)) - frame).abs().mean()) > 0.01

    ran: list[str] = []
    for name, module in random.network.named_modules():
        if not list(module.children()):
            module.register_forward_hook(lambda *_, name=name: ran.append(name))
    random(frame)
    order = [each.name for each in backbones.list_layers(recipe)]
    after = set(order[order.index(layer.name) + 1 :])
    assert ran and not after.intersection(ran), "modules behind the layer ran"
