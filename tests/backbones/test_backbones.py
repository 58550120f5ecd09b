from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from pipeline import backbones
from pipeline.errors import ModelError
from pipeline.frame import Size
from pipeline.media.picture import fit_to, read_picture
from tests.conftest import photograph

CPU = torch.device("cpu")


def test_the_bundled_network_names_a_cat() -> None:
    from timm.data import ImageNetInfo

    network = backbones.load("lite0", ["classifier"], CPU)
    logits = network(fit_to(read_picture(photograph("chelsea.png")), Size(224, 224), "crop"))["classifier"]
    names = [ImageNetInfo().index_to_description(int(index)) for index in logits[0].topk(3).indices]
    assert all("cat" in name for name in names), names


def test_the_forward_stops_at_the_deepest_layer() -> None:
    network = backbones.load("lite0", ["blocks.2.0", "blocks.4.1"], CPU)
    ran: list[str] = []

    def noting(name: str) -> Any:
        return lambda *_: ran.append(name)

    for name, module in network.network.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(noting(name))
    for _ in range(3):
        ran.clear()
        found = network(torch.rand(1, 3, 64, 64))
        assert list(found) == ["blocks.2.0", "blocks.4.1"]
    convolutions = [name for name, module in network.network.named_modules() if isinstance(module, nn.Conv2d)]
    last = max(index for index, name in enumerate(convolutions) if name.startswith("blocks.4.1."))
    assert ran == convolutions[: last + 1]


def test_layers_tell_stride_and_channels() -> None:
    layers = {layer.name: layer for layer in backbones.list_layers(backbones.find_recipe("lite0"))}
    assert (layers["blocks.4.1"].channels, layers["blocks.4.1"].stride) == (112, 16)
    assert (layers["blocks.5.0"].channels, layers["blocks.5.0"].stride) == (192, 32)
    output = backbones.load("lite0", ["blocks.5.0"], CPU)(torch.rand(1, 3, 64, 96))["blocks.5.0"]
    assert output.shape == (1, 192, 2, 3)


def test_wrong_names_are_refused_with_the_nearest() -> None:
    with pytest.raises(ModelError, match="did you mean 'lite0'"):
        backbones.find_recipe("lite00")
    with pytest.raises(ModelError, match=r"blocks\.5\.1"):
        backbones.load("lite0", ["block.5.1"], CPU)
