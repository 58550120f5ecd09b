"""Symmetric films: alike wherever they should be, without seams, with every kind of camera that is allowed."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pytest
import torch
from torch import Tensor

from pipeline.chain import Chain
from pipeline.errors import PresetError
from pipeline.frame import Size
from pipeline.ops import noise
from pipeline.ops.groups import droste, kaleidoscope, mirror, mirrored_tiles, rotational, tiles
from pipeline.ops.motion import Motion, pixel_positions
from pipeline.ops.symmetry import Symmetry
from pipeline.ops.warp import plan_sampling, sample
from pipeline.stages.zoom import Zoom
from tests.clips import real_film
from tests.test_change import DREAM, Stages, film

SIZE, STEP = Size(48, 64), 1 / 255
CPU = torch.device("cpu")
ALL_WAYS = {"zoom": 1.3, "rotate": 20.0, "pan": [0.2, 0.1], "shear": [0.1, 0.0], "tilt": [3.0, 2.0]}
TURNING = {"zoom": 0.8, "rotate": "30 * t", "edges": "noise"}
# By symmetry: a camera, and whether all copies fall on pixels, or are made from what falls on one.
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "kaleidoscope 6": ({"kaleidoscope": 6}, TURNING, False),
    "kaleidoscope 5": ({"kaleidoscope": 5}, ALL_WAYS, False),
    "rotational 3": ({"rotational": 3}, TURNING, False),
    "rotational 2": ({"rotational": 2}, TURNING, True),
    "mirror x": ({"mirror": "x"}, ALL_WAYS, True),
    "mirror both": ({"mirror": "both"}, TURNING, True),
    "tiles": ({"tiles": [4, 2]}, ALL_WAYS, True),
    "droste": ({"droste": 3}, {"zoom": 1.4, "rotate": "30 * t"}, True),
    "droste, outwards": ({"droste": 3}, {"zoom": 0.7}, True),
    "tiles that are the same": ({"tiles": [2, 2], "mirrored": False}, {"pan": [0.3, "0.2 * t"]}, True),
}
GROUPS = {
    "kaleidoscope": kaleidoscope(6),
    "odd kaleidoscope": kaleidoscope(3),
    "rotational": rotational(5),
    "mirror": mirror(across=True, down=True),
    "mirrored tiles": mirrored_tiles(3, 2, SIZE, SIZE),
    "tiles": tiles(3, 2, SIZE, SIZE),
    "droste": droste(3.0, SIZE),
}


def stages(symmetry: dict[str, Any], camera: dict[str, Any]) -> Stages:
    return {
        "noise": {},
        "zoom": camera | {"symmetry": symmetry},
        "dream": DREAM | {"strength": 0.5},
        "palette": {"strength": 0.5},
    }


@lru_cache
def dreamt(name: str) -> tuple[list[Tensor], Symmetry]:
    symmetry, camera, _ = KINDS[name]
    with Chain(film(stages(symmetry, camera))) as chain:
        pictures: list[Tensor] = []
        for index in range(8):
            pictures.append(chain.step(index, pictures[-1] if pictures else None).feedback)
        (stage,) = (each for each in chain.effects if isinstance(each, Zoom))
        assert stage._symmetry is not None
        return pictures, stage._symmetry


def read_at_copies(picture: Tensor, symmetry: Symmetry) -> Tensor:
    if symmetry.group.shrinking > 1:
        return symmetry.folded(picture)
    x, y = pixel_positions(symmetry.size, torch.zeros(()).double())[0]
    return sample(picture, plan_sampling(*symmetry.positions(x, y), symmetry.size))


@pytest.mark.parametrize("name", KINDS)
def test_all_frames_are_symmetric(name: str) -> None:
    pictures, symmetry = dreamt(name)
    for picture in pictures:
        apart = (read_at_copies(picture, symmetry) - picture).abs()
        assert float(picture.std()) > 0.03
        if KINDS[name][2]:
            assert float(apart.max()) < 0.1 * STEP
        else:  # between pixels, a sharp picture is known to within so much
            assert float(apart.mean()) < 0.15 * STEP and float((apart < STEP).float().mean()) > 0.97


@pytest.mark.parametrize(("name", "sides"), [("kaleidoscope 6", (2, 3)), ("kaleidoscope 5", (3,)), ("mirror x", (3,))])
def test_mirror_images_on_pixels_are_the_same_to_the_last_digit(name: str, sides: tuple[int, ...]) -> None:
    for picture in dreamt(name)[0]:
        for side in sides:
            assert float((picture - picture.flip(side)).abs().max()) < 0.1 * STEP


@pytest.mark.parametrize("name", ["kaleidoscope 6", "mirror both"])
def test_mirrors_are_no_lines(name: str) -> None:
    bends = torch.stack([picture.mean(1)[0].diff(n=2, dim=0).abs().mean(1) for picture in dreamt(name)[0][3:]]).mean(0)
    assert float(bends[22:24].max()) < 1.3 * float(bends.mean())


@pytest.mark.parametrize("name", GROUPS)
def test_what_counts_is_left_as_it_is(name: str) -> None:
    symmetry, picture = Symmetry(GROUPS[name], SIZE, CPU), noise.pink(SIZE, 0.2, 1.5, torch.Generator().manual_seed(0))
    x, y = pixel_positions(SIZE, torch.zeros(()).double())[0]
    there_x, there_y = symmetry.positions(x, y)
    counts = (torch.hypot(there_x - x, there_y - y) < 1e-6)[None, None]
    once = symmetry.folded(picture)
    assert 0.02 < float(counts.float().mean()) < 0.9
    for _ in range(20):
        once = symmetry.folded(once)
    assert float(((once - picture) * counts).abs().max()) < 1e-3  # of 60 readings


@pytest.mark.parametrize("name", [name for name in GROUPS if name != "droste"])
def test_the_mean_of_all_copies_is_symmetric_and_as_strong(name: str) -> None:
    symmetry, detail = (
        Symmetry(GROUPS[name], SIZE, CPU),
        noise.pink(SIZE, 0.1, 2.0, torch.Generator().manual_seed(1)) - 0.45,
    )
    mean = symmetry.averaged(detail)
    assert float(mean.abs().mean()) == pytest.approx(float(detail.abs().mean()), rel=1e-3)
    inner = (read_at_copies(mean, symmetry) - mean)[..., 8:-8, 8:-8]
    assert float(inner.abs().mean()) < 0.1 * float(mean.std())


def test_motion_behind_a_mirror_is_mirrored() -> None:
    symmetry = Symmetry(mirror(across=True, down=False), SIZE, CPU)
    flow = torch.zeros(1, 2, *SIZE)
    flow[:, 0], flow[:, 1] = -3.0, 1.0
    seen = symmetry.moved(Motion(flow, torch.ones(1, 1, *SIZE)), hidden=True)
    assert seen.flow[0, :, 20, 5].tolist() == pytest.approx([-3, 1], abs=1e-4)
    assert seen.flow[0, :, 20, 60].tolist() == pytest.approx([3, 1], abs=1e-4)
    assert float(seen.trust[0, 0, 20, 31]) == 1.0


def test_a_picture_in_the_picture_is_the_picture() -> None:
    for picture in dreamt("droste")[0]:
        inner = picture[..., 16:32, 21:43]  # of 21.3 pixels, from 21.3 on
        small = torch.nn.functional.interpolate(picture, (16, 22), mode="area")
        assert float((inner - small)[..., 1:-1, 1:-1].abs().mean()) < 0.5 * float(small.std())


def test_motion_in_the_picture_in_the_picture_is_smaller() -> None:
    flow = torch.full((1, 2, *SIZE), 3.0)
    seen = Symmetry(droste(3.0, SIZE), SIZE, CPU).moved(Motion(flow, torch.ones(1, 1, *SIZE)), hidden=False)
    assert seen.flow[0, :, 24, 32].tolist() == pytest.approx([1, 1], abs=1e-3)
    assert seen.flow[0, :, 5, 32].tolist() == pytest.approx([3, 3], abs=1e-3)


def test_footage_in_a_kaleidoscope_is_symmetric() -> None:
    footage: Stages = {
        "video": {"path": str(real_film("carphone_pristine"))},
        "zoom": {"zoom": 1.2, "rotate": 20, "symmetry": {"kaleidoscope": 4}},
        "flow": {},
        "dream": DREAM,
    }
    with Chain(film(footage, size="48x48")) as chain:
        previous = None
        for index in range(3):
            previous = chain.step(index, previous).feedback
            assert float((previous - previous.transpose(2, 3)).abs().max()) < STEP
            assert float((previous - previous.flip(3)).abs().max()) < STEP


@pytest.mark.parametrize(
    ("symmetry", "camera", "key"),
    [
        ({"rotational": 4}, {"pan": [0.1, 0]}, "pan: moves, which tears rotational apart: only zoom and rotate may"),
        ({"tiles": [2, 1], "mirrored": False}, {"zoom": 1.1}, "zoom: moves, which tears tiles apart: only pan may"),
        ({"kaleidoscope": 1}, {}, "kaleidoscope: is 1"),
        ({"mirror": "z"}, {}, "mirror: is 'z'"),
        ({"mirror": "x", "tiles": [2, 2]}, {}, "names mirror and tiles"),
    ],
)
def test_what_would_tear_is_refused(symmetry: dict[str, Any], camera: dict[str, Any], key: str) -> None:
    with pytest.raises(PresetError) as caught:
        film(stages(symmetry, camera))
    assert key in str(caught.value)
