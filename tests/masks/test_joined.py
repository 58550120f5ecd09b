"""Masks made of others: what `all`, `any` and `not` make of every kind, on the move and off files, and in presets."""

from __future__ import annotations

import itertools
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor

from pipeline.chain import frames
from pipeline.errors import PresetError
from pipeline.frame import Size
from pipeline.masks import FollowedSubject, Mask, MaskField, MaskReel, MovingMask
from pipeline.media.picture import fit_to, read_picture, write_png
from pipeline.ops.motion import Motion
from pipeline.preset import Preset, parse_preset
from pipeline.preset.load import load_preset
from pipeline.stages import RunSpec
from pipeline.stages.dream import DreamConfig
from pipeline.stills import StillDreamer
from pipeline.studio.schema import entry_schema, variants
from tests.clips import counter
from tests.conftest import photograph
from tests.films import FOLDED

SIZE = Size(96, 144)
SPEC = RunSpec(SIZE, Fraction(12), 3, 1, torch.device("cpu"))
CUP = fit_to(read_picture(photograph("coffee.png")), SIZE, "crop")
BRIGHT = {"luminance": [0.3, 1]}


def mask(keys: Any) -> Mask:
    found: Mask = TypeAdapter(MaskField).validate_python(keys)
    assert not list(found.problems())
    return found


def shown(keys: Any, spec: RunSpec = SPEC, picture: Tensor = CUP) -> Tensor:
    """The mask in the first frame of a film."""
    moving = MovingMask(mask(keys), spec)
    moving.follow(picture, 0, None, fresh=True, footage=None)
    return moving(picture, 0)


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """One mask of every kind."""
    folder = tmp_path_factory.mktemp("masks")
    right = torch.zeros(1, 3, *SIZE)
    right[..., 70:] = 1
    write_png(right, folder / "right.png")
    counter(folder / "film.mp4", 3, "12", size="144x96")
    files = [{"image": str(folder / "right.png")}, {"film": str(folder / "film.mp4")}]
    return [*files, {"radial": 0.3}, BRIGHT, {"saliency": 0.3}, {"detail": 0.05}, "subject", "background"]


@torch.no_grad()
def test_every_kind_joins_every_other(kinds: list[Any]) -> None:
    alone = [shown(each) for each in kinds]
    for (one, a), (other, b) in itertools.combinations(zip(kinds, alone, strict=True), 2):
        assert torch.equal(shown({"all": [one, other]}), torch.minimum(a, b)), (one, other)
        assert torch.equal(shown({"any": [one, other]}), torch.maximum(a, b)), (one, other)
    for each, a in zip(kinds, alone, strict=True):
        assert torch.equal(shown({"not": each}), 1 - a) and torch.equal(shown({"all": [each, each]}), a)


@torch.no_grad()
def test_not_turns_all_into_any(kinds: list[Any]) -> None:
    some = kinds[2:5]
    assert torch.equal(shown({"not": {"all": some}}), shown({"any": [{"not": each} for each in some]}))


def test_outputs_and_depth_read_them_frame_by_frame(kinds: list[Any]) -> None:
    film = {"any": [{"all": [kinds[1], kinds[0]]}, {"not": {"not": kinds[2]}}]}
    reel, parts = MaskReel(mask(film), SPEC.fps), [MaskReel(mask(each), SPEC.fps) for each in kinds[:3]]
    masks = []
    for index in range(3):
        right, counted, disc = (each(CUP, index) for each in parts)
        masks.append(reel(CUP, index))
        assert torch.equal(masks[-1], torch.maximum(torch.minimum(counted, right), disc))
    assert not torch.equal(masks[0], masks[2])


@torch.no_grad()
def test_a_subject_in_it_moves_along_and_a_place_stays() -> None:
    moving = MovingMask(mask({"all": [{"find": "subject", "soft": 0}, {"radial": 0.45, "soft": 0}]}), SPEC)
    moving.follow(CUP, 0, None, fresh=True, footage=None)
    alone = FollowedSubject(0.3, SPEC.fps, SPEC.device)
    alone.follow(CUP, 0, None, fresh=True, footage=False)
    flow = torch.zeros(1, 2, *SIZE)
    flow[:, 0] = 12
    motion = Motion(flow, torch.ones(1, 1, *SIZE))
    moving.follow(CUP, 1, motion, fresh=False, footage=None)
    subject = alone.follow(CUP, 1, motion, fresh=False, footage=False)
    disc = shown({"radial": 0.45, "soft": 0})
    assert torch.equal(moving(CUP, 1), torch.minimum(subject, disc)) and (subject[disc == 0] > 0.9).any()


