"""Each place grows into what it resembles most."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipeline import backbones
from pipeline.device import open_device
from pipeline.dreamer import Dreamer, DreamerSpec
from pipeline.errors import ModelError, PresetError
from pipeline.frame import Size
from pipeline.objectives.classes import class_index
from pipeline.objectives.nearest_term import NearestTerm, class_directions
from pipeline.objectives.scores import Nearest
from pipeline.preset import parse_preset
from tests.conftest import photograph
from tests.processes import finished as dreamreel

CPU = open_device("cpu")
LITE0 = backbones.find_recipe("lite0")


def term(**keys: object) -> NearestTerm:
    return NearestTerm.model_validate(keys)


def test_each_place_counts_for_the_direction_it_is_nearest_to() -> None:
    score = Nearest("layer", torch.eye(3)[:, :2])
    places = torch.tensor([[3.0, 0.0, -1.0], [1.0, 2.0, -2.0], [9.0, 9.0, 9.0]]).view(1, 3, 1, 3)
    places.requires_grad_()
    found = score({"layer": places})
    found.backward()
    assert float(found.detach()) == pytest.approx((9 + 4 + 0) / 3)
    assert places.grad is not None
    assert (places.grad[0] != 0).long().squeeze(1).tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 0]]


def test_classes_are_read_at_every_place_as_their_logit_reads_the_mean() -> None:
    features = backbones.find_features(LITE0)
    assert (features.name, features.channels) == ("bn2", 1280)
    backbone = backbones.load("lite0", ["bn2"], CPU)
    whole = backbones.load("lite0", ["classifier"], CPU)
    photo = torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    dense = class_directions(backbone).T @ backbone(photo)["bn2"][0].flatten(1)
    weight = whole.constant("classifier.weight")
    centred = whole(photo)["classifier"][0] - whole.constant("classifier.bias")
    expected = (centred - centred.mean()) / (weight - weight.mean(0)).norm(dim=1)
    assert torch.allclose(dense.mean(1), expected, atol=1e-4)


@pytest.mark.parametrize("engine", ["packed", "reference"])
def test_it_climbs_on_every_engine(engine: str) -> None:
    spec = DreamerSpec("lite0", (term(nearest=["castle", 663]),), engine=engine, precision="float32")  # type: ignore[arg-type]
    dreamer = Dreamer(spec, Size(96, 96), CPU)
    picture = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    score, gradient = dreamer.engine(picture, dreamer.objective)
    better, _ = dreamer.engine(picture + 0.5 * gradient / gradient.abs().max(), dreamer.objective)
    assert better > score > 0


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("{nearest: [castel]}", r"objective\[0\]\.nearest\[0\]: is 'castel'.* near: castle"),
        ("{nearest: [1000]}", "is 1000, and lite0 has 1000 classes; use 0 to 999"),
        ("{nearest: []}", "nearest"),
        ("{nearest: [3], layer: blocks.9}", "has no layer 'blocks.9'"),
        ("{nearest: [castle], layer: blocks.4.1}", "is 'castle'; .* the number of one of its channels"),
        ("{nearest: [3, 999], layer: blocks.4.1}", "is 999, and blocks.4.1 has channels 0 to 111"),
    ],
)
def test_what_is_wrong_is_told(keys: str, said: str) -> None:
    with pytest.raises(PresetError, match=said):
        parse_preset(f"size: 128x96\nstages:\n  - stage: noise\n  - {{stage: dream, octaves: 1, objective: {keys}}}\n")


def test_a_network_that_reads_its_classes_otherwise_says_so() -> None:
    with pytest.raises(ModelError, match="vgg16 knows its classes by the whole picture alone; use `class`"):
        backbones.find_features(backbones.find_recipe("vgg16"))
    assert class_index(LITE0, "castle") == 483


def test_a_still_takes_any_key_of_the_dream(tmp_path: Path) -> None:
    photo, still = str(photograph("coffee.png")), tmp_path / "still.png"
    options = ["--octaves", "1", "--steps", "1", "--set", "mask={detail: 0.02}", "--set", "engine=folded"]
    done = dreamreel("dream", photo, "-o", str(still), "--objective", "{nearest: [castle, palace]}", *options)
    assert done.returncode == 0 and still.exists(), done.stderr
    wrong = dreamreel("dream", photo, "-o", str(tmp_path / "x.png"), "--set", "smothing=2", "--set", "jitter=4")
    assert wrong.returncode == 1 and "'smothing'" in wrong.stderr and "smoothing" in wrong.stderr
    film = dreamreel("dream", photo, "-o", str(tmp_path / "x.png"), "--set", "strength=2")
    assert film.returncode == 1 and "strength is for films; a still takes --strength" in film.stderr
