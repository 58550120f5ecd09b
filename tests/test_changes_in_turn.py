"""Changes that meet a film in the middle of something: a cadence, smaller tiles, another kind of source, a failure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.chain import Chain
from pipeline.errors import PipelineError
from pipeline.preset import Preset, load_preset
from pipeline.stages.dream import Dream
from pipeline.stages.zoom import Zoom
from tests.clips import real_film
from tests.conftest import photograph
from tests.test_change import DREAM, FOOTAGE, STRONGEST, Stages, assert_as_if_built_so, film, shown

AT, END = 5, 8
MOVIE, CAT, CUP = str(real_film("carphone_pristine")), str(photograph("chelsea.png")), str(photograph("coffee.png"))
SLOW = DREAM | {"layer": "blocks.2.1", "every": 3}
ZOOMED: Stages = {"noise": {}, "zoom": {"zoom": 1.5}}
TWO = ZOOMED | {"dream": SLOW, "second": SLOW | {"stage": "dream", "every": 1, "strength": 0.5}}
MASKED = ZOOMED | {"dream": SLOW | {"mask": {"film": MOVIE}}}
FADING = ZOOMED | {"dream": DREAM | {"layer": {"0s": "blocks.2.1", "1s": "blocks.4.1"}}}
GUIDED = ZOOMED | {
    "dream": DREAM | {"objective": {"layer": "blocks.2.1", "guide": CAT}},
    "palette": {"to": "guide", "strength": 0.5},
}
CASES: dict[str, tuple[Stages, dict[str, dict[str, Any]]]] = {
    "one of two dreams": (TWO, {"dream": {"strength": 1.0}}),
    "both of two dreams": (TWO, {"dream": {"strength": 1.0}, "second": {"layer": "blocks.4.1"}}),
    "the cadence begins": (TWO, {"second": {"every": 3}}),
    "another film as mask": (MASKED, {"dream": {"mask": {"film": MOVIE, "invert": True}}}),
    "a mask goes on": (MASKED, {"dream": {"steps": 2}}),
    "layers in another order": (FADING, {"dream": {"layer": {"0s": "blocks.4.1", "1s": "blocks.2.1"}}}),
    "another time for a layer": (FADING, {"dream": {"layer": {"0s": "blocks.2.1", "6f": "blocks.4.1"}}}),
    "another guide": (GUIDED, {"dream": {"objective": {"layer": "blocks.2.1", "guide": CUP}}}),
    "weights of the same terms": (FOOTAGE, {"dream": {"objective": [STRONGEST, {"layer": "blocks.2.1", "weight": 2}]}}),
}


def with_changes(stages: Stages, changes: dict[str, dict[str, Any]]) -> Stages:
    return {name: given | changes.get(name, {}) for name, given in stages.items()}


def dream_of(chain: Chain) -> Dream:
    return next(stage for stage in chain.effects if isinstance(stage, Dream))


def zoom_of(chain: Chain) -> Zoom:
    return next(stage for stage in chain.effects if isinstance(stage, Zoom))


@pytest.mark.parametrize("name", CASES)
def test_the_film_goes_on_as_if_built_so(name: str) -> None:
    stages, changes = CASES[name]
    preset = film(with_changes(stages, changes))
    with Chain(film(stages)) as chain:
        frames = shown(chain, range(AT), None)
        chain.change(preset, AT)
        found = assert_as_if_built_so(chain, preset, frames[-1])
    with Chain(film(stages)) as chain:
        assert not torch.equal(found[-1], shown(chain, range(END), None)[-1])


@pytest.mark.parametrize("name", CASES)
def test_a_change_that_fails_at_its_end_leaves_every_frame_as_it_was(name: str, tmp_path: Path) -> None:
    (tmp_path / "broken.pth").write_bytes(b"no weights")
    stages, changes = CASES[name]
    broken = {"stage": "dream", **DREAM, "weights": str(tmp_path / "broken.pth")}
    with Chain(film(stages)) as chain:
        expected = shown(chain, range(END), None)
    with Chain(film(stages)) as chain:
        frames = shown(chain, range(AT), None)
        with pytest.raises(PipelineError, match=r"broken\.pth"):
            chain.change(film(with_changes(stages, changes) | {"broken": broken}), AT)
        found = shown(chain, range(AT, END), frames[-1])
    assert all(torch.equal(a, b) for a, b in zip(found, expected[AT:], strict=True))


def test_tiles_that_had_to_shrink_stay_as_small() -> None:
    plain, stronger = ZOOMED | {"dream": DREAM}, ZOOMED | {"dream": DREAM | {"strength": 1.0}}
    with Chain(film(plain)) as chain:
        frames = shown(chain, range(2), None)
        dream_of(chain).dreamer.engine.budget = 10**6
        chain.change(film(stronger), 2)
        assert dream_of(chain).dreamer.engine.budget == 10**6
        assert int(chain.state_dict()["dream/budget"]) == 10**6
        with Chain(film(stronger)) as built:
            built.load_state_dict(chain.state_dict())
            expected = shown(built, range(2, 4), frames[-1])
        assert torch.equal(shown(chain, range(2, 4), frames[-1])[-1], expected[-1])


def test_a_camera_begins_with_footage_that_takes_the_place_of_noise() -> None:
    with Chain(film(ZOOMED)) as chain:
        shown(chain, range(AT), None)
        chain.change(film({"video": {"path": MOVIE}, "zoom": {"zoom": 1.5}}), AT)
        camera = zoom_of(chain)
        assert torch.allclose(camera.way(AT), camera.camera(AT), atol=1e-9)
        chain.change(film(ZOOMED), AT)
        assert zoom_of(chain) is camera


def test_a_push_that_added_up_is_no_beginning_for_footage() -> None:
    held = {"hold": {"brightness": 0.9, "within": 0.5}}
    with Chain(film({"noise": {}, **held})) as chain:
        shown(chain, range(AT), None)
        assert float(chain.state_dict()["hold/integral"]) > 0
        chain.change(film({"video": {"path": MOVIE}, **held}), AT)
        assert float(chain.state_dict()["hold/integral"]) == 0


def written(folder: Path, schedule: str) -> Preset:
    (folder / "moves.csv").write_text(schedule)
    text = "size: 64x48\nduration: 9f\nfps: 12\nstages: [{stage: noise}, {stage: zoom, zoom: {file: moves.csv}}]\n"
    (folder / "film.yaml").write_text(text)
    return load_preset(folder / "film.yaml")


def test_a_schedule_that_was_edited_is_another_one(tmp_path: Path) -> None:
    before = written(tmp_path, "0,1.5\n1,2\n")
    with Chain(before) as chain:
        first = shown(chain, range(AT), None)
        chain.change(written(tmp_path, "0,1.5\n1,2\n"), AT)
        camera = zoom_of(chain)
        after = written(tmp_path, "0,0.5\n1,0.6\n")
        chain.change(after, AT)
        assert zoom_of(chain) is not camera
        assert_as_if_built_so(chain, after, first[-1])
