"""What a picture is about: against outlines drawn by hand, over footage, in zooms, in presets and stills."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks.subject import shown, warping_error
from pipeline.chain import frames
from pipeline.errors import PresetError
from pipeline.frame import Size, size_of
from pipeline.masks import FollowedSubject, FoundMask
from pipeline.masks.subject import SubjectFinder
from pipeline.media.picture import fit_to, read_picture
from pipeline.ops.motion import Motion
from pipeline.preset import Preset, parse_preset
from pipeline.stills import StillDreamer
from tests.conftest import photograph
from tests.films import DREAM
from tests.masks.outlines import MAN, OUTLINES, filled

CPU = torch.device("cpu")
CUP = fit_to(read_picture(photograph("coffee.png")), Size(96, 144), "crop")


@pytest.fixture(scope="module")
def find() -> SubjectFinder:
    return SubjectFinder(CPU)


def found(**keys: Any) -> FoundMask:
    return FoundMask.model_validate({"find": "subject"} | keys)


def agreement(mask: Tensor, outline: Tensor) -> float:
    """Intersection over union."""
    inside = mask[0, 0] > 0.5
    return float((inside & outline).sum() / (inside | outline).sum())


@pytest.mark.parametrize("name", OUTLINES)
@torch.no_grad()
def test_it_is_where_a_hand_drew_it(name: str, find: SubjectFinder) -> None:
    picture = read_picture(photograph(name))
    mask = find(picture)
    assert mask.shape == (1, 1, *size_of(picture)) and mask.min() >= 0 and mask.max() <= 1
    assert agreement(mask, filled(OUTLINES[name], size_of(picture))) >= 0.6


@torch.no_grad()
def test_in_a_frame_of_footage(find: SubjectFinder) -> None:
    picture, _ = next(shown("carphone_pristine", Size(144, 176), 1))
    assert agreement(find(picture), filled(MAN, Size(144, 176))) >= 0.6


@pytest.mark.parametrize("size", [Size(16, 16), Size(16, 400), Size(300, 24)])
@pytest.mark.parametrize("level", [0.0, 0.5])
@torch.no_grad()
def test_even_where_there_is_none_it_is_a_mask(find: SubjectFinder, size: Size, level: float) -> None:
    mask = find(torch.full((1, 3, *size), level))
    assert mask.shape == (1, 1, *size) and bool(mask.isfinite().all()) and mask.min() >= 0 and mask.max() <= 1


@pytest.mark.parametrize("film", ["bigbuckbunny", "carphone_pristine"])
@torch.no_grad()
def test_over_footage_it_does_not_flicker(film: str, find: SubjectFinder) -> None:
    """Less than half of what it would, were it found anew in every frame; and it still is where it is found."""
    config = found(half_life=0.3)
    followed, pairs = FollowedSubject(config.half_life, Fraction(25), CPU), []
    for index, (picture, ctx) in enumerate(shown(film, Size(90, 160), 30)):
        mask = config(followed.follow(picture, index, ctx.motion, fresh=ctx.fresh, footage=True))
        pairs.append((mask, config(find(picture)), ctx.motion))
    errors = [
        sum(warping_error(a[kind], b[kind], b[2]) for a, b in itertools.pairwise(pairs) if b[2] is not None)
        for kind in (0, 1)
    ]
    assert errors[0] < 0.5 * errors[1] and errors[0] / 29 < 0.02
    assert sum(float((mask - alone).abs().mean()) for mask, alone, _ in pairs[6:]) / 24 < 0.1


@torch.no_grad()
def test_a_new_scene_begins_anew() -> None:
    followed = FollowedSubject(0.3, Fraction(24), CPU)
    cat = fit_to(read_picture(photograph("chelsea.png")), Size(96, 144), "crop")
    followed.follow(cat, 0, None, fresh=True, footage=True)
    alone = FollowedSubject(0.3, Fraction(24), CPU).follow(CUP, 1, None, fresh=True, footage=True)
    assert torch.equal(followed.follow(CUP, 1, None, fresh=True, footage=True), alone)


@torch.no_grad()
def test_in_a_zoom_it_moves_with_the_camera_and_is_not_looked_for_again() -> None:
    followed = FollowedSubject(0.3, Fraction(24), CPU)
    first = followed.follow(CUP, 0, None, fresh=True, footage=False)
    flow = torch.zeros(1, 2, 96, 144)
    flow[:, 0] = 8  # what is seen was further right: all moves left
    trust = torch.ones(1, 1, 96, 144)
    trust[..., -8:] = 0
    moved = followed.follow(torch.zeros_like(CUP), 4, Motion(flow, trust), fresh=False, footage=False)
    assert torch.allclose(moved[..., :-8], first[..., 8:], atol=0.02) and moved[..., -8:].max() == 0


@torch.no_grad()
def test_the_background_is_all_but_the_subject(find: SubjectFinder) -> None:
    mask = find(CUP)
    subject, background, inverted = (
        FoundMask.model_validate(keys)(mask)
        for keys in ({"find": "subject"}, {"find": "background"}, {"find": "subject", "invert": True})
    )
    assert torch.allclose(subject + background, torch.ones_like(subject), atol=1e-6)
    assert torch.allclose(background, inverted, atol=1e-6)


def preset(mask: str) -> Preset:
    chain = f"  - {{stage: image, path: {photograph('coffee.png')}}}\n  - {{{DREAM}, octaves: 1, mask: {mask}}}\n"
    return parse_preset(f"size: 144x96\nfps: 12\nduration: 2f\nstages:\n{chain}".encode())


@pytest.mark.parametrize(
    ("short", "long"), [("subject", "{find: subject}"), ("background", "{find: background, soft: 0.01}")]
)
def test_short_and_long_forms(short: str, long: str) -> None:
    assert preset(short).stages == preset(long).stages
    assert parse_preset(preset(short).to_yaml().encode()).stages == preset(short).stages


def test_only_the_background_dreams(find: SubjectFinder) -> None:
    still, dreamt = (next(iter(frames(preset(mask)))).image for mask in ("{radial: 0.0001}", "background"))
    inside, change = find(still), (dreamt - still).abs().mean(1, keepdim=True)
    assert float(change[inside < 0.05].mean()) > 10 * float(change[inside > 0.95].mean())


def test_each_still_has_a_subject_of_its_own() -> None:
    keys = {"layer": "blocks.2.1", "octaves": 1, "first_steps": 2, "jitter": 4, "engine": "folded", "mask": "subject"}
    cat = fit_to(read_picture(photograph("chelsea.png")), Size(96, 144), "crop")
    both, alone = StillDreamer(keys, 0, CPU), StillDreamer(keys, 0, CPU)
    both(cat)
    assert torch.equal(both(CUP), alone(CUP)) and not torch.equal(alone(CUP), CUP)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda: preset("subjct"),
            r"mask: is 'subjct': must be subject or background; did you mean 'subject'\?; or a mapping",
        ),
        (lambda: preset("{find: foreground}"), r"mask\.find: is 'foreground', must be .*subject.*background"),
        (lambda: preset("{find: subject, softness: 1}"), r"mask\.softness: unknown key"),
        (lambda: preset("[subject]"), r"mask: is \['subject'\]: must be a mapping with one of the keys"),
    ],
)
def test_mistakes(change: Callable[[], Any], words: str) -> None:
    with pytest.raises(PresetError, match=words):
        change()


def test_what_can_not_follow_a_subject_says_so() -> None:
    text = "stages: [{stage: noise}, {stage: dream}, {stage: encode, format: prores-4444, mask: subject}]"
    with pytest.raises(PresetError, match=r"mask: is subject, which only dreams can follow"):
        parse_preset(text)
    around = "projection: equirectangular\nsize: 256x128\n"
    around += "stages: [{stage: noise}, {stage: dream, octaves: 1, mask: subject}]"
    with pytest.raises(PresetError, match=r"mask\.find: is subject, which is told in flat pictures only"):
        parse_preset(around)
