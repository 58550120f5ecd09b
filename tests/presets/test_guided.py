"""A dream guided by a picture: its colours, and where the picture is looked for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipeline.chain import frames
from pipeline.errors import PresetError
from pipeline.preset import Override, load_preset, parse_preset
from tests.conftest import photograph

GUIDED = """
size: 96x72
fps: 12
duration: 1f
stages:
  - stage: noise
  - stage: dream
    objective: {layer: blocks.2.1, guide: GUIDE}
    octaves: 1
    engine: folded
    precision: float32
    first_steps: 1
  - {stage: palette, PALETTE}
"""


def text(palette: str, guide: str = str(photograph("coffee.png"))) -> str:
    return GUIDED.replace("GUIDE", guide).replace("PALETTE", palette)


def test_the_palette_follows_the_guide() -> None:
    named, followed, photo = (
        next(iter(frames(parse_preset(text(palette))))).image
        for palette in (f"image: {photograph('coffee.png')}", "to: guide", "to: photo")
    )
    assert torch.equal(named, followed) and not torch.equal(named, photo)


def test_a_palette_has_no_guide_to_follow() -> None:
    with pytest.raises(PresetError, match=r"stages\[1\].to: is 'guide', and no dream has a guide"):
        parse_preset("stages: [{stage: noise}, {stage: palette, to: guide}]")


def test_typed_paths_are_meant_from_where_they_are_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf, here = tmp_path / "shelf", tmp_path / "here"
    for folder in (shelf, here):
        folder.mkdir()
    (shelf / "p.yaml").write_text(text("to: guide", "beside.png"))
    for path in (shelf / "beside.png", here / "mine.png", here / "mask.png"):
        path.write_bytes(photograph("coffee.png").read_bytes())
    monkeypatch.chdir(here)
    assert load_preset("../shelf/p.yaml").spec().guide == str(shelf / "beside.png")
    changes = [Override("dream.objective", "[{layer: blocks.2.1, guide: mine.png}]")]
    changes += [Override("dream.mask", "{image: mask.png}"), Override("dream.weights", "random")]
    changed = load_preset("../shelf/p.yaml", changes)
    assert changed.spec().guide == str(here / "mine.png")
    assert f"image: {here / 'mask.png'}" in changed.to_yaml()
    with pytest.raises(PresetError, match=r"audio: .*there is no such file"):
        load_preset("../shelf/p.yaml", [Override("audio", "song.wav")])


def test_a_missing_package_is_said_once_with_every_key_that_needs_it() -> None:
    with pytest.raises(PresetError) as caught:
        parse_preset(text("image: package:no_such/b.png", "package:no_such/a.png"))
    said = str(caught.value)
    assert len(said.splitlines()) == 1
    assert "'no_such' is not installed" in said and "stages[2].image needs it too" in said
    assert "--set dream.objective.guide=FILE --set palette.image=FILE" in said
