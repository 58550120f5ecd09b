"""Checkpoints as training scripts write them: wrapped, their names prefixed, and with more in them than the network."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipeline import backbones
from pipeline.device import open_device
from pipeline.errors import ModelError

CPU = open_device("cpu")
LAYER = "blocks.1.0"


def numbers() -> dict[str, torch.Tensor]:
    return backbones.find_recipe("lite0").weights()


def named(prefix: str) -> dict[str, torch.Tensor]:
    return {f"{prefix}{name}": value for name, value in numbers().items()}


EXTRA = {"normalizer.new_mean": torch.zeros(3), "epoch_weight": torch.zeros(1)}
CHECKPOINTS = {
    "data parallel": {"state_dict": named("module."), "epoch": 3},
    "compiled": named("_orig_mod."),
    "lightning": {"state_dict": named("model."), "optimizer": {"lr": 1.0}},
    "robustness": {"model": {**named("module.model."), **named("module.attacker.model."), **EXTRA}},
    "a student's teacher": {"teacher": named("backbone."), "student": named("backbone.")},
}


@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_what_a_script_put_before_the_names_is_taken_away(kind: str, tmp_path: Path) -> None:
    torch.save(CHECKPOINTS[kind], tmp_path / "net.pth")
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    found, own = (backbones.load("lite0", [LAYER], CPU, weights) for weights in (str(tmp_path / "net.pth"), "auto"))
    assert torch.equal(found(picture)[LAYER], own(picture)[LAYER])


def test_a_prefix_does_not_make_another_network_fit(tmp_path: Path) -> None:
    torch.save(
        {name: value for name, value in named("module.").items() if "blocks.0" not in name}, tmp_path / "net.pth"
    )
    with pytest.raises(ModelError, match=r"does not fit lite0: .* tensors are missing"):
        backbones.load("lite0", [LAYER], CPU, str(tmp_path / "net.pth"))
