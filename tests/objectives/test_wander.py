"""Wandering: what is drawn when, that it rests, keeps its pace and its place, and says what it can't do."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from pipeline import backbones
from pipeline.backbones import Backbone
from pipeline.engines import EngineChoice, TiledEngine, build_engine
from pipeline.errors import PresetError
from pipeline.frame import Size
from pipeline.media.picture import fit_to, read_picture
from pipeline.objectives import WanderTerm, WeightedSum, build_objective
from pipeline.objectives.classes import class_names
from pipeline.preset import parse_preset
from tests.backbones.test_onnx import exported
from tests.conftest import photograph

LAYER = "blocks.4.1"
KEYS = {"layer": LAYER, "wander": 3, "life": "9s", "rest": "60s"}


@lru_cache
def _backbone() -> Backbone:
    return backbones.load("lite0", [LAYER], torch.device("cpu"))


def _wander(**keys: object) -> WeightedSum:
    return build_objective([WanderTerm.model_validate(KEYS | keys)], _backbone())


@lru_cache
def _activations(name: str) -> dict[str, Tensor]:
    return _backbone()(fit_to(read_picture(photograph(name)), Size(96, 128), "crop"))


def _travel(objective: WeightedSum, fps: int, first: int, last: int, name: str = "chelsea.png") -> list[set[int]]:
    """The channels shown in each whole second."""
    shown = []
    for frame in range(first * fps, last * fps):
        objective.at(frame / fps)
        objective.meet(_activations(name))
        if frame % fps == 0:
            shown.append(set(objective.state_dict()["term-0.channels"].tolist()))
    return shown


def test_one_motif_gives_way_at_a_time() -> None:
    shown = _travel(_wander(), 4, 0, 60)
    assert all(len(now) == 3 for now in shown)
    changes = [len(after - before) for before, after in pairwise(shown)]
    assert max(changes) == 1 and sum(changes) == 20  # every three seconds another
    assert len(set().union(*shown)) == 23  # none came again in a minute


def test_the_pace_is_the_same_at_every_frame_rate() -> None:
    assert _travel(_wander(), 6, 0, 30) == _travel(_wander(), 15, 0, 30)


def test_the_picture_and_the_seed_decide() -> None:
    cat = _travel(_wander(), 4, 0, 10)
    assert cat != _travel(_wander(), 4, 0, 10, "coffee.png")
    assert cat != _travel(_wander(seed=1), 4, 0, 10)


def test_what_the_picture_suggests_is_drawn_more() -> None:
    objective = _wander(suggested=30)
    objective.at(0)
    objective.meet(_activations("chelsea.png"))
    noise = _backbone()(torch.rand(1, 3, 96, 128, generator=torch.Generator().manual_seed(5)))
    drawn = objective.state_dict()["term-0.channels"]
    felt = [each[LAYER][0].flatten(1).mean(1) for each in (_activations("chelsea.png"), noise)]
    assert bool((felt[0][drawn] > felt[1][drawn]).all())


def test_it_goes_on_where_its_state_was_taken() -> None:
    whole, again = _wander(), _wander()
    _travel(whole, 4, 0, 20)
    again.load_state_dict({name: value.clone() for name, value in whole.state_dict().items()})
    assert _travel(again, 4, 20, 50) == _travel(whole, 4, 20, 50)
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in whole.state_dict().items())


def test_it_chooses_in_place_and_looks_only_when_a_motif_ends() -> None:
    """A captured graph reads the same tensors for ever; a look costs a forward pass."""
    objective = _wander()
    objective.at(0)
    objective.meet(_activations("chelsea.png"))
    place = objective.state_dict()["term-0.channels"].data_ptr()
    looks = 0
    for frame in range(1, 24 * 18):
        objective.at(frame / 24)
        looks += objective.is_open
        objective.meet(_activations("chelsea.png"))
    assert looks == 6
    assert objective.state_dict()["term-0.channels"].data_ptr() == place


def test_another_picture_makes_it_begin_anew() -> None:
    objective, fresh = _wander(), _wander()
    _travel(objective, 4, 0, 20)
    objective.forget()
    assert _travel(objective, 4, 0, 9, "coffee.png") == _travel(fresh, 4, 0, 9, "coffee.png")


def test_a_tile_has_the_gradient_of_the_whole() -> None:
    objective = _wander()
    objective.at(0)
    size = Size(288, 416)
    picture = fit_to(read_picture(photograph("chelsea.png")), size, "crop")
    objective.meet(_backbone()(picture))
    engine = build_engine(_backbone(), EngineChoice("folded", "float32"))
    tiles = TiledEngine(engine, _backbone(), 1 << 20)
    tile = tiles.tile_for(size)
    assert tile is not None and tile.width < size.width
    whole, tiled = engine(picture, objective)[1], tiles(picture, objective)[1]
    assert torch.nn.functional.cosine_similarity(whole.flatten(), tiled.flatten(), 0) > 0.98


def test_without_a_layer_it_goes_among_the_classes_that_the_picture_suggests() -> None:
    term = WanderTerm.model_validate({"wander": 4, "suggested": 100})
    backbone = backbones.load("lite0", [term.place(backbones.find_recipe("lite0"))], torch.device("cpu"))
    objective = build_objective([term], backbone)
    objective.at(0)
    objective.meet(backbone(fit_to(read_picture(photograph("chelsea.png")), Size(224, 224), "crop")))
    drawn = {class_names()[index] for index in objective.state_dict()["term-0.channels"].tolist()}
    assert "tiger cat" in drawn


def test_a_network_of_few_classes_wanders_among_fewer(tmp_path: Path) -> None:
    torch.manual_seed(0)
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
    model = exported(nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), *head), tmp_path / "few.onnx")
    term = f"{{wander: 4}}, model: 'onnx:{model}'"
    with pytest.raises(PresetError, match=r"wander: is 4, and .*few\.onnx has 4 classes; use at most 3"):
        parse_preset(PRESET.format(term).encode(), name="film")
    parse_preset(PRESET.format(term.replace("4", "3", 1)).encode(), name="film")


PRESET = "size: 64x48\nfps: 12\nduration: 2f\nstages: [{{stage: noise}}, {{stage: dream, octaves: 1, objective: {}}}]\n"


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        ("{layer: blocks.2.1, wander: 1}", "wander: is 1, must be"),
        ("{layer: blocks.0.0, wander: 16}", "has 16 channels; use at most 15"),
        ("{layer: blocks.2.1, wander: 3, life: 24f}", "is 24f, must be in seconds, such as 24s"),
        ("{layer: blocks.2.1, wander: 3, channel: 4}", "names both"),
        ("{layer: blocks.2.9, wander: 3}", "blocks.2.9"),
        ("{wander: 3}, model: vgg16", "wander: vgg16 knows its classes by the whole picture alone; use `class`"),
    ],
)
def test_what_cannot_be_is_said(objective: str, message: str) -> None:
    with pytest.raises(PresetError, match=message):
        parse_preset(PRESET.format(objective).encode(), name="film")
