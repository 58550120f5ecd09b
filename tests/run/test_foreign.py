"""A run removes names that it wrote, and is begun nowhere else than where nothing else has them."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

import pipeline
from pipeline.errors import PipelineError, RunError
from pipeline.preset import Preset
from tests.processes import finished
from tests.run.quick import quick, stop_after


@pytest.fixture
def preset(tmp_path: Path) -> Preset:
    return quick(tmp_path)


FOREIGN = {
    "a note in state": ["state/notes.txt"],
    "clips called like segments": ["segments/000000.mp4", "segments/000001.mp4"],
    "both": ["state/000000001.json", "segments/a/b.txt"],
    "a preset of the user's": ["preset.yaml", "state/000000001.json", "segments/000000.mp4"],
    "a file for a folder": ["state"],
    "a log": ["run.jsonl"],
}


@pytest.mark.parametrize("files", FOREIGN.values(), ids=FOREIGN)
def test_a_users_files_are_refused_at_the_start(preset: Preset, tmp_path: Path, files: list[str]) -> None:
    mine = tmp_path / "mine"
    for name in files:
        (mine / name).parent.mkdir(parents=True, exist_ok=True)
        (mine / name).write_text(f"size: 64x48 # {name}")
    for overwrite in (False, True):
        with pytest.raises(RunError, match="belongs to no run"):
            pipeline.render(preset, mine, overwrite=overwrite)
    with pytest.raises(RunError, match="holds no run"):
        pipeline.resume(mine)
    left = {str(path.relative_to(mine)): path.read_text() for path in mine.rglob("*") if path.is_file()}
    left.pop(".lock", None)
    assert left == {name: f"size: 64x48 # {name}" for name in files}


def test_empty_folders_of_these_names_do(preset: Preset, tmp_path: Path) -> None:
    for name in ("state", "segments"):
        (tmp_path / "mine" / name).mkdir(parents=True)
    assert pipeline.render(preset, tmp_path / "mine").finished


def test_what_a_user_put_into_a_run_stays(preset: Preset, tmp_path: Path) -> None:
    run = pipeline.render(preset, tmp_path / "run", options=stop_after(12)).folder
    kept = [
        "state/notes.txt",
        "state/²³.json",
        "state/best.safetensors",
        "segments/cut.mp4",
        "segments/1.part-2.mp4.txt",
    ]
    kept += ["segments/deep/000000.mp4", "holiday.mp4", "quick.part-list.txt", "segments/000000.mov"]
    for name in kept:
        (run / name).parent.mkdir(exist_ok=True)
        (run / name).write_text("mine")
    whole = pipeline.render(preset, tmp_path / "whole").path.read_bytes()
    assert pipeline.resume(run).path.read_bytes() == whole
    assert pipeline.render(preset, run, overwrite=True).path.read_bytes() == whole
    assert all((run / name).read_text() == "mine" for name in kept)


def test_another_name_does_not_take_a_users_film(preset: Preset, tmp_path: Path) -> None:
    run = pipeline.render(preset, tmp_path / "run", options=stop_after(3)).folder
    (run / "other.mp4").write_text("mine")
    with pytest.raises(RunError, match=r"other\.mp4 is there already"):
        pipeline.render(preset.model_copy(update={"name": "other"}), run, overwrite=True)
    assert (run / "other.mp4").read_text() == "mine"
    assert pipeline.resume(run).finished


def test_an_edited_preset_is_still_a_runs(preset: Preset, tmp_path: Path) -> None:
    """An editor that drops comments leaves the log to prove it."""
    run = pipeline.render(preset, tmp_path / "run", options=stop_after(3)).folder
    lines = (run / "preset.yaml").read_text().splitlines()
    (run / "preset.yaml").write_text("\n".join(line for line in lines if not line.startswith("#")))
    assert pipeline.resume(run).finished


def test_a_runs_folder_is_no_preset(preset: Preset, tmp_path: Path) -> None:
    run = pipeline.render(preset, tmp_path / "my run", options=stop_after(3)).folder
    done = finished("render", str(run))
    assert done.returncode == 1 and f"dreamreel resume '{run}'" in done.stderr
    assert f"dreamreel render '{run}/preset.yaml' --out" in done.stderr


def broken(run: Path, name: str, data: bytes) -> None:
    path = run / name
    if path.is_dir():
        import shutil

        shutil.rmtree(path)
    path.write_bytes(data)


RECORDS = [
    b'{"event": "begin", "preset_file": 3}\n{"event": ["x"]}\n{"event": null}\n',
    b'{"frame": [], "brightness": 1}\n{"frame": true}\n{"frame": "3"}\n{"frame": 1e300}\n[1]\n3\nnull\n',
    b'{"frame": 2, "brightness": NaN, "contrast": "x", "saturation": {}, "clipped": [], "sharpness": 1e999}\n',
    b'{"frame": ' + b"9" * 5000 + b"}\n",
    b"[" * 50000 + b"\n",
    b"\xff\xfe\x00" * 100 + b"\n" + b"x" * 300000,
    b"",
]


@pytest.mark.parametrize("record", RECORDS, ids=range(len(RECORDS)))
def test_a_log_may_hold_anything(preset: Preset, tmp_path: Path, record: bytes) -> None:
    run = pipeline.render(preset, tmp_path / "run", options=stop_after(3)).folder
    log = (run / "run.jsonl").read_bytes()
    (run / "run.jsonl").write_bytes(record)
    assert pipeline.report(run).frames == 3
    with pytest.raises(RunError, match="no frame yet"):
        from pipeline.run.plot import plot

        plot(run)
    (run / "run.jsonl").write_bytes(log + record)
    assert pipeline.report(run).origin == preset.origin
    plot(run)
    assert pipeline.resume(run).finished


PRESETS = [b"", b"\x00\xff", b"[1, 2]", b"stages: {", b"name: x\nstages:\n  - {stage: gone}\n", b"x" * 70_000_000]


@pytest.mark.parametrize("text", PRESETS, ids=range(len(PRESETS)))
def test_a_preset_that_was_spoilt_is_told_with_the_way_out(preset: Preset, tmp_path: Path, text: bytes) -> None:
    run = pipeline.render(preset, tmp_path / "run", options=stop_after(3)).folder
    (run / "preset.yaml").write_bytes(text)
    for look in (pipeline.resume, pipeline.report, pipeline.assemble):
        with pytest.raises(RunError, match=r"can't be read any more: (.|\n)*put .*preset\.yaml back"):
            look(run)
    assert pipeline.render(preset, run, overwrite=True).finished


@pytest.mark.parametrize("name", ["state", "segments", "run.jsonl"])
def test_a_folder_and_a_file_in_each_others_place(preset: Preset, tmp_path: Path, name: str) -> None:
    run = pipeline.render(preset, tmp_path / "run", options=stop_after(10)).folder
    if name == "run.jsonl":
        (run / name).unlink()
        (run / name).mkdir()
    else:
        broken(run, name, b"a file")
    for look in (pipeline.report, pipeline.assemble, pipeline.resume):
        if look is pipeline.report or (name == "run.jsonl" and look is pipeline.assemble):
            with contextlib.suppress(RunError):
                look(run)  # which may do without
            continue
        with pytest.raises(PipelineError):
            look(run)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes by name here")
@pytest.mark.parametrize("name", ["preset.yaml", "run.jsonl", "state/000000003.json", "segments/000000.rgb24"])
def test_nobody_waits_for_a_pipe_in_place_of_a_file(preset: Preset, tmp_path: Path, name: str) -> None:
    run = pipeline.render(preset, tmp_path / "run", options=stop_after(3)).folder
    (run / name).unlink()
    os.mkfifo(run / name)
    looks: list[Callable[[], object]] = [partial(look, run) for look in (pipeline.report, pipeline.resume)]
    for look in [*looks, partial(pipeline.render, preset, run)]:
        told: list[str] = []

        def work(look: Callable[[], object] = look, told: list[str] = told) -> None:
            try:
                told.append(str(look()))
            except PipelineError as error:
                told.append(str(error))

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(60)
        assert told, f"it waits for {name}"
