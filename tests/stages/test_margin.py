"""The margin around the frame: what the film shows of it, units, clouds that stand still, and what is refused."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks.zoom_out import SETTLED, measure, render
from pipeline.chain import Chain, frames
from pipeline.errors import PresetError
from pipeline.frame import Size
from pipeline.ops.camera import seen_from
from pipeline.ops.growth import ripening
from pipeline.ops.motion import pixel_positions
from pipeline.ops.warp import project
from pipeline.preset import Preset
from pipeline.stages import RunSpec
from pipeline.stages.zoom import Zoom
from pipeline.stages.zoom.world import World
from tests.clips import real_film
from tests.conftest import photograph
from tests.test_change import DREAM, Stages, assert_as_if_built_so, film, shown

CAT, MARGIN = str(photograph("chelsea.png")), Size(12, 16)
SPEC = RunSpec(Size(72, 96), Fraction(12), 48, 1, torch.device("cpu"), margin=MARGIN)
OUT: Stages = {"noise": {}, "zoom": {"zoom": 0.6, "rotate": "20 * t", "edges": "noise"}, "dream": DREAM}


def margined(stages: Stages, **keys: Any) -> Preset:
    return film(stages, margin=0.25, **keys)


def one_frame(stages: Stages, **keys: Any) -> Tensor:
    return next(frames(film(stages, **keys))).image


def test_the_film_shows_the_middle_of_what_goes_round() -> None:
    with Chain(margined(OUT)) as chain:
        made = chain.step(0, None)
        made = chain.step(1, made.feedback)
    assert made.feedback.shape == (1, 3, 72, 96)
    assert torch.equal(made.image, made.feedback[..., 12:-12, 16:-16])


def test_stages_that_only_the_film_shows_know_no_margin() -> None:
    vignette = {"tone": {"vignette": 0.5, "shown_only": True}}
    plain, dimmed = (one_frame(stages, margin=0.25) for stages in (OUT, OUT | vignette))
    ratio = (dimmed / plain.clamp_min(1e-3))[0].mean(0)
    assert float(ratio[0, 0]) == pytest.approx(0.5, abs=0.02) and float(ratio[24, 32]) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("moving", [False, True])
def test_cameras_count_in_frames(moving: bool) -> None:
    keys = {"zoom": 0.7, "rotate": "10 + 5 * t" if moving else 10, "pan": [0.2, 0.1], "tilt": [5, 0], "centre": [0, 1]}
    stages: Stages = {"noise": {}, "zoom": keys}
    with Chain(film(stages)) as plain, Chain(margined(stages)) as wide:
        there = seen_from(wide.camera(0, 5), MARGIN)
        assert torch.allclose(there, plain.camera(0, 5), atol=1e-9)


def test_a_photograph_is_shown_as_without_a_margin() -> None:
    stages: Stages = {"image": {"path": CAT}, "zoom": {"zoom": 0.7, "edges": "noise"}}
    assert torch.equal(one_frame(stages), one_frame(stages, margin=0.25))


def test_a_vignette_that_goes_round_and_a_mask_keep_their_places() -> None:
    grey: Stages = {"noise": {"contrast": 0.0}, "tone": {"vignette": 0.9}}
    assert torch.allclose(one_frame(grey), one_frame(grey, margin=0.25), atol=1e-6)
    dream = DREAM | {"mask": {"radial": 0.3, "centre": [0.2, 0.5], "soft": 0.0}}
    stages: Stages = {"noise": {"contrast": 0.0}, "dream": dream}
    for keys in ({}, {"margin": 0.25}):
        where = (one_frame(stages, **keys) - one_frame({"noise": {"contrast": 0.0}})).abs().amax(1)[0] > 1e-6
        assert bool(where[24, 13]) and not bool(where[:, 40:].any())


def world_after(seconds: float, fps: int, zoom: float = 1.0, pan: float = 0.0) -> World:
    config = (
        Zoom.__orig_bases__[0]
        .__args__[0]
        .model_validate(  # type: ignore[attr-defined]
            {"id": "zoom", "zoom": zoom, "pan": [pan, 0.0], "edges": "noise"}
        )
    )
    stage, world = Zoom(config, SPEC), World("zoom", SPEC)
    motion = stage.motion(1 / fps)
    for _ in range(round(seconds * fps)):
        world.go(motion)
    return world


def seen(world: World) -> Tensor:
    return world.seen(lambda name, level: torch.Generator().manual_seed(level + 1000))


def test_clouds_stand_still_while_the_camera_passes() -> None:
    still, passed = seen(world_after(0, 12)), seen(world_after(1, 12, pan=0.25))
    assert torch.allclose(passed[..., :-16], still[..., 16:], atol=1e-4)
    assert not torch.allclose(passed, still, atol=0.1)


def test_clouds_last_for_ever_and_know_no_frame_rate() -> None:
    slow, fast = (world_after(200, fps, zoom=0.5, pan=0.3) for fps in (5, 12))
    assert torch.allclose(seen(slow), seen(fast), atol=1e-3)
    for far in (slow, world_after(200, 5, zoom=2.0, pan=0.3), world_after(200, 5, pan=-3.0)):
        assert 0.2 < float(seen(far).std()) < 3


@pytest.mark.parametrize("speed", [0.3, 2.0, 7.0])
def test_all_that_passes_the_margin_ripens_alike(speed: float) -> None:
    x, y = pixel_positions(SPEC.size, torch.zeros(()).double())[0]
    new = ripening((x, y), (x - speed, y), MARGIN)[0, 0, 36]
    assert float(new[:48].sum()) / speed == pytest.approx(1, abs=0.02)
    assert float(new[24:].sum()) == 0  # where the picture goes out, and in the frame, nothing is new


def test_a_tilting_camera_passes_over_its_clouds_as_it_pans() -> None:
    stages: Stages = {"noise": {}, "zoom": {"tilt": [20, 0], "edges": "noise"}}
    with Chain(margined(stages)) as chain:
        shown(chain, range(2), None)
        (camera,) = (stage for stage in chain.effects if isinstance(stage, Zoom))
        way, step = camera.state_dict()["world"], chain.camera(0, 1)
    middle = torch.tensor(48.0).double(), torch.tensor(36.0).double()
    assert [float(v) for v in project(way, *middle)] == pytest.approx(
        [float(v) for v in project(step, *middle)], rel=0.01
    )


@pytest.mark.parametrize("keys", [{"zoom": 0.8}, {"edges": "reflect"}, {"pan": ["t", 0.1]}])
def test_another_camera_goes_on_over_the_same_clouds(keys: dict[str, Any]) -> None:
    with Chain(margined(OUT)) as chain:
        previous = shown(chain, range(5), None)[-1]
        preset = margined(OUT | {"zoom": OUT["zoom"] | keys})
        chain.change(preset, 5)
        assert_as_if_built_so(chain, preset, previous)


def test_another_margin_would_be_another_film() -> None:
    with Chain(margined(OUT)) as chain, pytest.raises(PresetError, match=r"margin: is 0x0 pixels, the film was begun"):
        chain.change(film(OUT), 1)


def test_footage_has_nothing_beyond_its_frame() -> None:
    with pytest.raises(PresetError, match=r"margin: is 0\.25, but footage has nothing beyond its frame"):
        margined({"video": {"path": str(real_film("carphone_pristine"))}})


def test_moving_out_shows_no_frames_within_frames() -> None:
    keys = {"zoom.zoom": 0.9, "zoom.rotate": 0, "size": "96x54", "dream.octaves": 2, "dream.engine": "packed"}
    found = {}
    for margin in (0.0, 0.25):
        made, zoom, degrees = render("zoom-out", SETTLED + 2, keys | {"margin": margin})
        found[margin] = measure("", made, zoom, degrees)
    assert found[0.0]["frames"] > 2 * found[0.25]["frames"]  # 4.5 and 1.6, in so short a film
    assert found[0.25]["border"] > 0.9
