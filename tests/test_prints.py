"""Prints of classes: what they are of, the shapes they take, and that nothing but the seed decides."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import pytest
import torch
from torch import Tensor

from pipeline.dreamer import Dreamer, DreamerSpec
from pipeline.engines import Engine, EngineKey
from pipeline.frame import Size, size_of
from pipeline.objectives import ClassTerm, Objective
from pipeline.prints import Print, draw_print, seen_size

CPU = torch.device("cpu")
SIZE = Size(96, 96)
SHORT = replace(Print(), steps=4)
BANANA = 954


@lru_cache
def _banana(engine: EngineKey = "packed") -> Dreamer:
    terms = (ClassTerm.model_validate({"class": BANANA}),)
    spec = DreamerSpec("lite0", terms, engine=engine, precision="float32", memory=None)
    return Dreamer(spec, seen_size(SIZE), CPU)


def _drawn(how: Print = SHORT, size: Size = SIZE, seed: int = 0, engine: EngineKey = "packed") -> Tensor:
    return draw_print(_banana(engine), size, how, torch.Generator().manual_seed(seed))


def test_the_network_sees_what_was_asked_for() -> None:
    picture = _drawn(replace(Print(), steps=40))
    large = torch.nn.functional.interpolate(picture, (224, 224), mode="bicubic").clamp(0, 1)
    assert _banana().backbone(large)["classifier"][0].argmax() == BANANA


def test_the_same_seed_draws_the_same_picture() -> None:
    assert torch.equal(_drawn(), _drawn())
    assert not torch.equal(_drawn(), _drawn(seed=1))


@pytest.mark.parametrize("size", [Size(33, 47), Size(64, 300), Size(20, 400), Size(300, 310)])
def test_every_shape(size: Size) -> None:
    picture = _drawn(replace(SHORT, steps=2), size)
    assert picture.shape == (1, 3, *size) and picture.min() >= 0 and picture.max() <= 1


def test_the_engines_draw_alike() -> None:
    apart = _drawn(replace(SHORT, steps=2)) - _drawn(replace(SHORT, steps=2), engine="reference")
    assert apart.abs().mean() < 2e-3


def test_larger_pictures_take_more_steps() -> None:
    seen: list[int] = []
    draw_print(_banana(), Size(600, 600), SHORT, torch.Generator().manual_seed(0), seen.append)
    at_600 = len(seen)
    seen.clear()
    draw_print(_banana(), Size(256, 256), SHORT, torch.Generator().manual_seed(0), seen.append)
    assert at_600 == 5 and len(seen) == 4  # beyond 512 pixels there is finer detail to draw


class _Watching:
    """An engine that notes what it is shown."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.shown = engine, list[Size]()

    def __call__(self, image: Tensor, objective: Objective) -> tuple[Tensor, Tensor]:
        self.shown.append(size_of(image))
        return self.engine(image, objective)


def test_it_is_seen_small_first_and_by_many_views(monkeypatch: pytest.MonkeyPatch) -> None:
    dreamer = _banana("packed")
    watching = _Watching(dreamer.engine)
    monkeypatch.setattr(dreamer, "engine", watching)
    _drawn()
    sides = [size.height for size in watching.shown]
    assert sides == [112, 144, 112, 144, 144, 192, 144, 192, 176, 224, 176, 224, 192, 224]


def test_no_view_is_smaller_than_the_network_takes() -> None:
    spec = DreamerSpec("alexnet", (ClassTerm.model_validate({"class": 0}),), "random", engine="reference", memory=None)
    size = Size(32, 320)  # a tenth as high as wide: 112 pixels about the middle are 35 high, AlexNet takes 63
    dreamer = Dreamer(spec, seen_size(size), CPU)
    picture = draw_print(dreamer, size, replace(SHORT, steps=1), torch.Generator().manual_seed(0))
    assert picture.shape == (1, 3, *size)