@torch.no_grad()
def test_one_subject_is_looked_for_once_however_often_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    find = FollowedSubject.follow
    monkeypatch.setattr(FollowedSubject, "follow", lambda self, *a, **k: looks.append(self) or find(self, *a, **k))
    split = {"any": [{"all": ["subject", BRIGHT]}, {"all": [{"find": "background", "soft": 0.1}, {"radial": 0.2}]}]}
    shown(split)
    assert len(looks) == 1
    shown({"any": ["subject", {"find": "subject", "half_life": 2}]})
    assert len(looks) == 3


@torch.no_grad()
def test_state_goes_on_and_a_change_keeps_the_subject() -> None:
    keys = {"any": [{"all": ["subject", BRIGHT]}, {"find": "background", "half_life": 2}]}
    first = MovingMask(mask(keys), SPEC)
    first.follow(CUP, 0, None, fresh=True, footage=None)
    assert set(first.state_dict()) == {"mask-shown", "mask-found", "mask-1-shown", "mask-1-found"}
    second = MovingMask(mask(keys), SPEC)
    second.load_state_dict(first.state_dict())
    other = MovingMask(mask({"not": "subject"}), SPEC, first)
    slower = MovingMask(mask({"not": {"find": "subject", "half_life": 5}}), SPEC, first)
    for each in (first, second, other, slower):
        each.follow(torch.zeros_like(CUP), 1, None, fresh=False, footage=None)
    assert torch.equal(first(CUP, 1), second(CUP, 1))
    assert torch.allclose(other(CUP, 1), shown("background"), atol=1e-6)
    assert torch.equal(slower(CUP, 1), other(CUP, 1))  # not looked for anew in what the dream has become


@torch.no_grad()
def test_in_a_margin_places_are_the_frame_s(kinds: list[Any]) -> None:
    margin = Size(16, 24)
    wide = replace(SPEC, margin=margin)
    both = shown({"all": [BRIGHT, {"radial": 0.3, "soft": 0}]}, wide)
    frame = SPEC.size.height - 2 * margin.height, SPEC.size.width - 2 * margin.width
    inner = both[..., 16 : 16 + frame[0], 24 : 24 + frame[1]]
    disc = MaskReel(mask({"radial": 0.3, "soft": 0}), SPEC.fps)(torch.zeros(1, 3, *frame), 0)
    assert bool((inner <= disc).all()) and float(inner.max()) > 0.9 and float(both[..., :16, :].max()) == 0


def preset(keys: str, head: str = "size: 144x96\n") -> Preset:
    chain = f"  - {{stage: image, path: {photograph('coffee.png')}}}\n  - {{{FOLDED}, mask: {keys}}}\n"
    return parse_preset(f"{head}fps: 12\nduration: 2f\nstages:\n{chain}".encode())


def test_the_dream_stays_where_all_are() -> None:
    joint = "{all: [subject, {not: {radial: 0.3, soft: 0}}]}"
    dreamt = next(iter(frames(preset(joint)))).image
    change, where = (dreamt - CUP).abs().mean(1, keepdim=True), shown(mask_of(joint))
    assert float(change[where == 0].sum()) == 0 and float(change[where > 0.95].mean()) > 0.01
    assert float((where == 0).float().mean()) > 0.3


def mask_of(keys: str) -> Any:
    config = preset(keys).stages[1]
    assert isinstance(config, DreamConfig) and config.uses_motion
    return config.mask


def test_stills_take_them() -> None:
    keys = {"layer": "blocks.2.1", "octaves": 1, "first_steps": 2, "jitter": 4, "engine": "folded"}
    whole = StillDreamer(keys, 0, SPEC.device)(CUP)
    part = StillDreamer(keys | {"mask": {"not": {"radial": 0.3, "soft": 0}}}, 0, SPEC.device)(CUP)
    assert torch.equal(part[..., 44:52, 68:76], CUP[..., 44:52, 68:76]) and not torch.equal(whole, part)


