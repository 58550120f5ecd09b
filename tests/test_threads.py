"""Threads that wait for each other sleep soon, unless the user says how they wait."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.threads import _is_crowded, _Use, _watch

# Uses torch's threads a little, again and again, for some seconds; how much processor time the last one cost.
LAST_SECOND = """
import time, torch
from pipeline.threads import wait_briefly_where_busy
torch.set_num_threads({threads})
torch.zeros(1 << 22).add_(1)
{ready}
a = torch.zeros(1 << 18)
def use(seconds):
    began, spent = time.perf_counter(), time.process_time()
    while time.perf_counter() - began < seconds:
        a.add_(1)
        time.sleep(0.005)
    return time.process_time() - spent
use(3)
print(use(1))
"""
AS_WE_WAIT = {k: v for k, v in os.environ.items() if k not in ("OMP_NUM_THREADS", "GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}


PROCESSORS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1


def run(code: str, **environment: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=AS_WE_WAIT | environment
    ).stdout


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or PROCESSORS < 2,
    reason="only GNU's OpenMP spins so, and only where there are processors for several threads",
)
def test_beside_busy_programs_threads_that_wait_leave_the_processor_to_them() -> None:
    programs = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(PROCESSORS)]
    try:
        spinning = float(run(LAST_SECOND.format(ready="", threads=PROCESSORS)))
        brief = float(run(LAST_SECOND.format(ready="wait_briefly_where_busy()", threads=PROCESSORS)))
    finally:
        for program in programs:
            program.kill()
            program.wait()
    assert spinning > 0.2  # of a second, at the least, for nothing
    assert brief < spinning / 2


@pytest.mark.parametrize("said", [None, "", "cpu 1 2\n", "cpu a b c d e f g\n"])
def test_a_system_that_tells_otherwise_is_left_alone(
    said: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if said is not None:
        (tmp_path / "stat").write_text(said)
    monkeypatch.setattr("pipeline.threads._STAT", tmp_path / "stat")
    _watch()  # ends, without an error


def crowded(others: float, threads: int, processors: int = 2) -> bool:
    before = _Use(100.0, 50.0, 10.0, processors)
    return _is_crowded(before, _Use(100.0 + others + 1.5, 51.5, 11.0, processors), threads)


def test_crowded_is_where_others_leave_fewer_processors_than_threads() -> None:
    assert not crowded(0.1, threads=2)
    assert crowded(1.0, threads=2)
    assert not crowded(8.0, threads=4, processors=16)
    assert crowded(14.0, threads=4, processors=16)


@pytest.mark.parametrize(
    ("before", "environment", "watches"),
    [
        ("torch.set_num_threads(2)", {}, sys.platform.startswith("linux")),
        ("torch.set_num_threads(1)", {}, False),
        ("torch.set_num_threads(2)", {"GOMP_SPINCOUNT": "5000"}, False),
        ("torch.set_num_threads(2)", {"OMP_WAIT_POLICY": "PASSIVE"}, False),
    ],
)
def test_what_the_user_says_about_waiting_holds(before: str, environment: dict[str, str], watches: bool) -> None:
    code = (
        f"import threading, torch; {before}\nfrom pipeline.threads import wait_briefly_where_busy as wait\nwait()\n"
        "print([thread.name for thread in threading.enumerate()])"
    )
    assert ("dreamreel-waits" in run(code, **environment)) == watches
