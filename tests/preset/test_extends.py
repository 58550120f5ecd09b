"""Presets that extend others: what becomes of their keys, stages and paths, and where each problem is told."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import PresetError
from pipeline.preset import Preset, load_preset, parse_preset
from tests.conftest import photograph

BASE = """\
name: base
size: 64x48
fps: 12
duration: 8f
plugins: {}
stages:
  - stage: image
    path: cat.png
  - {stage: zoom, zoom: 1.5, rotate: 20}
  - {stage: dream, layer: blocks.2.1, octaves: 1}
  - {stage: palette, to: ember}
  - {stage: encode, crf: 30}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    looks = tmp_path / "looks"
    looks.mkdir()
    shutil.copy(photograph("chelsea.png"), looks / "cat.png")
    (looks / "base.yaml").write_text(BASE)
    return tmp_path


def extended(folder: Path, text: str, extends: str = "looks/base.yaml", **options: Any) -> Preset:
    file = folder / "mine.yaml"
    file.write_text(f"extends: {extends}\n{text}")
    return load_preset(file, **options)


def refused(folder: Path, text: str, extends: str = "looks/base.yaml") -> str:
    with pytest.raises(PresetError) as caught:
        extended(folder, text, extends)
    return str(caught.value).replace(str(folder), "")


def kinds(preset: Preset) -> list[str]:
    return [entry["stage"] for entry in preset.resolved()["stages"]]


def test_keys_replace_keys_of_the_top_and_of_each_stage(folder: Path) -> None:
    preset = extended(folder, "fps: 24\nstages:\n  - {stage: zoom, rotate: 0}\n  - {stage: encode, preset: slow}\n")
    data = preset.resolved()
    assert (data["name"], data["size"], data["fps"]) == ("mine", "64x48", "24")
    assert (data["stages"][1]["zoom"], data["stages"][1]["rotate"]) == (1.5, 0)
    assert (data["stages"][4]["crf"], data["stages"][4]["preset"]) == (30, "slow")
    assert kinds(preset) == ["image", "zoom", "dream", "palette", "encode"]


def test_what_it_makes_is_whole_and_needs_no_base(folder: Path) -> None:
    preset = extended(folder, "stages:\n  - {stage: dream, strength: 0.2}\n")
    text = preset.to_yaml()
    shutil.rmtree(folder / "looks")
    assert "extends" not in text and "vars" not in text
    assert parse_preset(text, checked=False).resolved() == preset.resolved()


def test_paths_of_a_base_are_relative_to_its_folder(folder: Path) -> None:
    cat = str(folder / "looks" / "cat.png")
    preset = extended(folder, "stages:\n  - {stage: palette, image: looks/cat.png}\n")
    assert preset.resolved()["stages"][0]["path"] == cat
    assert preset.resolved()["stages"][3]["image"] == cat


def test_the_preset_of_the_shelf_is_a_base(folder: Path) -> None:
    preset = extended(folder, "size: 64x48\nstages:\n  - {stage: dream, octaves: 1}\n", "first-light")
    assert preset.resolved()["stages"][-1] == load_preset("first-light").resolved()["stages"][-1]
    assert "unknown preset 'first-lihgt'; did you mean 'first-light'?" in refused(folder, "", "first-lihgt")


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ("{stage: tone}", "image zoom dream palette tone encode"),
        ("{stage: zoom, zoom: 2}, {stage: tone}", "image zoom tone dream palette encode"),
        ("{stage: tone}, {stage: sharpen}, {stage: dream}", "image zoom tone sharpen dream palette encode"),
        ("{stage: noise}", "noise zoom dream palette encode"),
        ("{stage: palette, remove: true}, {stage: tone}", "image zoom dream tone encode"),
        ("{stage: dream, id: more, octaves: 1}", "image zoom dream palette dream encode"),
        ("{stage: encode}, {stage: encode, id: small, format: gif}", "image zoom dream palette encode encode"),
    ],
)
def test_where_stages_stand(folder: Path, listed: str, expected: str) -> None:
    assert kinds(extended(folder, f"stages: [{listed}]\n")) == expected.split()


def test_a_key_takes_the_place_of_those_that_exclude_it(folder: Path) -> None:
    preset = extended(folder, "stages:\n  - {stage: dream, objective: {class: banana}}\n")
    assert "layer" not in preset.resolved()["stages"][2]


def test_stages_of_one_kind_are_known_by_their_ids(folder: Path) -> None:
    (folder / "two.yaml").write_text(BASE.replace("palette, to: ember", "dream, octaves: 1"))
    shutil.copy(folder / "looks" / "cat.png", folder)
    said = refused(folder, "stages:\n  - {stage: dream, strength: 0.2}\n", "two.yaml")
    assert said.startswith("/mine.yaml:3: stages[0]: there are 2 stages called 'dream' in /two.yaml; say which by `id`")
    second = extended(folder, "stages:\n  - {id: dream-2, strength: 0.25}\n", "two.yaml").resolved()["stages"]
    assert (second[2]["strength"], second[3]["strength"]) == (0.12, 0.25)


