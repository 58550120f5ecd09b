"""Dreams that stay where they are told to: every kind of mask, soft and inverted, in presets and in stills."""

from __future__ import annotations

import itertools
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor

from pipeline import backbones
from pipeline.engines import Climb, climb
from pipeline.engines.graph import GraphEngine
from pipeline.errors import PresetError
from pipeline.frame import Size
from pipeline.masks import Mask, MaskField, MaskReel
from pipeline.media.picture import fit_to, read_picture
from pipeline.objectives import LayerL2
from pipeline.ops import noise
from pipeline.ops.gradient import laplacian_normalised
from pipeline.preset import parse_preset
from pipeline.stages import FrameContext, RunSpec
from pipeline.stages.dream import Dream, DreamConfig
from tests.clips import counter
from tests.conftest import photograph

SIZE = Size(64, 96)
SPEC = RunSpec(SIZE, Fraction(12), 3, 1, torch.device("cpu"))


def _mask(**keys: Any) -> Mask:
    found: Mask = TypeAdapter(MaskField).validate_python(keys)
    assert not list(found.problems())
    return found


def _photograph() -> Tensor:
    return fit_to(read_picture(photograph("chelsea.png")), SIZE, "crop")


@pytest.fixture
def half(tmp_path: Path) -> str:
    """A mask that is white on its left."""
    pixels = np.zeros((32, 48), np.uint8)
    pixels[:, :24] = 255
    cv2.imwrite(str(tmp_path / "half.png"), pixels)
    return str(tmp_path / "half.png")


def _kinds(half: str) -> list[dict[str, Any]]:
    return [{"image": half}, {"radial": 0.3}, {"luminance": [0.5, 1.0]}, {"saliency": 0.3}, {"detail": 0.05}]


def test_masks_are_soft_shares_and_invert(half: str) -> None:
    for keys in _kinds(half):
        mask, other = _mask(**keys)(_photograph()), _mask(**keys, invert=True)(_photograph())
        assert mask.shape == (1, 1, *SIZE) and mask.min() >= 0 and mask.max() <= 1
        assert torch.allclose(mask + other, torch.ones_like(mask))
        assert 0.1 < float(mask.mean()) < 0.9 and float(mask.max()) > 0.9 and float(mask.min()) < 0.1, keys
        assert float(((mask > 0.05) & (mask < 0.95)).float().mean()) > 0.02, keys  # soft


def test_each_mask_is_where_it_says(half: str) -> None:
    frame = _photograph()
    assert (
        float(_mask(image=half)(frame)[..., 10].mean()) > 0.95 > 0.05 > float(_mask(image=half)(frame)[..., 85].mean())
    )
    disc = _mask(radial=0.25, centre=[0.25, 0.5], soft=0.0)(frame)
    assert disc[0, 0, 32, 24] == 1 and disc[0, 0, 32, 60] == 0
    assert float(disc.mean()) == pytest.approx(np.pi * (0.25 * 64) ** 2 / (64 * 96), rel=0.03)
    steps = torch.linspace(0, 1, 96).expand(1, 3, 64, 96).contiguous()
    band = _mask(luminance=[0.4, 0.6], soft=0.0, ramp=0.01)(steps)
    assert band[0, 0, 5, 48] == 1 and band[0, 0, 5, 30] == 0 and band[0, 0, 5, 66] == 0
    dot = noise.pink(SIZE, 0.05, 1.0, torch.Generator().manual_seed(0))
    dot[:, :, 20:28, 60:68] = 0.9
    found = _mask(saliency=0.1)(dot)[0, 0]
    assert found[24, 64] > 0.5 and found[50, 15] < 0.2


def test_a_film_masks_frame_by_frame_wherever_it_is_entered(tmp_path: Path) -> None:
    path = tmp_path / "mask.mp4"
    counter(path, 6, "12", size="96x64")  # every frame has a brightness of its own
    config = _mask(film=str(path), soft=0.0)
    frame = _photograph()
    reel = MaskReel(config, Fraction(12))
    shown = [reel(frame, index) for index in range(8)]
    assert len({round(float(mask.mean()), 3) for mask in shown[:6]}) == 6
    assert torch.equal(shown[5], shown[6]) and torch.equal(shown[6], shown[7])
    for index in (3, 7):
        assert torch.equal(MaskReel(config, Fraction(12))(frame, index), shown[index])


@pytest.mark.parametrize("jitter", [0, 16])
def test_the_dream_stays_inside(half: str, jitter: int) -> None:
    keys = {"id": "dream", "layer": "blocks.2.1", "octaves": 2, "first_steps": 4, "jitter": jitter}
    for mask in _kinds(half):
        config = DreamConfig.model_validate(keys | {"mask": mask})
        assert not list(config.problems(SPEC))
        frame = _photograph()
        change = (Dream(config, SPEC)(frame, FrameContext(0, SPEC, None)) - frame).abs().mean(1, keepdim=True)
        weight = _mask(**mask)(frame)
        assert float(change[weight == 0].sum()) == 0
        assert float(change[weight > 0.9].mean()) > 3 * float(change[weight < 0.1].mean())


def test_over_footage_the_source_says_where() -> None:
    config = DreamConfig.model_validate(
        {"id": "dream", "layer": "blocks.2.1", "octaves": 1, "first_steps": 1, "mask": {"luminance": [0.5, 1.0]}}
    )
    frame = _photograph()
    ctx = FrameContext(0, SPEC, None)
    ctx.show(torch.zeros_like(frame), None, None, False)
    assert torch.equal(Dream(config, SPEC)(frame, ctx), frame)


