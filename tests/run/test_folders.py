"""What is in a run's folder, who may work there, and what is told of it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import av
import pytest
import yaml

import pipeline
from pipeline.errors import MediaError, RunError
from pipeline.media.joining import count_frames
from pipeline.preset import Override, Preset, load_preset
from pipeline.run import plan
from pipeline.run.changes import changed_keys
from pipeline.run.log import frame_records
from tests.processes import finished, run_dreamreel
from tests.run.small import FRAMES, picture_preset, stopped_run


def test_the_folder_holds_what_it_should(preset: Preset, tmp_path: Path) -> None:
    run = pipeline.render(preset, tmp_path / "run").folder
    names = {path.name for path in run.iterdir()} - {".lock"}
    assert names == {"preset.yaml", "run.jsonl", "state", "segments", "small.mp4", "poster.png", "sheet.png"}
    again = load_preset(run / "preset.yaml")
    decided = {"engine", "precision", "memory"}  # the run keeps to what `auto` took
    assert {
        change.split(":")[0].rpartition(".")[2] for change in changed_keys(preset.resolved(), again.resolved())
    } == decided
    records = frame_records(run / "run.jsonl")
    assert sorted(records) == list(range(FRAMES))
    assert {"times", "brightness", "saturation", "sharpness", "clipped", "contrast"} <= set(records[3])
    with av.open(str(run / "small.mp4")) as film:
        about = yaml.safe_load(film.metadata["comment"])
    assert about["preset"] == again.resolved() and about["inputs"] == {}  # it names no file


def test_assemble_joins_what_there_is(preset: Preset, tmp_path: Path) -> None:
    run = stopped_run(preset, tmp_path, 12)
    assert not (run / "small.mp4").exists()
    film, frames = pipeline.assemble(run)
    assert frames == count_frames(film) == 12
    assert not list((run / "segments").glob("*.part*"))
    done = pipeline.resume(run)
    assert pipeline.assemble(run) == (done.path, FRAMES)


def test_a_folder_with_a_run_is_not_overwritten_unasked(preset: Preset, whole: bytes, tmp_path: Path) -> None:
    run = stopped_run(preset, tmp_path, 3)
    (run / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match=r"dreamreel resume .*--overwrite"):
        pipeline.render(preset, run)
    assert pipeline.render(preset, run, overwrite=True).path.read_bytes() == whole
    assert (run / "notes.txt").read_text() == "mine"


def test_one_process_at_a_time_and_dead_ones_do_not_count(preset: Preset, whole: bytes, tmp_path: Path) -> None:
    run = stopped_run(preset, tmp_path, 3)
    hold = "import filelock, sys, time; lock = filelock.FileLock(sys.argv[1]).acquire(); "
    hold += "print('held', flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", hold, str(run / ".lock")], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    with pytest.raises(RunError, match="another process"):
        pipeline.resume(run)
    assert pipeline.report(run).state == "rendering"
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    assert pipeline.report(run).state == "stopped"
    assert pipeline.resume(run).path.read_bytes() == whole


def test_the_report_tells_how_a_run_stands(preset: Preset, tmp_path: Path) -> None:
    changed = load_preset(str(preset.origin), [Override("seed", "9")])
    run = stopped_run(changed, tmp_path, 12)
    found = pipeline.report(run)
    assert (found.state, found.frames, found.total, found.segments) == ("stopped", 12, FRAMES, 1)
    assert found.checkpoints == {11: "whole", 12: "whole"}
    assert found.changes == ["seed: 3 -> 9"] and found.seconds > 0
    words = run_dreamreel("info", str(run))
    assert "12 of 21" in words and "seed: 3 -> 9" in words
    with pytest.raises(RunError, match="holds no run"):
        pipeline.report(tmp_path)


def test_the_log_tells_events(preset: Preset, tmp_path: Path) -> None:
    run = stopped_run(preset, tmp_path, 9)
    pipeline.resume(run)
    lines = [json.loads(line) for line in (run / "run.jsonl").read_text().splitlines()]
    events = [line["event"] for line in lines if "event" in line]
    assert events[0] == "begin" and events[-1] == "finished" and "resume" in events and "stopped" in events
    assert events.count("segment") == 3


def test_a_run_that_is_none_is_told(tmp_path: Path) -> None:
    for command in ("resume", "info", "assemble"):
        done = finished(command, str(tmp_path))
        assert done.returncode == 1 and "holds no run" in done.stderr


def test_what_was_meant_is_told_where_there_is_no_run(preset: Preset, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"holds no run; `dreamreel render \S+\.yaml` begins one, if it is a preset"):
        pipeline.resume(str(preset.origin))
    folder = plan(preset, tmp_path / "half")
    folder.state.rmdir()
    with pytest.raises(RunError, match=r"holds no run; its folder state is gone: put that back, or .*half/preset.yaml"):
        pipeline.resume(folder.path)


def test_a_folder_with_foreign_files_is_left_alone(preset: Preset, tmp_path: Path) -> None:
    for name in ("preset.yaml", "small.mp4", "poster.png"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_text("mine")
        for overwrite in (False, True):
            with pytest.raises(RunError, match="belongs to no run"):
                pipeline.render(preset, folder, overwrite=overwrite)
        assert (folder / name).read_text() == "mine"


def test_assemble_never_makes_a_film_shorter(preset: Preset, whole: bytes, tmp_path: Path) -> None:
    run = pipeline.render(preset, tmp_path / "run").folder
    (run / "segments/000001.mp4").unlink()
    with pytest.raises(RunError, match=r"segment 1 .* is missing"):
        pipeline.assemble(run)
    for path in (run / "segments").glob("000002*"):
        path.unlink()
    with pytest.raises(RunError, match="has 21 frames, and only 8 are left"):
        pipeline.assemble(run)
    assert (run / "small.mp4").read_bytes() == whole


def test_a_picture_that_is_gone_is_not_missed_but_another_one_is(preset: Preset, tmp_path: Path) -> None:
    import shutil

    from tests.conftest import photograph

    over_picture = picture_preset(preset, tmp_path)
    film = pipeline.render(over_picture, tmp_path / "whole").path.read_bytes()
    for name in ("gone", "other"):
        (tmp_path / name).mkdir()
        stopped_run(over_picture, tmp_path / name, 3)
    shutil.copy(photograph("coffee.png"), tmp_path / "cat.png")
    with pytest.raises(RunError, match=r"cat\.png"):
        pipeline.resume(tmp_path / "other/run")
    (tmp_path / "cat.png").unlink()
    assert pipeline.report(tmp_path / "gone/run").frames == 3
    assert pipeline.assemble(tmp_path / "gone/run")[1] == 3
    assert pipeline.resume(tmp_path / "gone/run").path.read_bytes() == film


def test_overwriting_waits_until_the_new_render_can_begin(preset: Preset, whole: bytes, tmp_path: Path) -> None:
    run = pipeline.render(preset, tmp_path / "run").folder
    broken = picture_preset(preset, tmp_path)
    text = (tmp_path / "small.yaml").read_text().replace("stage: palette", "stage: palette\n    image: cat.png")
    (tmp_path / "small.yaml").write_text(text)
    broken = load_preset(tmp_path / "small.yaml")
    (tmp_path / "cat.png").unlink()
    with pytest.raises(MediaError):
        pipeline.render(broken, run, overwrite=True)
    assert (run / "small.mp4").read_bytes() == whole


def test_odd_folder_names_reach_ffmpeg_whole(
    preset: Preset, whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("12:30", "-x", "it's träum ß"):
        assert pipeline.render(preset, name).path.read_bytes() == whole
