"""A run is taken over from who died or froze, here or on another machine, and who comes back does no harm."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import filelock
import pytest

import pipeline
from pipeline.chain import Frame
from pipeline.errors import RunError, TroubleError
from pipeline.preset import Preset
from pipeline.run import Options, lease, plan
from pipeline.run.folder import RunFolder
from pipeline.stages import RunSpec
from tests.processes import surroundings
from tests.run.quick import quick, stop_after
from tests.run.takers import (
    AT_A_FRAME,
    BEAT_SECONDS,
    freezing,
    rendering,
    require_in_order,
    state_of,
    wait_for_frames,
    wait_until_frozen,
    woken,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")

SILENT_SECONDS = BEAT_SECONDS * lease.MISSED_BEATS


@pytest.fixture
def preset(tmp_path: Path) -> Preset:
    return quick(tmp_path)


@pytest.fixture
def whole(preset: Preset, tmp_path: Path) -> bytes:
    return pipeline.render(preset, tmp_path / "whole").path.read_bytes()


@pytest.fixture
def run(preset: Preset, tmp_path: Path) -> Path:
    return plan(preset, tmp_path / "run").path


# Where the guard has let a write pass and the process freezes before it: each kind of write, in the second piece.
LATE = {
    "a frame": AT_A_FRAME,
    "the log": freezing("pipeline.run.log", "_write", "'frame': 12,"),
    "a state": freezing("pipeline.disk", "replacing", "000000012.safetensors')"),
    "a state's record": freezing("pipeline.disk", "replacing", "000000012.json')"),
    "a segment": freezing("pipeline.disk", "replacing", "000000.mp4')"),
    "a state's removal": freezing("pipeline.disk", "remove", "000000011.json')"),
    "a spool's removal": freezing("pipeline.disk", "remove", "000000.rgb24')"),
}


@pytest.mark.parametrize("late", LATE.values(), ids=LATE)
def test_who_wakes_amid_a_write_does_no_harm(run: Path, whole: bytes, late: str) -> None:
    with rendering(run, late) as frozen:
        wait_until_frozen(frozen)
        began, said = time.monotonic(), list[tuple[int, str]]()

        def wake(frame: Frame, spec: RunSpec) -> None:
            if not said and frame.index >= 14:
                said.append(woken(frozen))

        done = pipeline.resume(run, wake, options=Options(checkpoint_seconds=0.0))
        assert time.monotonic() - began > SILENT_SECONDS
    ((status, words),) = said
    assert status == 75 and "was taken over by" in words and "dreamreel info" in words, words
    assert done.path.read_bytes() == whole
    require_in_order(run)


def test_who_wakes_before_it_removes_what_another_has_made_since(run: Path, whole: bytes) -> None:
    pipeline.resume(run, options=stop_after(12))
    (run / "segments/000001.mp4").write_text("of a render that no state counts")
    with rendering(run, freezing("pipeline.disk", "remove", "000001.mp4')")) as frozen:
        wait_until_frozen(frozen)
        said: list[tuple[int, str]] = []

        def wake(frame: Frame, spec: RunSpec) -> None:
            if frame.index == 20:
                while not (run / "segments/000001.mp4").exists():
                    time.sleep(0.01)
                said.append(woken(frozen))

        assert pipeline.resume(run, wake).path.read_bytes() == whole
    assert said[0][0] == 75 and "was taken over by" in said[0][1]
    require_in_order(run)


def test_who_wakes_when_all_is_done_does_no_harm(run: Path, whole: bytes) -> None:
    with rendering(run, AT_A_FRAME) as frozen:
        wait_until_frozen(frozen)
        assert pipeline.resume(run).path.read_bytes() == whole
        before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
        status, words = woken(frozen)
    assert status == 75 and "another process, which has ended since" in words
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    require_in_order(run)


def test_who_is_frozen_while_it_joins_the_film_keeps_nobody_waiting(run: Path, whole: bytes) -> None:
    joining = "import pipeline.run.film_writer as w, signal, threading\n"
    joining += "w.write_output = lambda *_: signal.pthread_kill(threading.get_ident(), signal.SIGSTOP) or []\n"
    with rendering(run, joining) as frozen:
        wait_until_frozen(frozen)
        assert pipeline.resume(run).path.read_bytes() == whole
        status, words = woken(frozen)
    assert status == 75 and "was taken over by" in words
    require_in_order(run)


def test_who_is_frozen_within_a_beat_is_waited_for(run: Path, whole: bytes) -> None:
    with rendering(run, AT_A_FRAME) as frozen:
        wait_until_frozen(frozen)
        # A second goes by before anybody watches.
        threading.Timer(1 + SILENT_SECONDS / 2, lambda: os.kill(frozen.pid, signal.SIGCONT)).start()
        with pytest.raises(TroubleError, match="another process is rendering"):
            pipeline.resume(run)
        assert frozen.wait(60) == 0
    assert (run / "quick.mp4").read_bytes() == whole


def test_who_died_here_is_not_waited_for(run: Path, whole: bytes) -> None:
    with rendering(run) as killed:
        wait_for_frames(killed, run, 5)
        killed.kill()  # and nobody has asked for its status: its number is still taken
        while (run / ".lease").exists() and state_of(killed.pid) != "Z":
            time.sleep(0.01)
        seen = lease.look(run / ".lease")
        assert seen is not None
        taken = lease.take(run / ".lease", locked=True)
        assert taken.displaced is None
        taken.displaced = lease._here(1, False)  # so that it stays
        taken.release()
    assert lease.Owner.model_validate_json((run / ".lease").read_bytes()).number == 2
    (run / ".lease").write_bytes(seen.data)
    assert pipeline.resume(run).path.read_bytes() == whole
    assert '"taken over"' not in (run / "run.jsonl").read_text()


def _owner(**changes: object) -> bytes:
    """A lease of this very process's, changed."""
    return lease._here(3, False).model_copy(update={"beat_seconds": BEAT_SECONDS, **changes}).model_dump_json().encode()


