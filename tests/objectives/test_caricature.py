"""More of what is special in a picture, and staying near to it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pipeline import backbones
from pipeline.dreamer import Dreamer, DreamerSpec
from pipeline.errors import PresetError
from pipeline.frame import Size
from pipeline.media.picture import read_picture
from pipeline.objectives.caricature import Caricature, Keep, OwnCaricature, exaggeration, usual_of
from pipeline.objectives.caricature_term import CaricatureTerm, KeepTerm
from pipeline.ops.warp import resize
from pipeline.preset import parse_preset
from tests.conftest import photograph
from tests.films import LEARNT

CPU = torch.device("cpu")
LAYER = "blocks.4.1"
CHELSEA = str(photograph("chelsea.png"))


def cat() -> Tensor:
    return resize(read_picture(photograph("chelsea.png")), Size(96, 144)).clamp(0, 1)


def test_the_ordinary_is_left_alone() -> None:
    places = torch.tensor([[0.9, 3.0], [-0.8, 0.0]], requires_grad=True)
    exaggeration(places, places.detach(), 1.0).backward()
    assert places.grad is not None
    assert not places.grad[:, 0].any() and places.grad[0, 1] > 0 and places.grad[1, 1] == 0


def test_focus_favours_the_most_special_places() -> None:
    def share(focus: float) -> float:
        places = torch.tensor([[2.0, 4.0], [0.0, 0.0]], requires_grad=True)
        exaggeration(places, places.detach(), focus).backward()
        assert places.grad is not None
        return float(places.grad[0, 1] / places.grad[0, 0])

    assert share(0.0) == pytest.approx(3) and share(1.0) == pytest.approx(27)


@pytest.mark.parametrize("engine", ["packed", "reference"])
@pytest.mark.parametrize("of", ["first", "now", CHELSEA])
def test_it_climbs_on_every_engine(engine: str, of: str) -> None:
    term = CaricatureTerm.model_validate({"layer": LAYER, "caricature": of})
    spec = DreamerSpec("lite0", (term,), engine=engine, precision="float32")  # type: ignore[arg-type]
    picture = cat()
    dreamer = Dreamer(spec, Size(96, 144), CPU)
    dreamer.meet(lambda: picture, 0.0)
    score, gradient = dreamer.engine(picture, dreamer.objective)
    better, _ = dreamer.engine(picture + 0.02 * gradient / gradient.abs().max(), dreamer.objective)
    assert better > score > 0


def test_what_is_usual_in_the_pictures_of_a_file_may_be_meant() -> None:
    backbone = backbones.load("lite0", [LAYER], CPU)
    seen = backbone(cat())
    own = CaricatureTerm.model_validate({"layer": LAYER, "caricature": "now"}).build(backbone)
    other = CaricatureTerm.model_validate({"layer": LAYER, "caricature": "now", "usual": str(LEARNT)}).build(backbone)
    assert float(own(seen)) != pytest.approx(float(other(seen)), rel=1e-3)


def test_keeping_is_best_at_the_picture_itself() -> None:
    places = torch.randn(1, 5, 3, 4, generator=torch.Generator().manual_seed(0))
    keep = Keep("layer", None)
    keep.meet({"layer": places})
    assert float(keep({"layer": places})) == pytest.approx(0, abs=1e-9)
    assert float(keep({"layer": 1.5 * places})) < -0.01


def test_the_picture_is_found_again_wherever_the_camera_has_gone() -> None:
    places = torch.randn(1, 5, 3, 4, generator=torch.Generator().manual_seed(0))
    keep = Keep("layer", None)
    keep.meet({"layer": places})
    assert float(keep({"layer": places.roll(1, 3)})) == pytest.approx(0, abs=1e-9)


def test_what_it_remembers_is_in_its_state() -> None:
    places = torch.randn(1, 5, 3, 4, generator=torch.Generator().manual_seed(0))
    score, other = Caricature("layer", None, 1.0), Caricature("layer", None, 1.0)
    assert score.state_dict() == {} and score.is_open
    score.meet({"layer": places})
    other.load_state_dict(score.state_dict())
    later = {"layer": places + 0.3}
    assert not other.is_open and torch.equal(score(later), other(later))
    score.forget()
    assert score.is_open and score.state_dict() == {}


def test_a_quiet_channel_does_not_shout() -> None:
    places = torch.stack([torch.linspace(-1, 1, 8), torch.full((8,), 0.5)])
    score = OwnCaricature("layer", usual_of(places), 1.0)
    # A hundredth of what the loud one does is nothing special, though the quiet one never did anything.
    assert float(score({"layer": (places + torch.tensor([[0.0], [0.01]])).view(1, 2, 2, 4)})) == pytest.approx(
        float(score({"layer": places.view(1, 2, 2, 4)}))
    )


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("{layer: blocks.4.1, keep: now}", "is now, which would keep what is there whatever it is; use first"),
        ("{layer: blocks.4.1, caricature: nowhere.jpg}", "nowhere.jpg"),
        (f"{{layer: blocks.2.1, caricature: now, usual: {LEARNT}}}", "which is of blocks.4.1; set `layer: blocks.4.1`"),
        ("{layer: blocks.4.1, caricature: now, focus: 9}", "focus"),
    ],
)
def test_what_presets_get_wrong(keys: str, said: str) -> None:
    document = f"size: 64x48\nduration: 1s\nstages: [{{stage: noise}}, {{stage: dream, objective: {keys}}}]\n"
    with pytest.raises(PresetError, match=said):
        parse_preset(document.encode(), name="film")


def test_terms_know_their_layers() -> None:
    assert KeepTerm.model_validate({"layer": LAYER, "keep": "first"}).place(backbones.find_recipe("lite0")) == LAYER
