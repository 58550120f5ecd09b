"""A chain that names no end has one: written out, checked, and rendered like one that is named."""

from __future__ import annotations

from pathlib import Path

import pytest

import pipeline
from pipeline.errors import PresetError
from pipeline.preset import load_preset, parse_preset

BARE = "name: bare\nsize: 64x48\nduration: 2f\ndevice: cpu\nstages:\n  - stage: noise\n"
NAMED = BARE + "  - stage: encode\n"


def test_it_is_written_out(tmp_path: Path) -> None:
    bare = parse_preset(BARE)
    assert bare.resolved() == parse_preset(NAMED).resolved()
    run = pipeline.render(bare, tmp_path / "run").folder
    assert load_preset(run / "preset.yaml").resolved()["stages"][-1] == {
        "stage": "encode",
        "id": "encode",
        "format": "h264",
        "bits": 8,
        "crf": 17,
        "preset": "medium",
        "writes": "picture",
        "encoder": "software",
    }


def test_odd_sizes_are_judged_alike() -> None:
    said = []
    for text in (BARE, NAMED):
        with pytest.raises(PresetError) as caught:
            parse_preset(text.replace("64x48", "65x49"))
        said.append([problem.message for problem in caught.value.problems])
    assert said[0] == said[1] and "both sides must be even" in said[0][0]


def test_its_name_is_free() -> None:
    stages = parse_preset(BARE.replace("stage: noise", "{stage: noise, id: encode}")).resolved()["stages"]
    assert [stage["id"] for stage in stages] == ["encode", "encode-2"]
