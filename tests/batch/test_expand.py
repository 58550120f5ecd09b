"""What a batch file makes, and what is said where it makes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.batch import BatchFolder, expand, load_batch, planning
from pipeline.batch.planning import chosen
from pipeline.errors import PipelineError, PresetError, RunError
from pipeline.preset import load_preset
from pipeline.run import proceed
from tests.batch.small import runs_of, works_of, write
from tests.conftest import photograph


def test_everything_goes_with_everything_and_seeds_change_fastest(tmp_path: Path) -> None:
    batch = "presets: [a.yaml, b]\nseeds: 0-1, 7\ngrid: {zoom.zoom: [1.1, 2]}\n"
    (tmp_path / "b").write_text("")  # a file beside the batch comes before the shelf
    with pytest.raises(PresetError, match="is empty"):
        works_of(tmp_path, batch)
    runs = runs_of(tmp_path, batch.replace("b]", "b.yaml]"))
    assert [run.name for run in runs[:4]] == [
        "a_zoom=1.1_seed=0",
        "a_zoom=1.1_seed=1",
        "a_zoom=1.1_seed=7",
        "a_zoom=2_seed=0",
    ]
    assert len(runs) == len({run.name for run in runs}) == 12 and runs[-1].name == "b_zoom=2_seed=7"


def test_zip_goes_row_by_row_and_skip_leaves_out(tmp_path: Path) -> None:
    batch = "presets: a.yaml\nzip: {size: [64x48, 96x64], fps: [8, 12]}\nseeds: [1, 2]\nskip: [{fps: 12, seed: 2}]\n"
    values = [dict(run.values) for run in runs_of(tmp_path, batch)]
    assert values == [
        {"size": "64x48", "fps": 8, "seed": 1},
        {"size": "64x48", "fps": 8, "seed": 2},
        {"size": "96x64", "fps": 12, "seed": 1},
    ]


def test_inputs_are_patterns_and_paths_in_values_are_meant_from_the_batch(tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        (tmp_path / name).write_bytes(photograph("chelsea.png").read_bytes())
    text = "size: 64x48\nduration: 2f\nstages:\n  - {stage: image, path: nothing.png}\n  - {stage: palette}\n"
    (tmp_path / "still.yaml").write_text(text)
    file = load_batch(write(tmp_path, "presets: still.yaml\ninputs: '*.png'\ngrid: {palette.image: [two.png]}\n"))
    works = BatchFolder(file, tmp_path / "out").freeze(expand(file))
    presets = [load_preset(work.folder.preset_file) for work in works]
    assert [preset.inputs()["image.path"].text for preset in presets] == [
        str(tmp_path / name) for name in ("one.png", "two.png")
    ]
    assert presets[0].inputs()["palette.image"].text == str(tmp_path / "two.png")
    assert [work.planned.name for work in works] == ["still_one_image=two.png", "still_two_image=two.png"]


def test_names_that_would_be_alike_or_too_long_are_told_apart(tmp_path: Path) -> None:
    long = "x" * 90
    names = [run.name for run in runs_of(tmp_path, f"presets: a.yaml\ngrid: {{name: [a/b, a?b, {long}1, {long}2]}}\n")]
    assert len(set(names)) == 4 and max(map(len, names)) <= 100
    assert [run.name for run in runs_of(tmp_path, "presets: a.yaml\ngrid: {zoom.zoom: [1], noise.zoom: [2]}\n")] == [
        "a_zoom.zoom=1_noise.zoom=2"
    ]


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        ("presets: a.yaml\nsedes: 1\n", r"batch.yaml:2: sedes: unknown key 'sedes'; did you mean 'seeds'"),
        ("presets: a.yaml\nseeds: 7-1\n", r"batch.yaml:2: seeds: .*runs backwards; write 1-7"),
        ("presets: a.yaml\nseeds: x\n", r"batch.yaml:2: seeds: .*must be a seed, 0 or more, seeds such as 0-7, or a"),
        ("presets: a.yaml\nseeds: 0-99999\n", r"batch.yaml:2: seeds: .*100000 seeds, a batch has at most 10000"),
        ("presets: a.yaml\nzip: {fps: [8], size: [1x1, 2x2]}\n", r"fps has 1, size has 2.*make them equal"),
        ("presets: a.yaml\ngrid: {fps: [8]}\nset: {fps: 8}\n", r"fps stands in two of"),
        ("presets: a.yaml\ngrid: {fps: []}\n", r"batch.yaml:2: grid.fps: is \[\], must have at least 1"),
        ("presets: a.yaml\ngrid: [fps]\n", r"batch.yaml:2: grid: is \['fps'\], must be a mapping of keys"),
        ("presets: a.yaml\nseeds: 0-1\nskip: [{seed: 0}, {seed: 9}]\n", r"batch.yaml:3: skip\[1\]: fits no run"),
        ("presets: a.yaml\nseeds: 0-1\nskip: [{seed: 0}, {seed: 1}]\n", r"batch.yaml:3: skip: leaves no run"),
        ("presets: [b.yaml, a.yaml]\nseeds: 0-1\nset: {zom.zoom: 1}\n", r"batch.yaml:3: zom.zoom of b: 1: unknown key"),
        ("presets: a.yaml\nskip: [{zoom: 1}]\n", r"`skip` names zoom, which no two runs differ in"),
        ("presets: nothing.yaml\n", r"batch.yaml:1: presets\[0\]: is nothing.yaml, and there is no such file"),
        (
            "presets: first-ligth\n",
            r"batch.yaml:1: presets\[0\]: unknown preset 'first-ligth'; did you mean",
        ),
        ("presets: a.yaml\ninputs: '*.jpg'\n", r"batch.yaml:2: inputs\[0\]: is \*.jpg, which fits no file"),
        (
            "presets: a.yaml\nseeds: 0-999\ngrid: {fps: [8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18]}\n",
            r"makes 11000 runs",
        ),
        ("stages: []\n", r"batch.yaml:1: stages: is a preset; a batch names presets"),
        ("", r"batch.yaml: is empty"),
        (
            "presets: a.yaml\ngrid:\n  zoom.zoom: [1, fast]\n",
            r"batch.yaml:3: zoom.zoom: \"fast\": stages\[1\].zoom",
        ),
        ("presets: a.yaml\ngrid: {zom.zoom: [1]}\n", r"batch.yaml:2: zom.zoom: 1: unknown key 'zom'"),
        ("presets: a.yaml\nset: {dream.layer: x}\n", r"batch.yaml:2: dream.layer: \"x\": unknown key 'dream'"),
    ],
)
def test_a_mistake_is_told_with_its_line(tmp_path: Path, batch: str, said: str) -> None:
    with pytest.raises(PresetError, match=said):
        works_of(tmp_path, batch)
    assert not (tmp_path / "out").exists()


def test_expanding_again_finds_what_is_there(tmp_path: Path) -> None:
    first = works_of(tmp_path, "presets: a.yaml\nseeds: 0-1\n")
    assert [work.standing().state for work in first] == ["planned", "planned"]
    made = [work.folder.preset_file.stat().st_mtime_ns for work in first]
    again = works_of(tmp_path, "presets: a.yaml\nseeds: 0-2\n")
    assert [work.folder.preset_file.stat().st_mtime_ns for work in again[:2]] == made and len(again) == 3


def test_what_is_only_planned_takes_changes_and_what_was_begun_does_not(tmp_path: Path) -> None:
    first, second = works_of(tmp_path, "presets: a.yaml\nseeds: 0-1\n")
    assert proceed(first.folder.path) is not None
    with pytest.raises(RunError, match=r"a_seed=0 was begun as another run, from what the batch"):
        works_of(tmp_path, "presets: a.yaml\nseeds: 0-1\nset: {zoom.zoom: 3}\n")
    with pytest.raises(PresetError, match="zom"):  # what is wrong with the other is not hidden by that
        works_of(tmp_path, "presets: a.yaml\nseeds: 0-1\nset: {zoom.zoom: 3, zom.zoom: 3}\n")
    file = load_batch(write(tmp_path, "presets: a.yaml\nseeds: 0-1\nset: {zoom.zoom: 3}\n"))
    BatchFolder(file, tmp_path / "out").freeze(chosen(expand(file), ["*seed=1"]))
    assert "zoom: 3" in second.folder.preset_file.read_text()


def test_a_folder_that_is_half_gone_is_named_before_any_is_made(tmp_path: Path) -> None:
    first, _ = works_of(tmp_path, "presets: a.yaml\nseeds: 0-1\n")
    first.folder.state.rmdir()
    file = load_batch(write(tmp_path, "presets: a.yaml\nseeds: 0-2\n"))
    folder = BatchFolder(file, tmp_path / "out")
    for plan in (folder.missing, folder.freeze):
        with pytest.raises(
            RunError, match=r"a_seed=0/preset.yaml is there already and belongs to no run; move it away"
        ):
            plan(expand(file))
    assert not (tmp_path / "out/a_seed=2").exists()


def test_patterns_choose_runs_and_say_when_they_fit_none(tmp_path: Path) -> None:
    runs = runs_of(tmp_path, "presets: [a.yaml, b.yaml]\nseeds: 0-1\n")
    assert [run.name for run in chosen(runs, ["b*", "*=0"])] == ["a_seed=0", "b_seed=0", "b_seed=1"]
    with pytest.raises(RunError, match="no run is called c\\*; the first of 4 is a_seed=0"):
        chosen(runs, ["c*"])


def test_expanding_again_reads_each_preset_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = "presets: [a.yaml, b.yaml]\nseeds: 0-9\n"
    assert len(works_of(tmp_path, batch)) == 20
    read: list[Path] = []
    monkeypatch.setattr(planning, "load_preset", lambda path, *more, **keys: [read.append(path), load_preset(path)][1])
    works_of(tmp_path, batch)
    assert sorted(path.name for path in read) == ["a.yaml", "b.yaml"]


def test_errors_are_the_users(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="can't be read: No such file"):
        load_batch(tmp_path / "none.yaml")