def test_presets_read_and_write_masks(half: str) -> None:
    text = f"stages:\n  - stage: noise\n  - stage: dream\n    mask: {{image: {half}, invert: true}}\n"
    preset = parse_preset(text.encode())
    assert parse_preset(preset.to_yaml().encode()).stages == preset.stages


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        ("{image: nowhere.png}", r"mask\.image: can't read the picture"),
        ("{film: nowhere.mp4}", r"mask\.film: .*nowhere\.mp4"),
        ("{radial: 0.3, image: a.png}", r"mask: .*one of the keys.*this one names image and radial"),
        ("{radial: 0}", r"mask\.radial: is 0.*greater than 0"),
        ("{luminance: [0.6, 0.4]}", r"mask\.luminance: is \[0\.6, 0\.4\], must be"),
        ("{radial: 0.3, sfot: 0.1}", r"mask\.sfot: unknown key 'sfot'; did you mean 'soft'"),
    ],
)
def test_mistakes(mask: str, words: str) -> None:
    with pytest.raises(PresetError) as caught:
        parse_preset(f"stages:\n  - stage: noise\n  - stage: dream\n    mask: {mask}\n".encode())
    assert re.search(words, str(caught.value)), str(caught.value)


def test_laplacian_normalisation_lifts_what_is_weak() -> None:
    y = torch.arange(64.0)[:, None].expand(64, 96)
    coarse, fine = torch.sin(y / 8), torch.sin(y * 2.5)
    gradient = (coarse + 0.05 * fine).expand(1, 3, 64, 96)

    def share(picture: Tensor) -> float:
        column = picture[0, 0, :, 40] - picture[0, 0, :, 40].mean()
        return float((column @ fine[:, 0]).abs() / (column @ coarse[:, 0]).abs())

    assert share(laplacian_normalised(gradient)) > 5 * share(gradient)
    assert laplacian_normalised(torch.zeros(1, 3, 5, 3)).abs().max() == 0
    frame = _photograph()
    keys = {"id": "dream", "layer": "blocks.4.1", "octaves": 1, "first_steps": 2, "first_strength": 0.02}
    mean, laplacian = (
        Dream(DreamConfig.model_validate(keys | {"normalise": kind}), SPEC)(frame, FrameContext(0, SPEC, None))
        for kind in ("mean", "laplacian")
    )
    assert not torch.equal(mean, laplacian)


def test_captured_steps_level_octaves_alike() -> None:
    layer = "blocks.2.1"
    graph = GraphEngine(backbones.load("lite0", [layer], SPEC.device), "float32")
    how = Climb(3, 0.01, 8, None, laplacian=True)
    found, plain = (
        climb(engine, LayerL2(layer), _photograph(), how, torch.Generator().manual_seed(1))
        for engine in (graph, graph._folded)
    )
    assert torch.allclose(found, plain, atol=1e-5)
    flat = climb(graph, LayerL2(layer), _photograph(), Climb(3, 0.01, 8, None), torch.Generator().manual_seed(1))
    assert not torch.allclose(found, flat, atol=1e-3)


def test_a_picture_edited_between_two_renders_is_read_anew_and_not_within_one(half: str) -> None:
    frame = _photograph()
    reel = MaskReel(_mask(image=half), SPEC.fps)
    before = reel(frame, 0)
    cv2.imwrite(half, cv2.imread(half)[:, ::-1])
    assert torch.equal(reel(frame, 1), before)
    after = MaskReel(_mask(image=half), SPEC.fps)(frame, 0)
    assert torch.allclose(after, before.flip(3), atol=1e-5)


def test_detail_is_where_there_is_something_to_see() -> None:
    frame = torch.full((1, 3, 96, 160), 0.6)
    frame[..., :48, :] = torch.linspace(0.3, 0.9, 160)  # a clear sky: it changes, but slowly
    frame[..., 60:, :80] = noise.pink(Size(36, 80), 0.1, 1.0, torch.Generator().manual_seed(0))
    found = _mask(detail=0.02, soft=0.02)(frame)
    assert found[..., 66:, :60].min() > 0.9 and found[..., :36, :].max() < 0.05 and found[..., 66:, 120:].max() < 0.05


def test_a_sharp_horizon_leaves_the_sky_above_it_alone() -> None:
    frame = torch.full((1, 3, 144, 256), 0.8)
    frame[..., 90:, :] = noise.pink(Size(54, 256), 0.1, 1.0, torch.Generator().manual_seed(0)) - 0.15
    found = _mask(detail=0.015)(frame).mean(3).flatten()
    assert found[: 90 - 17].max() < 0.05  # from 12 % of the height above the horizon on
    assert found[88:].min() > 0.5 and found[100:].min() > 0.95


def test_the_grain_of_a_film_does_not_make_detail_flicker() -> None:
    clean, chance = read_picture(photograph("coffee.png")), torch.Generator().manual_seed(0)
    grainy = [clean + torch.randn(clean.shape, generator=chance) * 2 / 255 for _ in range(3)]
    masks = [_mask(detail=0.02)(frame.clamp(0, 1)) for frame in grainy]
    assert 0.2 < masks[0].mean() < 0.99
    assert max(float((a - b).abs().mean()) for a, b in itertools.pairwise(masks)) < 0.01
