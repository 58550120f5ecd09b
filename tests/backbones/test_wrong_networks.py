"""Names of networks and files of weights can be wrong in many ways; each is a ModelError that says what to do."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from pipeline import backbones
from pipeline.backbones.recipes import Recipe
from pipeline.errors import ModelError, PresetError
from pipeline.preset import parse_preset
from tests.conftest import SMALL

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("timm:resnet50.foo", r"timm's resnet50 has no weights called 'foo' \(it has .*a1_in1k"),
        ("timm:resnet50.a1_in1", "did you mean 'a1_in1k'"),
        ("timm:resnet50.", "has no weights called ''"),
        ("timm:resnt50", "timm has no model 'resnt50'; did you mean 'resnet50'"),
        ("timm:test_byobnet.x.y", "has no weights called 'x.y'"),
        ("timm:", "timm has no model ''"),
        ("timm:hf-hub:some/one", "timm has no model"),
        ("resnet5", "did you mean 'resnet50'"),
        ("", "there is no model ''"),
    ],
)
def test_names(name: str, words: str) -> None:
    with pytest.raises(ModelError, match=words):
        backbones.find_recipe(name)
    if name:
        with pytest.raises(PresetError, match=r"p:13: stages\[2\]\.model: "):
            parse_preset(SMALL.replace("    octaves: 1", f"    model: '{name}'"), name="p")


FILES: dict[str, Any] = {
    "empty.pth": b"",
    "text.pth": b"not a network",
    "list.pth": pickle.dumps([1]),
    "code.pth": pickle.dumps(os.getcwd),
    "empty.safetensors": b"",
    "noise.safetensors": b"\xff" * 99,
    "weights.bin": b"",
}


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize(
    "name", [*FILES, "tensor.pth", "numbers.pth", "foreign.safetensors", "none.pth", "pipe.pth", "."]
)
def test_files_of_weights(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name in FILES:
        path.write_bytes(FILES[name])
    torch.save(torch.zeros(3), tmp_path / "tensor.pth")
    torch.save({0: torch.zeros(3), "x": 1}, tmp_path / "numbers.pth")
    save_file({"conv_stem.weight": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    os.mkfifo(tmp_path / "pipe.pth")
    with pytest.raises(ModelError) as caught:
        backbones.load("lite0", ["blocks.1.0"], CPU, str(path))
    said = str(caught.value)
    assert str(path) in said and "\n" not in said and "weights_only" not in said, said


class _Odd(nn.Module):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        raise self.error


@pytest.mark.parametrize("error", [TypeError("t"), KeyError("k"), IndexError(), NotImplementedError("n")])
def test_networks_that_fail(error: Exception) -> None:
    def fails() -> nn.Module:
        raise error

    for build in (fails, lambda: _Odd(error)):
        with pytest.raises(ModelError, match=r"odd (can't be built|does not take pictures)"):
            backbones.list_layers(Recipe("odd", "", build, dict))