def test_a_number_that_another_process_has_now_is_no_sign_of_life(tmp_path: Path) -> None:
    path = tmp_path / ".lease"
    path.write_bytes(_owner(started=1))
    began = time.monotonic()
    taken = lease.take(path, locked=True)
    assert time.monotonic() - began < SILENT_SECONDS and taken.owner.number == 4
    assert taken.displaced is None
    taken.release()
    assert not path.exists()


@pytest.mark.parametrize("data", [_owner(), _owner(machine="another"), b""], ids=["alive", "elsewhere", "empty"])
def test_who_may_live_is_watched_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(lease, "BEAT_SECONDS", BEAT_SECONDS)
    path = tmp_path / ".lease"
    path.write_bytes(data)
    began = time.monotonic()
    taken = lease.take(path, locked=True)
    assert time.monotonic() - began > 0.9 * SILENT_SECONDS
    assert (taken.displaced is None) == (not data)
    taken.release()
    assert path.exists() == bool(data)


def test_a_lock_that_somebody_has_without_a_lease_is_left_alone(run: Path) -> None:
    (run / ".lease").write_bytes(_owner(started=1))
    lock = filelock.FileLock(run / ".lock")
    with lock, pytest.raises(TroubleError, match="another process is rendering"):
        pipeline.resume(run)


