"""Directions learnt from photographs: what the file holds, what it refuses, and what presets make of it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from pipeline import backbones
from pipeline.atlas import Entry
from pipeline.cli.commands import app
from pipeline.errors import ModelError, PresetError
from pipeline.learn import Learnt, direction_entries, learn
from pipeline.learn.factorise import factorise
from pipeline.objectives import DirectionTerm
from pipeline.objectives.learnt import directions_for, learnt_from, read_directions, write_directions
from pipeline.preset import parse_preset
from tests.conftest import photograph
from tests.films import LEARNT

CPU = torch.device("cpu")
PHOTOS = [photograph("chelsea.png"), photograph("coffee.png")]


@pytest.fixture(scope="module")
def found() -> Learnt:
    return learn(PHOTOS, "blocks.4.1", 6, CPU, most=600)


def test_directions_are_of_unit_length_and_the_strongest_comes_first(found: Learnt) -> None:
    directions = found.directions
    assert directions.vectors.shape == (6, 112) and found.codes.shape == (len(found.sample.vectors), 6)
    assert torch.allclose(directions.vectors.norm(dim=1), torch.ones(6))
    assert directions.strengths.tolist() == sorted(directions.strengths.tolist(), reverse=True)
    assert bool((found.codes >= 0).all()) and float((found.codes > 0).float().mean()) < 0.6
    assert 0.1 < found.explained < 1


def test_each_is_shown_more_where_its_code_is_large(found: Learnt) -> None:
    along = found.sample.vectors @ found.directions.vectors.T
    for number in range(6):
        shown = found.codes[:, number] > 0
        assert float(along[shown, number].mean()) > float(along[~shown, number].mean())


def test_a_known_mixture_is_found_again() -> None:
    generator = torch.Generator().manual_seed(0)
    true = torch.nn.functional.normalize(torch.randn(4, 24, generator=generator), dim=1)
    codes = torch.rand(800, 4, generator=generator) * (torch.rand(800, 4, generator=generator) < 0.25) * 9
    found = factorise(codes @ true + 0.01 * torch.randn(800, 24, generator=generator), 4, 0)
    likeness = torch.nn.functional.normalize(found.atoms * found.deviation, dim=1) @ true.T
    assert float(likeness.max(0).values.min()) > 0.95


def test_the_file_is_the_same_however_many_threads_there_are(found: Learnt, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    try:
        again = learn(PHOTOS, "blocks.4.1", 6, CPU, most=600)
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)
    files = [tmp_path / name for name in ("a.safetensors", "b.safetensors")]
    for each, file in zip((found, again), files, strict=True):
        write_directions(each.directions, file, {"pictures": 2})
    assert files[0].read_bytes() == files[1].read_bytes()
    assert torch.equal(read_directions(files[0]).vectors, found.directions.vectors)


def test_too_few_places_are_told() -> None:
    with pytest.raises(ModelError, match="7 directions can't be learnt from 5 places; take more pictures, or fewer"):
        factorise(torch.rand(5, 8), 7, 0)


def test_without_scikit_learn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ModelError, match=r"pip install 'dreamreel\[learn\]'"):
        learn(PHOTOS, "blocks.4.1", 6, CPU)


def test_a_file_of_another_network_or_other_weights_is_refused() -> None:
    with pytest.raises(ModelError, match="is of lite0, and the dream's model is vgg16; set `model: lite0`, or learn"):
        directions_for(backbones.find_recipe("vgg16"), str(LEARNT))
    other = backbones.load("lite0", ["blocks.4.1"], CPU, "random")
    with pytest.raises(ModelError, match="was learnt from lite0 with other weights"):
        learnt_from(other, str(LEARNT))


def test_a_broken_file_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "my.directions.safetensors"
    broken.write_bytes(LEARNT.read_bytes()[:-9])
    with pytest.raises(ModelError, match="is no file of directions, or damaged"):
        read_directions(broken)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (f"{{directions: {LEARNT}, direction: 6}}", r"direction: is 6, and .* has directions 0 to 5; the nearest is 5"),
        (f"{{directions: {LEARNT}, layer: blocks.4.1, direction: 1}}", "stands beside `directions`"),
        ("{directions: nowhere.safetensors, direction: 1}", "nowhere.safetensors"),
        ("{layer: blocks.4.1, direction: 3}", "no file says which that is; name it with `directions`"),
        (f"{{directions: {LEARNT}, wander: 6}}", "there are 6 directions; use at most 5"),
        (f"{{directions: {LEARNT}, journey: [1, 9]}}", r"journey\[1\]: is 9"),
        (f"{{directions: {LEARNT}, nearest: [palace]}}", "must be the number of one of its directions"),
    ],
)
def test_what_presets_get_wrong(keys: str, said: str) -> None:
    document = f"size: 64x48\nduration: 1s\nstages: [{{stage: noise}}, {{stage: dream, objective: {keys}}}]\n"
    with pytest.raises(PresetError, match=said):
        parse_preset(document.encode(), name="film")


def test_the_command_writes_the_file_and_an_atlas(tmp_path: Path) -> None:
    out = tmp_path / "mine.directions.safetensors"
    line = ["learn", str(PHOTOS[0]), "-k", "2", "--places", "1000", "--side", "32", "-o", str(out)]
    result = CliRunner().invoke(app, line)
    assert result.exit_code == 0, result.output
    page = (tmp_path / "mine.html").read_text()
    assert len(read_directions(out)) == 2
    assert "direction: 1" in page and str(out) in page
    sheet = np.asarray(Image.open(tmp_path / "mine.png").convert("L"))
    assert sheet.shape[1] > 2 * 2 * 32 and sheet.std() > 10
    again = CliRunner().invoke(app, line)
    assert again.exit_code != 0 and out.exists()


def test_entries_name_the_file_and_the_number(found: Learnt, tmp_path: Path) -> None:
    entries = direction_entries(found, tmp_path / "x.safetensors")
    assert [isinstance(entry, Entry) and entry.term for entry in entries][5] == DirectionTerm.model_validate(
        {"directions": str(tmp_path / "x.safetensors"), "direction": 5}
    )
