"""Two machines and one folder: namespaces of their own, and disks without locks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import filelock
import pytest

import pipeline
from pipeline.chain import Frame
from pipeline.errors import TroubleError
from pipeline.preset import Preset
from pipeline.run import Options, lease, plan
from pipeline.run.folder import RunFolder
from pipeline.run.standing import standing
from pipeline.stages import RunSpec
from tests.run.quick import quick, stop_after
from tests.run.takers import (
    AT_A_FRAME,
    BEAT_SECONDS,
    elsewhere,
    rendering,
    require_in_order,
    wait_for_frames,
    wait_until_frozen,
    woken,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")

SILENT_SECONDS = BEAT_SECONDS * lease.MISSED_BEATS
# A host's name, its processes and its network; the shell is the first of these, which nothing can freeze.
NODE = ("unshare", "--uts", "--pid", "--fork", "--mount-proc", "--net", "--kill-child")
NAMED = ("sh", "-c", 'hostname render7 && "$@"; exit $?', "node")


@pytest.fixture
def preset(tmp_path: Path) -> Preset:
    return quick(tmp_path)


@pytest.fixture
def whole(preset: Preset, tmp_path: Path) -> bytes:
    return pipeline.render(preset, tmp_path / "whole").path.read_bytes()


@pytest.fixture
def run(preset: Preset, tmp_path: Path) -> Path:
    return plan(preset, tmp_path / "run").path


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process is on another machine than the ones it starts, and the disk between them knows no locks."""
    monkeypatch.setattr(filelock, "FileLock", _NoLock)
    monkeypatch.setattr(lease, "_machine", lambda: "here")


class _NoLock:
    def __init__(self, path: Path) -> None: ...

    def acquire(self, **_: object) -> _NoLock:
        return self

    def release(self) -> None: ...

    def __enter__(self) -> _NoLock:
        return self

    def __exit__(self, *_: object) -> None: ...


@pytest.mark.skipif(
    shutil.which("unshare") is None or os.geteuid() != 0 or subprocess.run([*NODE, "true"]).returncode != 0,
    reason="no namespaces can be made here",
)
def test_a_node_that_freezes_is_taken_over_from_and_wakes(run: Path, whole: bytes) -> None:
    with rendering(run, AT_A_FRAME, (*NODE, *NAMED)) as node:
        wait_until_frozen(node)
        said: list[tuple[int, str]] = []

        def wake(frame: Frame, spec: RunSpec) -> None:
            if not said and frame.index >= 14:
                said.append(woken(node))

        done = pipeline.resume(run, wake, options=Options(checkpoint_seconds=0.0))
    assert said[0][0] == 75 and "was taken over by" in said[0][1], said
    assert '"taken over"' in (log := (run / "run.jsonl").read_text()) and '"host": "render7"' in log
    assert done.path.read_bytes() == whole
    require_in_order(run)


@pytest.mark.usefixtures("apart")
def test_another_machine_at_work_is_left_alone_without_locks_too(run: Path) -> None:
    slow = "import pipeline.run.pieces as p, time; real = p.require_guard\n"
    slow += "p.require_guard = lambda: (time.sleep(0.3), real())\n"
    with rendering(run, elsewhere("there") + slow) as working:
        wait_for_frames(working, run, 3)
        with pytest.raises(TroubleError, match="another process is rendering"):
            pipeline.resume(run)
        assert standing(RunFolder(run)).state == "rendering"
        assert working.wait(60) == 0


@pytest.mark.usefixtures("apart")
@pytest.mark.parametrize("fate", ["dead", "frozen"])
def test_another_machine_that_shows_no_life_is_taken_over_from(run: Path, whole: bytes, fate: str) -> None:
    with rendering(run, elsewhere("there") + AT_A_FRAME) as other:
        wait_until_frozen(other)
        if fate == "dead":
            other.kill()
        began = time.monotonic()
        pipeline.resume(run, options=stop_after(2))
        assert time.monotonic() - began > SILENT_SECONDS
        if fate == "frozen":
            status, words = woken(other)
            assert status == 75 and "was taken over by" in words
    assert pipeline.resume(run).path.read_bytes() == whole
    require_in_order(run)
