"""A film that takes a changed preset between two frames: every stage, with each of them changed in turn."""

from __future__ import annotations

import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor

from pipeline.chain import Chain
from pipeline.errors import PipelineError, PresetError
from pipeline.preset import Preset, parse_preset
from pipeline.stages import STAGES
from pipeline.stages.dream import Dream
from pipeline.stages.zoom import Zoom
from tests.clips import real_film
from tests.conftest import photograph

AT, END = 5, 8  # the frame from which a preset is another, and how far films go
Stages = dict[str, dict[str, Any]]
DREAM = {"octaves": 1, "steps": 1, "first_steps": 2, "jitter": 4, "engine": "packed", "precision": "float32"}
STRONGEST = {"layer": "blocks.2.1", "channel": "strongest", "count": 3}
SEEDED = {"objective": [STRONGEST, {"layer": "blocks.2.1", "weight": 0.5}]}
GROWING: Stages = {
    "noise": {},
    "zoom": {"zoom": 0.7, "rotate": "20 * sin(t)", "edges": "noise"},
    "dream": DREAM | {"layer": "blocks.2.1", "every": 3},
    "flow": {"still": 0.5},
    "palette": {"to": "seed", "strength": 0.5},
    "hold": {"sharpness": "first", "saturation": 0.2, "settle": "2f"},
    "tone": {"gamma": 1.1, "vignette": 0.3},
    "sharpen": {},
    "grain": {"size": 2.0},
    "loop": {"over": "6f"},
}
FOOTAGE: Stages = {
    "video": {"path": str(real_film("carphone_pristine"))},
    "zoom": {"zoom": 1.5},
    "dream": DREAM | SEEDED,
    "flow": {},
}
FILMS: dict[str, Stages] = {
    "growing": GROWING,
    "photograph": {"image": {"path": str(photograph("chelsea.png"))}, "dream": DREAM},
    "footage": FOOTAGE,
    "flight": {"noise": {}, "zoom": {"zoom": 2, "depth": {"geometry": "tunnel"}}, "dream": DREAM},
    "footage with depth": FOOTAGE | {"zoom": {"pan": ["sin(t)", 0], "depth": {"picture": "luminance"}}},
    "footage, winding": FOOTAGE | {"zoom": {"rotate": "40 * t"}},
    "sphere": {"noise": {}, "sphere": {"zoom": 1.5}, "dream": DREAM | {"layer": "blocks.1.1"}},
}
# What is changed in which film; one or more for every stage.
CHANGES: list[tuple[str, str, dict[str, Any]]] = [
    ("growing", "noise", {"contrast": 0.3}),
    ("photograph", "image", {"fit": "pad"}),
    ("footage", "video", {"cut_threshold": 0.0}),
    ("footage", "video", {"speed": 2.0}),
    ("footage", "video", {"motion": "none"}),
    ("growing", "zoom", {"rotate": "-30 * t"}),
    ("growing", "zoom", {"edges": "wrap"}),
    ("footage", "zoom", {"zoom": 0.8}),
    ("footage", "zoom", {"edges": "wrap", "rotate": "20 * t"}),
    ("footage, winding", "zoom", {"rotate": 10}),
    ("footage, winding", "zoom", {"pan": ["t", 0]}),
    ("growing", "zoom", {"symmetry": {"kaleidoscope": 4}}),
    ("footage", "zoom", {"symmetry": {"mirror": "x"}}),
    ("flight", "zoom", {"depth": {"picture": "saliency"}}),
    ("footage with depth", "zoom", {"depth": {"picture": "luminance", "near": 0.4}}),
    ("footage with depth", "zoom", {"zoom": 1.3}),
    ("footage", "zoom", {"depth": {"picture": "luminance"}}),
    ("sphere", "sphere", {"yaw": "90 * t"}),
    ("growing", "dream", {"strength": 1.0}),
    ("growing", "dream", {"every": 2}),
    ("growing", "dream", {"every": 1}),
    ("growing", "dream", {"every": [1, 2], "octaves": 2}),
    ("growing", "dream", {"layer": "blocks.4.1"}),
    ("growing", "dream", {"octaves": 2, "smoothing": 0.0, "mask": {"radial": 0.4}}),
    ("growing", "dream", {"mask": "background"}),
    ("footage", "dream", {"mask": "subject"}),
    ("photograph", "dream", {"engine": "folded"}),
    ("photograph", "dream", {"memory": "1GB", "weights": "random"}),
    ("footage", "dream", {"objective": [STRONGEST, {"layer": "blocks.4.1"}]}),
    ("footage", "dream", {"objective": [{"layer": "blocks.2.1"}, STRONGEST]}),
    ("growing", "flow", {"still": 0.9}),
    ("growing", "palette", {"strength": 0.9}),
    ("growing", "palette", {"match": "distribution"}),
    ("growing", "palette", {"to": "ember"}),
    ("growing", "hold", {"within": 0.5}),
    ("growing", "hold", {"sharpness": 0.01, "brightness": "first"}),
    ("growing", "tone", {"gamma": 0.8}),
    ("growing", "sharpen", {"amount": 2.0}),
    ("growing", "grain", {"amount": 0.2}),
    ("growing", "loop", {"over": "5f"}),
]
WITHOUT_EFFECT = [("growing", "noise"), ("photograph", "image")]  # they say how a film begins


