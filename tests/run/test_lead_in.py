"""A lead-in is frames like others: counted, checkpointed, interruptible."""

from __future__ import annotations

from pathlib import Path

import pytest

import pipeline
from pipeline import checkpoint
from pipeline.preset import Preset
from pipeline.run import Options
from tests.run.quick import quick, stop_after

# What settles within the lead-in, draws random numbers and keeps the first frame's colours.
STAGES = """\
lead_in: 12f
stages:
  - stage: noise
  - {stage: zoom, zoom: 1.5, edges: noise}
  - {stage: palette, to: seed}
  - {stage: hold, brightness: 0.4, contrast: first, settle: 2s}
  - {stage: grain, size: 2.0}
  - {stage: encode, preset: ultrafast}
"""


@pytest.fixture
def preset(tmp_path: Path) -> Preset:
    return quick(tmp_path, stages=STAGES)


def test_it_stops_at_any_frame_and_goes_on_to_the_same_bytes(preset: Preset, tmp_path: Path) -> None:
    whole = pipeline.render(preset, tmp_path / "whole").path.read_bytes()
    for frames in (1, 5, 11, 12, 13):
        run = tmp_path / str(frames)
        stopped = pipeline.render(preset, run, options=stop_after(frames))
        assert not stopped.finished and stopped.frames == max(0, frames - 12)
        assert checkpoint.frames_kept(run / "state")[-1] == frames - 12
        found = pipeline.report(run)
        assert found.frames == max(0, frames - 12) and found.checkpoints[frames - 12] == "whole"
        resumed: list[int] = []
        options = Options(on_lead_in=lambda number, total, resumed=resumed: resumed.append(number))  # type: ignore[misc]
        result = pipeline.resume(run, options=options)
        assert result.path.read_bytes() == whole, frames
        assert resumed == list(range(frames + 1, 13))


def test_it_is_stopped_twice_within(preset: Preset, tmp_path: Path) -> None:
    whole = pipeline.render(preset, tmp_path / "whole").path.read_bytes()
    pipeline.render(preset, tmp_path / "run", options=stop_after(3))
    again = pipeline.resume(tmp_path / "run", options=stop_after(4))
    assert again.frames == 0 and checkpoint.frames_kept(tmp_path / "run/state") == [-6, -5]
    assert pipeline.resume(tmp_path / "run").path.read_bytes() == whole


def test_only_the_films_frames_are_seen_and_logged(preset: Preset, tmp_path: Path) -> None:
    seen: list[int] = []
    counted: list[tuple[int, int]] = []
    options = Options(on_lead_in=lambda done, total: counted.append((done, total)), checkpoint_seconds=1000)
    result = pipeline.render(preset, tmp_path / "run", lambda frame, spec: seen.append(frame.index), options=options)
    assert seen == list(range(21)) and result.rendered == 21
    assert counted == [(number, 12) for number in range(1, 13)]
    from pipeline.run.log import frame_records

    assert sorted(frame_records(tmp_path / "run/run.jsonl")) == list(range(21))


def test_checkpoints_come_by_the_clock_within(preset: Preset, tmp_path: Path) -> None:
    """Not after every frame: the lead-in has no film's frames yet, and 0 is a multiple of everything."""
    run = tmp_path / "run"
    pipeline.render(preset, run, options=stop_after(9, checkpoint_seconds=1000))
    assert checkpoint.frames_kept(run / "state") == [-3]


def test_info_says_where_within(preset: Preset, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pipeline.cli.commands import run_command

    run = pipeline.render(preset, tmp_path / "run", options=stop_after(10)).folder
    pipeline.resume(run, options=stop_after(1))
    assert run_command(["info", str(run)]) == 0
    rows = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    told = [said for what, said in rows if what == "checkpoint"]
    assert told == ["lead-in, 2 frames before the first: whole", "lead-in, 1 frame before the first: whole"]
