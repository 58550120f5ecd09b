"""Runs side by side on this machine: killed, stopped, failing and finished ones."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import pytest

import pipeline
from pipeline.batch import Work
from pipeline.batch.local import Attempt, Outcome, Pool
from pipeline.batch.sheet import write_page, write_sheet
from pipeline.preset import load_preset
from pipeline.run.estimate import expected_memory
from tests.batch.small import works_of, write
from tests.processes import ROOT, dreamreel, finished, run_dreamreel

BATCH = "presets: [a.yaml, b.yaml]\nseeds: 0-1\n"


@pytest.fixture(autouse=True)
def _ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def test_a_batch_is_rendered_to_the_bytes_of_single_renders(tmp_path: Path) -> None:
    file = write(tmp_path, BATCH)
    said = run_dreamreel("batch", str(file), "--out", str(tmp_path / "out"), "--workers", "2")
    assert "4 finished" in said
    for work in works_of(tmp_path, BATCH):
        preset = load_preset(work.planned.preset, {"seed": work.planned.values["seed"]})
        single = pipeline.render(preset, tmp_path / "one", overwrite=True)
        assert (work.folder.path / single.path.name).read_bytes() == single.path.read_bytes()
    sheet = cv2.imread(str(tmp_path / "out/sheet.png"))
    assert sheet is not None and sheet.shape[1] == 2 * 250 + 10  # two seeds side by side
    again = run_dreamreel("batch", str(file), "--out", str(tmp_path / "out"), "--list")
    assert again == ""


def test_a_dry_run_tells_what_a_run_would_be_refused_for(tmp_path: Path) -> None:
    file, out = write(tmp_path, "presets: a.yaml\ngrid: {zom.zoom: [1]}\n"), tmp_path / "out"
    done = finished("batch", str(file), "--out", str(out), "--dry-run")
    assert done.returncode == 1 and "batch.yaml:2: zom.zoom: 1: unknown key 'zom'" in done.stderr
    done = finished("batch", str(file), "--gpus", "1")
    assert done.returncode == 2 and "--gpus" in done.stderr and "add --on ray" in done.stderr
    file.write_text("presets: a.yaml\ngrid: {zoom.zoom: [2]}\n")
    said = run_dreamreel("batch", str(file), "--out", str(out), "--dry-run")
    assert "a_zoom=2  new" in said and "1 run, in" in said and not out.exists()


def test_what_fails_is_named_and_stops_nothing_and_is_tried_again_when_asked(tmp_path: Path) -> None:
    works = works_of(tmp_path, BATCH)
    broken = works[0].folder.preset_file
    whole = broken.read_text()
    broken.write_text(whole.replace("zoom: 1.5", "zoom: fast"))
    file, out = str(tmp_path / "batch.yaml"), str(tmp_path / "out")
    done = finished("batch", file, "--out", out, "--workers", "2")
    assert done.returncode == 1 and "3 finished, 1 failed" in done.stdout and "a_seed=0: " in done.stderr
    assert "zoom: is 'fast'" in done.stderr
    broken.write_text(whole)
    done = finished("batch", file, "--out", out)
    assert done.returncode == 1 and "failed before" in done.stderr and "--retry" in done.stderr
    done = finished("batch", file, "--out", out, "--retry")
    assert done.returncode == 0 and "4 finished" in done.stdout


def test_a_killed_run_goes_on_and_ctrl_c_stops_all(tmp_path: Path) -> None:
    works = works_of(tmp_path, BATCH, frames=1200)
    with dreamreel("batch", str(tmp_path / "batch.yaml"), "--out", str(tmp_path / "out"), "--workers", "2") as process:
        _until(lambda: all(work.standing().frames > 20 for work in works[:2]))
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert [work.standing().state for work in works] == ["stopped", "stopped", "planned", "planned"]
    frames = [work.standing().frames for work in works[:2]]
    killed: list[int] = []

    def kill_one(running: Sequence[Attempt]) -> None:
        if not killed and running and running[0].work.standing().frames > frames[0]:
            killed.append(running[0].process.pid)
            os.kill(killed[0], signal.SIGKILL)

    outcomes = Pool(2, on_look=kill_one).run(works[:2])
    assert killed and {outcome.standing.state for outcome in outcomes} == {"finished"}
    whole = pipeline.render(load_preset(works[0].planned.preset, {"seed": 0}), tmp_path / "one")
    assert (works[0].folder.path / whole.path.name).read_bytes() == whole.path.read_bytes()


def _until(holds: object, seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.1)


def test_what_never_gets_on_is_given_up(tmp_path: Path) -> None:
    works = works_of(tmp_path, "presets: a.yaml\nseeds: 0-1\n")
    tries = tmp_path / "tries"
    script = f"import sys; open({str(tries)!r}, 'a').write('x'); print('the disk is full'); sys.exit(75)"
    outcomes = Pool(2, command=(sys.executable, "-c", script)).run(works)
    assert len(tries.read_text()) == 6 and {each.said for each in outcomes} == {"the disk is full"}


def test_no_more_render_at_once_than_there_is_memory_for(tmp_path: Path) -> None:
    works = works_of(tmp_path, "presets: a.yaml\nseeds: 0-2\n")
    most: list[int] = []
    script = "import time; time.sleep(0.3)"
    each = expected_memory(works[0].folder.load_preset())

    def pool(memory: float) -> list[Outcome]:
        most.clear()
        looked = Pool(3, on_look=lambda running: most.append(len(running)), memory=int(memory))
        looked.command = (sys.executable, "-c", script)
        return looked.run(works)

    pool(2.5 * each)
    assert max(most) == 2
    pool(0.5 * each)
    assert max(most) == 1


def test_gpus_are_dealt_out(tmp_path: Path) -> None:
    works = works_of(tmp_path, "presets: a.yaml\nseeds: 0-3\n")
    script = "import os, sys, time; print(os.environ['CUDA_VISIBLE_DEVICES']); time.sleep(1)"
    Pool(4, gpus=(0, 1), command=(sys.executable, "-c", script)).run(works)
    assert sorted((work.folder.path / "batch.log").read_text().strip() for work in works) == ["0", "0", "1", "1"]


def test_a_run_that_another_process_renders_is_left_alone(tmp_path: Path) -> None:
    (work,) = works_of(tmp_path, "presets: a.yaml\n")
    with work.folder.locked():
        done = finished("run", str(work.folder.path))
        assert done.returncode == 75 and "another process is rendering" in done.stderr
    assert finished("run", str(work.folder.path)).returncode == 0


def test_the_page_and_the_sheet_know_what_is_not_finished(tmp_path: Path) -> None:
    works: list[Work] = works_of(tmp_path, "presets: a.yaml\nseeds: 0-4\ngrid: {name: [x, y]}\n")
    write_sheet(works, tmp_path / "sheet.png")
    write_page(works, "<i>", tmp_path / "index.html")
    page = (tmp_path / "index.html").read_text()
    assert "&lt;i&gt;" in page and page.count('"state": "planned"') == 10
    assert cv2.imread(str(tmp_path / "sheet.png")) is not None