def film(stages: Stages, **keys: Any) -> Preset:
    listed = [{"stage": given.get("stage", name), "id": name, **given} for name, given in stages.items()]
    data = {"size": "64x48", "fps": 12, "duration": "9f", "seed": 3, "device": "cpu", "stages": listed} | keys
    around = {"projection": "equirectangular", "size": "128x64"} if "sphere" in stages else {}
    return parse_preset(yaml.safe_dump(data | around))


def changed(name: str, stage: str, keys: dict[str, Any]) -> Preset:
    given = FILMS[name][stage] | keys
    if "objective" in keys:
        given.pop("layer", None)
    return film(FILMS[name] | {stage: given})


def shown(chain: Chain, indices: range, previous: Tensor | None) -> list[Tensor]:
    made = []
    for index in indices:
        previous = chain.step(index, previous).feedback
        made.append(previous)
    return made


@lru_cache
def unchanged(name: str) -> list[Tensor]:
    with Chain(film(FILMS[name])) as chain:
        return shown(chain, range(END), None)


def ids(chain: Chain) -> dict[str, int]:
    return {stage.config.id: id(stage) for stage in (chain.source, *chain.effects)}


def assert_as_if_built_so(chain: Chain, preset: Preset, previous: Tensor) -> list[Tensor]:
    """From here on, the frames of a chain that was built by the preset and given the state."""
    with Chain(preset) as built:
        built.load_state_dict(chain.state_dict())
        expected = shown(built, range(AT, END), previous)
    found = shown(chain, range(AT, END), previous)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    return found


@pytest.mark.parametrize(("name", "stage", "keys"), CHANGES, ids=lambda value: str(value)[:40])
def test_a_changed_stage_goes_on_beside_those_that_stay(name: str, stage: str, keys: dict[str, Any]) -> None:
    preset = changed(name, stage, keys)
    with Chain(film(FILMS[name])) as chain:
        before, frames = ids(chain), shown(chain, range(AT), None)
        chain.change(preset, AT)
        after = ids(chain)
        assert {key for key in after if after[key] != before[key]} == {stage}
        found = assert_as_if_built_so(chain, preset, frames[-1])
    assert (name, stage) in WITHOUT_EFFECT or not torch.equal(found[-1], unchanged(name)[-1])


