"""Networks from ONNX files dream as the networks that they were made from, and the others are refused with a reason."""

from __future__ import annotations

import warnings
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from pipeline import backbones
from pipeline.device import open_device
from pipeline.dreamer import Dreamer, DreamerSpec
from pipeline.errors import ModelError, PresetError
from pipeline.frame import Size, from_array
from pipeline.objectives import LayerTerm
from pipeline.preset import Override, load_preset, parse_preset
from tests.processes import finished

onnx = pytest.importorskip("onnx")
CPU = open_device("cpu")
WIDE = Size(64, 96)


class Skips(nn.Module):
    """Takes whole multiples of 8 only: it adds what it enlarged to what is as large."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, 2, 1)
        self.deep = nn.Sequential(nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1))

    def forward(self, picture: Tensor) -> Tensor:
        here = self.down(picture)
        up: Tensor = nn.functional.interpolate(self.deep(here), scale_factor=4.0, mode="nearest")
        return here + up


def exported(network: nn.Module, path: Path, side: int = 64) -> Path:
    axes = {"picture": {2: "height", 3: "width"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(),
            (torch.zeros(1, 3, side, side),),
            str(path),
            dynamo=False,
            opset_version=13,
            input_names=["picture"],
            dynamic_axes=axes,
        )
    return path


def plain() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 1, 1), nn.ReLU())


def gradient(model: str, layer: str, engine: str, size: Size = WIDE) -> Tensor:
    spec = DreamerSpec(model, (LayerTerm.model_validate({"layer": layer}),), engine=engine, precision="float32")  # type: ignore[arg-type]
    dreamer = Dreamer(spec, size, CPU)
    picture = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(1))
    found: Tensor = dreamer.engine(picture, dreamer.objective)[1]
    return found


@pytest.mark.parametrize("engine", ["reference", "packed"])
def test_an_exported_network_dreams_as_the_original(engine: str, tmp_path: Path) -> None:
    network = plain()
    path = exported(network, tmp_path / "net.onnx")
    layers = backbones.list_layers(backbones.find_recipe(f"onnx-unit:{path}"))
    assert [(layer.kind, layer.channels, layer.stride) for layer in layers] == [
        ("Conv2d", 8, 2),
        ("ReLU", 8, 2),
        ("Conv2d", 16, 2),
        ("ReLU", 16, 2),
    ]
    picture = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1)).requires_grad_()
    network(picture).square().mean().backward()
    found = gradient(f"onnx-unit:{path}", layers[-1].name, engine)
    assert picture.grad is not None
    assert torch.nn.functional.cosine_similarity(found.flatten(), picture.grad.flatten(), 0) > 0.9999


def test_the_input_that_a_network_was_trained_on_is_said_before_its_path(tmp_path: Path) -> None:
    path = exported(plain(), tmp_path / "net.onnx")
    for prefix, (mean, std) in backbones.ONNX_INPUTS.items():
        recipe = backbones.find_recipe(f"{prefix}{path}")
        assert (recipe.mean, recipe.std) == (mean, std)
    assert backbones.ONNX_INPUTS["onnx-bytes:"][1] == pytest.approx((1 / 255,) * 3)


def test_pictures_of_any_size_fit(tmp_path: Path) -> None:
    path = exported(Skips(), tmp_path / "skips.onnx")
    layer = backbones.list_layers(backbones.find_recipe(f"onnx:{path}"))[-1].name
    found = gradient(f"onnx:{path}", layer, "reference", Size(50, 71))
    assert found.shape == (1, 3, 50, 71) and found[..., -1].abs().max() > 0 and bool(found.isfinite().all())


def test_the_text_detector_sees_its_lines() -> None:
    pytest.importorskip("rapidocr_onnxruntime")
    preset = load_preset("script", {"size": "96x64", "dream.octaves": 1, "duration": "1f"})
    assert "script" in preset.name and "dream.model" in preset.inputs()
    model = str(preset.inputs()["dream.model"].text)
    network = backbones.load(model, ["p2o/Sigmoid/0"], CPU)
    page = np.full((96, 320, 3), 255, np.uint8)
    cv2.putText(page, "dreamreel", (30, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.4, (0, 0, 0), 3)
    found = network(from_array(page))["p2o/Sigmoid/0"][0, 0]
    assert found[40:56, 60:200].mean() > 0.5 > 0.05 > found[:12].mean()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_bytes(b"no network"), "is no ONNX file, or damaged|takes nothing"),
        (lambda path: None, "can't be read: No such file"),
        (lambda path: exported(nn.Flatten(), path), "has no convolutions"),
        (lambda path: _save(path, "Conv", 1), "takes 1x1x8x8, must take one picture of 1x3xHEIGHTxWIDTH"),
        (lambda path: _save(path, "Unheard", 3), "uses an operator that can't be dreamt with yet.*Unheard"),
    ],
)
def test_other_files_are_refused_with_a_reason(make: object, said: str, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    make(path)  # type: ignore[operator]
    with pytest.raises(ModelError, match=said):
        backbones.find_recipe(f"onnx:{path}")
    done = finished("layers", f"onnx:{path}")
    assert done.returncode == 1 and "Traceback" not in done.stderr and "net.onnx" in done.stderr


def _save(path: Path, kind: str, channels: int) -> None:
    """A graph of one convolution, and one operator of a kind behind it."""
    helper, numbers = onnx.helper, onnx.numpy_helper
    weight = numbers.from_array(np.zeros((4, channels, 1, 1), np.float32), "w")
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"])]
    nodes += [] if kind == "Conv" else [helper.make_node(kind, ["c"], ["y"])]
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("x", [1, channels, 8, 8]), ("c" if kind == "Conv" else "y", None))
    ]
    graph = helper.make_graph(nodes, "net", ends[:1], ends[1:], [weight])
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]).SerializeToString())


def test_a_preset_knows_its_network_again_and_may_be_told_where_it_went(tmp_path: Path) -> None:
    path = exported(plain(), tmp_path / "net.onnx")
    layer = backbones.list_layers(backbones.find_recipe(f"onnx:{path}"))[-1].name
    text = "size: 64x48\nstages:\n  - stage: noise\n"
    text += f"  - {{stage: dream, model: 'onnx:net.onnx', layer: {layer}, octaves: 1}}"
    (tmp_path / "p.yaml").write_text(text)
    preset = load_preset(tmp_path / "p.yaml")
    assert preset.inputs()["dream.model"].path == path and f"onnx:{path}" in preset.to_yaml()
    (tmp_path / "moved").mkdir()
    moved = path.rename(tmp_path / "moved/net.onnx")
    assert f"onnx:{moved}" in str(preset.with_inputs({"dream.model": str(moved)}))
    again = load_preset(tmp_path / "p.yaml", [Override("dream.model", f"onnx:{moved}")])
    assert again.inputs()["dream.model"].path == moved
    with pytest.raises(PresetError, match=r"stages\[1\]\.model: .*net\.onnx can't be read"):
        parse_preset(text, folder=tmp_path)
