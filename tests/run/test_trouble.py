"""What goes wrong on the way loses nothing that a checkpoint counts, and is told as what it is."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

import pipeline
from pipeline.chain import Frame
from pipeline.errors import DeviceError
from pipeline.preset import Preset
from pipeline.run import Options
from pipeline.stages import RunSpec
from tests.processes import surroundings
from tests.run.quick import quick

EAGER = Options(checkpoint_seconds=0.0)


@pytest.fixture
def preset(tmp_path: Path) -> Preset:
    return quick(tmp_path)


@pytest.fixture
def whole(preset: Preset, tmp_path: Path) -> bytes:
    return pipeline.render(preset, tmp_path / "whole").path.read_bytes()


def test_a_disk_that_fills_up_in_a_checkpoint(preset: Preset, whole: bytes, tmp_path: Path) -> None:
    run = tmp_path / "run"
    limit = 30_000  # bytes a file: three frames fit into a spool, a float32 frame of 36,864 does not
    code = (
        f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY));"
        "from pipeline.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "render", str(preset.origin), "-o", str(run), "--checkpoint-every", "0"]
    done = subprocess.run(command, env=surroundings(), capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "File too large" in done.stderr and f"dreamreel resume {run}" in done.stderr
    assert "Traceback" not in done.stderr and not list((run / "state").iterdir())
    assert pipeline.resume(run).path.read_bytes() == whole


@pytest.mark.parametrize("error", [ZeroDivisionError("the user's"), KeyboardInterrupt()])
def test_what_a_callback_raises_comes_out_as_it_is(
    preset: Preset, whole: bytes, tmp_path: Path, error: BaseException
) -> None:
    def fail(frame: Frame, spec: RunSpec) -> None:
        if frame.index == 12:
            raise error

    before = set(threading.enumerate())
    with pytest.raises(type(error)) as caught:
        pipeline.render(preset, tmp_path / "run", fail, options=EAGER)
    assert caught.value is error and set(threading.enumerate()) <= before
    assert pipeline.report(tmp_path / "run").frames >= 6  # the newest few may have waited to be saved
    assert pipeline.resume(tmp_path / "run").path.read_bytes() == whole


def test_a_callback_may_go_to_another_folder(
    preset: Preset, whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = pipeline.render(preset, "here/run", lambda frame, spec: os.chdir("/"), options=EAGER)
    assert result.path.read_bytes() == whole


def test_out_of_memory_is_one_error_in_every_way_in(preset: Preset, monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.chain import Chain

    def hungry(self: Chain, index: int, previous: torch.Tensor | None) -> None:
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(Chain, "step", hungry)
    with pytest.raises(DeviceError, match="smaller picture"):
        next(pipeline.frames(preset))