@pytest.mark.parametrize(
    ("name", "stage", "keys", "kept"),
    [
        ("growing", "dream", {"strength": 1.0}, {"pending", "unseen"}),
        ("growing", "dream", {"layer": "blocks.4.1"}, {"pending", "unseen"}),
        ("growing", "dream", {"every": 2}, {"unseen"}),
        ("growing", "dream", {"every": 1}, set()),
        ("footage", "dream", {"objective": [STRONGEST, {"layer": "blocks.4.1"}]}, {"term-0.channels"}),
        ("footage", "dream", {"objective": [STRONGEST | {"count": 2}]}, set()),
        ("footage", "dream", {"weights": "random"}, set()),
        ("footage", "video", {"motion": "none"}, {"index", "digest"}),
        ("footage", "video", {"speed": 2.0}, set()),
        ("footage, winding", "zoom", {"rotate": "-40 * t"}, {"index", "way"}),
        ("footage with depth", "zoom", {"depth": {"picture": "saliency"}}, {"index", "way", "disparity"}),
        ("growing", "palette", {"strength": 0.9}, {"mean", "covariance"}),
        ("growing", "palette", {"match": "distribution"}, set()),
        ("growing", "hold", {"within": 0.5}, {"integral", "targets"}),
        ("growing", "loop", {"over": "5f"}, {"first"}),
    ],
)
def test_a_changed_stage_takes_over_what_means_the_same(
    name: str, stage: str, keys: dict[str, Any], kept: set[str]
) -> None:
    with Chain(film(FILMS[name])) as chain:
        shown(chain, range(AT), None)
        before = chain.state_dict()
        chain.change(changed(name, stage, keys), AT)
        after = chain.state_dict()
    assert {key for key in after if key.startswith(f"{stage}/")} == {f"{stage}/{key}" for key in kept}
    assert all(torch.equal(after[f"{stage}/{key}"], before[f"{stage}/{key}"]) for key in kept)


def test_the_suite_changes_every_stage() -> None:
    assert {stage for _, stage, _ in CHANGES} == set(STAGES)


@pytest.mark.parametrize("name", FILMS)
def test_what_leaves_all_equal_changes_nothing(name: str) -> None:
    with Chain(film(FILMS[name])) as chain:
        before, previous = ids(chain), None
        for index, expected in enumerate(unchanged(name)):
            chain.change(film(FILMS[name], duration=f"{9 if index % 2 else 10}f"), index)
            chain.change(film(FILMS[name]), index)
            previous = chain.step(index, previous).feedback
            assert torch.equal(previous, expected)
        assert ids(chain) == before


@pytest.mark.parametrize(
    ("name", "stages", "new"),
    [
        ("photograph", {"image": {}, "zoom": {"zoom": 2.0}, "dream": {}, "tone": {"gamma": 1.2}}, {"zoom", "tone"}),
        ("footage", {"video": {}, "dream": {}, "zoom": {}}, {"video"}),
        ("footage", {"noise": {}, "zoom": {}, "dream": {}}, {"noise"}),
        ("growing", {"noise": {}, "palette": {}, "hold": {}, "dream": {}, "zoom": {}, "flow": {}}, set()),
        (
            "footage",
            {"video": {}, "dream": {}, "flow": {}, "zoom": {}, "pan": {"stage": "zoom", "rotate": 9}},
            {"pan"},
        ),
    ],
)
def test_stages_come_go_and_change_places(name: str, stages: Stages, new: set[str]) -> None:
    """Without a stage that reads motion, a video no longer looks for it: it is built anew."""
    preset = film({key: FILMS[name].get(key, {}) | given for key, given in stages.items()})
    with Chain(film(FILMS[name])) as chain:
        before, frames = ids(chain), shown(chain, range(AT), None)
        chain.change(preset, AT)
        assert list(ids(chain)) == list(stages)
        assert {key for key, found in ids(chain).items() if found != before.get(key)} == new
        assert_as_if_built_so(chain, preset, frames[-1])


def test_what_nobody_needs_any_more_is_closed() -> None:
    at_first = set(threading.enumerate())
    with Chain(film(FILMS["footage"])) as chain:
        frames = shown(chain, range(2), None)
        assert len(set(threading.enumerate()) - at_first) == 2
        chain.change(film({"noise": {}, "dream": DREAM}), 2)
        assert set(threading.enumerate()) == at_first
        chain.step(2, frames[-1])