def test_several_bases_of_which_later_ones_win(folder: Path) -> None:
    (folder / "small.yaml").write_text("size: 32x32\nstages:\n  - {stage: encode, crf: 40}\n")
    preset = extended(folder, "", "[looks/base.yaml, small.yaml]")
    assert (str(preset.size), preset.encode.crf) == ("32x32", 40)
    assert str(extended(folder, "", "[small.yaml, looks/base.yaml]").size) == "64x48"


def test_a_base_may_extend_another(folder: Path) -> None:
    (folder / "looks" / "middle.yaml").write_text("extends: base.yaml\nstages:\n  - {stage: palette, to: ivory}\n")
    stages = extended(folder, "stages:\n  - {stage: zoom, zoom: 2}\n", "looks/middle.yaml").resolved()["stages"]
    assert (stages[1]["zoom"], stages[3]["to"]) == (2, "ivory")
    assert stages[0]["path"] == str(folder / "looks" / "cat.png")


def test_a_problem_is_told_where_its_value_stands(folder: Path) -> None:
    (folder / "looks" / "base.yaml").write_text(BASE.replace("rotate: 20", "rotate: fast"))
    said = refused(folder, "fps: many\nstages:\n  - {stage: tone, gama: 2}\n").splitlines()
    assert said[0].startswith("/looks/base.yaml:9: stages[1].rotate: is 'fast'")
    assert said[1].startswith("/mine.yaml:4: stages[4].gama: unknown key 'gama'")
    assert said[2].startswith("/mine.yaml:2: fps: is 'many'")


def test_circles_and_depths_are_told(folder: Path) -> None:
    (folder / "one.yaml").write_text("extends: two.yaml\n")
    (folder / "two.yaml").write_text("extends: one.yaml\n")
    said = "/two.yaml:1: extends: goes round in a circle: one.yaml -> two.yaml -> one.yaml; take one of them out"
    assert refused(folder, "", "one.yaml") == said
    assert "in a circle: mine.yaml -> mine.yaml" in refused(folder, "", "mine.yaml")
    for number in range(30):
        (folder / f"{number}.yaml").write_text(f"extends: {number + 1}.yaml\n")
    assert refused(folder, "", "0.yaml").startswith("/15.yaml:1: extends: more than 16 files extend one another")


def test_files_and_bytes_are_counted_together(folder: Path) -> None:
    for number in range(12):
        (folder / f"{number}.yaml").write_text(f"extends: [{number + 1}.yaml, {number + 1}.yaml]\n")
    (folder / "12.yaml").write_text("fps: 12\n")
    assert "more than 256 files are extended" in refused(folder, "", "0.yaml")
    (folder / "large.yaml").write_text("fps: 12\n#" + "x" * 1_600_000)
    assert "have more than 3000000 bytes together" in refused(folder, "", "[large.yaml, large.yaml]")


@pytest.mark.parametrize(
    ("extends", "text", "said"),
    [
        ("no.yaml", "", "/mine.yaml:1: extends: /no.yaml can't be read: No such file or directory"),
        ("3", "", "/mine.yaml:1: extends: is 3, must be a preset's file, the name of one on `dreamreel presets`"),
        ("[]", "", "/mine.yaml:1: extends: is [], must be a preset's file"),
        ("[looks/base.yaml, {a: 1}]", "", "/mine.yaml:1: extends: is a mapping, must be a preset's file"),
        ("looks/cat.png", "", "/mine.yaml:1: extends: /looks/cat.png: is not text in UTF-8; is it a preset, or a"),
        ("looks/list.yaml", "", "/looks/list.yaml:1: is [1, 2], must be a mapping of keys"),
        ("looks/base.yaml", "stages: [{stage: tone, remove: true}]", "'tone' is not in /looks/base.yaml"),
        ("looks/base.yaml", "stages: [{stage: zoom, remove: yes}]", ":2: stages[0].remove: is 'yes', must be true;"),
        ("looks/base.yaml", "stages: [{stage: zoom}, {stage: zoom}]", "'zoom' is listed twice; a second one needs"),
        ("looks/base.yaml", "extend: looks/base.yaml", "unknown key 'extend'; did you mean 'extends'?"),
    ],
)
def test_what_cannot_be_extended_is_told(folder: Path, extends: str, text: str, said: str) -> None:
    (folder / "looks" / "list.yaml").write_text("[1, 2]\n")
    assert said in refused(folder, text, extends)


def test_overrides_come_last(folder: Path) -> None:
    preset = extended(folder, "fps: 24\n", overrides=["fps=6", "palette.to=ivory"])
    assert (preset.fps, preset.resolved()["stages"][3]["to"]) == (6, "ivory")


def test_changes_of_a_base_are_told_at_their_line(folder: Path) -> None:
    changes = 'changes:\n  - at: 2f\n    set:\n      zoom.zoom: 2\n      zoom.pan: ["here", 0]\n'
    (folder / "looks" / "base.yaml").write_text(BASE + changes)
    assert refused(folder, "").startswith("/looks/base.yaml:17: stages[1].pan: is ['here', 0]")