def test_presets_write_them_out_and_know_their_files(tmp_path: Path, kinds: list[Any]) -> None:
    (tmp_path / "mine.yaml").write_text(
        "stages:\n  - stage: noise\n  - stage: dream\n    mask:\n      any:\n        - not: {image: a.png}\n"
        "        - all: [background, {film: rows}, {image: b.png}]\n"
    )
    found = load_preset(tmp_path / "mine.yaml", checked=False)
    assert {key: each.path.name for key, each in found.inputs().items()} == {
        "dream.mask.any[0].not.image": "a.png",
        "dream.mask.any[1].all[1].film": "rows",
        "dream.mask.any[1].all[2].image": "b.png",
    }
    texts = {"dream.mask.any[0].not.image": "moved.png"}
    assert found.with_inputs(texts)["stages"][1]["mask"]["any"][0] == {
        "not": {"image": "moved.png", "soft": 0.05, "invert": False, "fit": "crop"}
    }
    whole = preset("{any: [{all: [subject, {luminance: [0.3, 1]}]}, {not: {radial: 0.4}}]}")
    assert parse_preset(whole.to_yaml().encode()).stages == whole.stages


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("{all: []}", r"mask\.all: is \[\]: must be a list of masks, such as \[subject"),
        ("{any: subject}", r"mask\.any: is 'subject': must be a list of masks"),
        ("{all: [subject], any: [subject]}", r"mask: must be a mapping with one of the keys.*names all and any"),
        ("{all: [subject], soft: 0.1}", r"mask\.soft: unknown key 'soft' \(there are: all\)"),
        ("{all: [subject, {luminance: [0.6, 0.4]}]}", r"mask\.all\[1\]\.luminance: is \[0\.6, 0\.4\], must be"),
        ("{any: [subject, {not: {image: no.png}}]}", r"mask\.any\[1\]\.not\.image: can't read the picture"),
        ("{any: [subject, {not: {radial: 11}}]}", r"mask\.any\[1\]\.not\.radial: is 11.*at most 10"),
        ("{not: subjct}", r"mask\.not: is 'subjct': must be subject or background; did you mean 'subject'"),
        ("{not: [subject]}", r"mask\.not: is \['subject'\]: must be a mapping with one of the keys"),
        ("{not: }", r"mask\.not"),
        ("{not: " * 9 + "subject" + "}" * 9, r"mask: holds masks within masks, more than 8 deep; write it flatter"),
        ("{all: [" + "subject, " * 33 + "]}", r"mask: is made of more than 32 masks; draw a picture of it"),
    ],
)
def test_mistakes(keys: str, words: str) -> None:
    with pytest.raises(PresetError, match=words):
        preset(keys)


def test_the_deepest_that_is_allowed_is_read() -> None:
    assert preset("{not: " * 7 + "subject" + "}" * 7).stages[1]


def test_what_only_dreams_can_follow_is_told_where_it_stands() -> None:
    text = "stages: [{stage: noise}, {stage: dream}, {stage: encode, format: prores-4444, mask: MASK}]"
    with pytest.raises(PresetError, match=r"mask\.all\[1\]\.not: is subject, which only dreams can follow"):
        parse_preset(text.replace("MASK", "{all: [{radial: 0.4}, {not: subject}]}"))
    parse_preset(text.replace("MASK", "{all: [{radial: 0.4}, {not: {luminance: [0.5, 1]}}]}"))
    around = "projection: equirectangular\nsize: 256x128\n"
    around += "stages: [{stage: noise}, {stage: dream, octaves: 1, mask: {any: [{radial: 0.2}, subject]}}]"
    with pytest.raises(PresetError, match=r"mask\.any\[1\]\.find: is subject, which is told in flat pictures only"):
        parse_preset(around)


def test_the_schema_knows_short_words_and_joined_masks() -> None:
    for name in ("dream", "encode"):
        whole = entry_schema(name)
        assert whole is not None
        meant = list(variants(whole["properties"]["mask"], whole))
        assert [each["const"] for each in meant if "const" in each] == ["subject", "background"]
        keys = {key for each in meant for key in each.get("properties", {})}
        assert {"radial", "find", "all", "any", "not"} <= keys
        within = next(each["properties"]["all"]["items"] for each in meant if "all" in each.get("properties", {}))
        assert {"subject", "background"} == {each.get("const") for each in variants(within, whole)} - {None}