def test_another_strength_keeps_the_network_and_another_layer_does_not() -> None:
    def dream(chain: Chain) -> Dream:
        return next(stage for stage in chain.effects if isinstance(stage, Dream))

    with Chain(film(FILMS["photograph"])) as chain:
        first = dream(chain)
        chain.change(changed("photograph", "dream", {"strength": 0.5, "octaves": 2}), 0)
        stronger = dream(chain)
        assert stronger is not first and stronger.dreamer.backbone is first.dreamer.backbone
        assert stronger.dreamer.engine.engine is first.dreamer.engine.engine  # type: ignore[attr-defined]
        chain.change(changed("photograph", "dream", {"layer": "blocks.4.1"}), 0)
        assert dream(chain).dreamer.backbone is not first.dreamer.backbone


@pytest.mark.parametrize("name", ["footage", "footage, winding"])
def test_over_footage_a_camera_that_changes_goes_on_from_where_it_is(name: str) -> None:
    def camera(chain: Chain) -> Zoom:
        return next(stage for stage in chain.effects if isinstance(stage, Zoom))

    with Chain(film(FILMS[name])) as chain:
        shown(chain, range(AT), None)
        there = camera(chain).way(AT - 1)
        chain.change(changed(name, "zoom", {"zoom": 0.5, "pan": [0.1, 0]}), AT)
        after = camera(chain)
        assert torch.allclose(after.way(AT), there @ after.camera(AT), atol=1e-9)


def test_a_figure_held_from_here_on_is_measured_here() -> None:
    with Chain(film(FILMS["growing"])) as chain:
        frames = shown(chain, range(AT), None)
        kept = chain.state_dict()["hold/targets"][1]
        chain.change(changed("growing", "hold", {"brightness": "first"}), AT)
        chain.step(AT, frames[-1])
        brightness, _, sharpness = chain.state_dict()["hold/targets"].tolist()
        assert 0 < brightness < 1 and sharpness == kept


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"size": "96x64"}, "size: is 96x64, the film was begun with 64x48; keep that, or render another film"),
        ({"fps": 24, "duration": "9f"}, "fps: is 24, the film was begun with 12"),
        ({"seed": 4}, "seed: is 4"),
        ({"lead_in": "3f"}, "lead_in: is 3f, the film was begun with 0f"),
        ({"device": "cuda:1"}, "device: is cuda:1, the film was begun with cpu"),
        ({"duration": "4f"}, "duration: is 4f, and 5 frames are there already; make it longer"),
    ],
)
def test_what_can_not_change_within_a_film_is_refused(keys: dict[str, Any], words: str) -> None:
    stages = FILMS["photograph"]
    with Chain(film(stages)) as chain:
        frames = shown(chain, range(AT), None)
        with pytest.raises(PresetError) as caught:
            chain.change(film(stages | {"tone": {"gamma": 2.0}}, **keys), AT)
        assert [words in str(problem) for problem in caught.value.problems] == [True]
        assert torch.equal(shown(chain, range(AT, END), frames[-1])[-1], unchanged("photograph")[-1])


def test_a_stage_that_can_not_be_built_leaves_the_old_chain_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "broken.pth").write_bytes(b"no weights")
    given = FOOTAGE["dream"] | {"weights": str(tmp_path / "broken.pth")}
    preset = film(FOOTAGE | {"video": FOOTAGE["video"] | {"speed": 2.0}, "zoom": {"zoom": 0.5}, "dream": given})
    with Chain(film(FOOTAGE)) as chain:
        before, frames = ids(chain), shown(chain, range(AT), None)
        with pytest.raises(PipelineError, match=r"broken\.pth"):
            chain.change(preset, AT)
        assert ids(chain) == before
        found = shown(chain, range(AT, END), frames[-1])
    assert all(torch.equal(a, b) for a, b in zip(found, unchanged("footage")[AT:], strict=True))


def test_a_loop_is_there_from_the_beginning_or_not_at_all() -> None:
    open_ended = {name: given for name, given in GROWING.items() if name != "loop"}
    with Chain(film(open_ended)) as chain:
        chain.change(film(GROWING), 0)
        chain.change(film(open_ended), 0)
        shown(chain, range(AT), None)
        with pytest.raises(PipelineError, match="loop: closes a film with its first frame, and 5 frames are there"):
            chain.change(film(GROWING), AT)