def test_of_two_who_would_take_it_the_first_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second has seen what the first took away, and is about to do so."""
    path = tmp_path / ".lease"
    path.write_bytes(_owner(machine="another"))
    monkeypatch.setattr(lease, "BEAT_SECONDS", BEAT_SECONDS)
    real, first = lease.remove_if, list[lease.Lease]()

    def late(path: Path, is_right: Callable[[Path], bool]) -> bool:
        monkeypatch.setattr(lease, "remove_if", real)
        first.append(lease.take(path, locked=True))
        return real(path, is_right)

    monkeypatch.setattr(lease, "remove_if", late)
    with pytest.raises(TroubleError, match="another process is rendering"):
        lease.take(path, locked=True)
    first[0].require()
    first[0].displaced = None
    first[0].release()
    assert not list(tmp_path.iterdir())


def test_of_many_who_would_take_it_one_has_it(tmp_path: Path) -> None:
    path = tmp_path / ".lease"
    for _ in range(20):
        path.write_bytes(_owner(machine="another", beat_seconds=0.001))
        got: list[lease.Lease] = []

        def take(got: list[lease.Lease] = got) -> None:
            with contextlib.suppress(TroubleError):
                got.append(lease.take(path, locked=True))

        threads = [threading.Thread(target=take) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len([each for each in got if each._is_ours()]) == 1
        for each in got:
            each.displaced = None
            each.release()
        assert not list(tmp_path.iterdir())


def test_a_disk_without_locks_is_guarded_by_the_lease(
    preset: Preset, whole: bytes, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_there(descriptor: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", none_there)
    folder = RunFolder(run)
    with folder.locked(), pytest.raises(TroubleError, match="another process is rendering"):
        pipeline.resume(run)
    assert pipeline.resume(run).path.read_bytes() == whole


def test_a_users_file_of_that_name_stays(preset: Preset, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/.lease").write_text("of the flat")
    with pytest.raises(RunError, match="is no lease of dreamreel's; move it away"):
        pipeline.render(preset, tmp_path / "mine")
    assert (tmp_path / "mine/.lease").read_text() == "of the flat"


def test_what_could_not_be_made_anew_is_so_by_the_next(
    run: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    with rendering(run, AT_A_FRAME) as frozen:
        wait_until_frozen(frozen)
        with monkeypatch.context() as patch:
            patch.setattr("pipeline.run.locks.renew", full)
            with pytest.raises(TroubleError, match="No space left"):
                pipeline.resume(run)
        inode = (run / "run.jsonl").stat().st_ino
        dead = lease.Owner.model_validate_json((run / ".lease").read_bytes()).model_copy(update={"started": 1})
        (run / ".lease").write_text(dead.model_dump_json())
        assert pipeline.resume(run).path.read_bytes() == whole
        assert (run / "run.jsonl").stat().st_ino != inode
        assert woken(frozen)[0] == 75
    require_in_order(run)


def test_waiting_for_a_sign_of_life_can_be_stopped(preset: Preset, run: Path) -> None:
    """By Ctrl-C too, which ends it long before the 200 s of this one."""
    (run / ".lease").write_bytes(_owner(machine="another", host="render7", beat_seconds=10))
    left = listed(run)
    words = "stopped while it was waited whether render7.*nothing was changed"
    with pytest.raises(TroubleError, match=words):
        pipeline.resume(run, options=Options(should_stop=lambda: True))
    with pytest.raises(TroubleError, match=words):
        pipeline.render(preset, run, overwrite=True, options=Options(should_stop=lambda: True))
    command = [sys.executable, "-m", "pipeline", "resume", str(run)]
    with subprocess.Popen(command, env=surroundings(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        assert any(b"waiting to see whether render7" in line for line in process.stdout)
        process.send_signal(signal.SIGINT)
        begun = time.monotonic()
        said = process.stdout.read().decode()
        assert process.wait() == 130 and time.monotonic() - begun < 60
    assert re.search(words, said)
    assert listed(run) == left


def listed(run: Path) -> dict[str, bytes]:
    return {str(path.relative_to(run)): path.read_bytes() for path in run.rglob("*") if path.is_file()}


def test_waiting_for_a_sign_of_life_is_told(run: Path) -> None:
    (run / ".lease").write_bytes(_owner(machine="another", host="render7", beat_seconds=0.6))
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "run", str(run)], env=surroundings(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "waiting to see whether render7" in done.stdout + done.stderr
