"""Threads that wait for each other sleep soon, unless the user says how they wait."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

# Uses torch's threads, then lets them be for a second: how many seconds of processor time that second cost.
IDLE_COST = """
import time, torch
from pipeline.threads import wait_briefly
torch.set_num_threads({threads})
torch.zeros(1 << 22).add_(1)
{ready}
a = torch.zeros(1 << 18)
began, spent = time.perf_counter(), time.process_time()
while time.perf_counter() - began < 1:
    a.add_(1)
    time.sleep(0.005)
print(time.process_time() - spent)
"""
AS_WE_WAIT = {k: v for k, v in os.environ.items() if k not in ("OMP_NUM_THREADS", "GOMP_SPINCOUNT", "OMP_WAIT_POLICY")}


def idle_cost(ready: str, threads: int = 2, **environment: str) -> float:
    code = IDLE_COST.format(ready=ready, threads=threads)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=AS_WE_WAIT | environment
    )
    return float(done.stdout)


@pytest.mark.skipif(
    not sys.platform.startswith("linux") or len(os.sched_getaffinity(0)) < 2,
    reason="only GNU's OpenMP spins so, and only where there are processors for several threads",
)
def test_threads_that_wait_leave_the_processor_to_others() -> None:
    threads = len(os.sched_getaffinity(0))
    spinning, brief = idle_cost("", threads), idle_cost("wait_briefly()", threads)
    assert spinning > 0.3  # of a second, at the least, for nothing
    assert brief < spinning / 2


def test_one_thread_needs_no_pool() -> None:
    assert "dreamreel-pool" not in threads_after("torch.set_num_threads(1)")


@pytest.mark.parametrize("name", ["GOMP_SPINCOUNT", "OMP_WAIT_POLICY"])
def test_what_the_user_says_about_waiting_holds(name: str) -> None:
    value = {"GOMP_SPINCOUNT": "5000", "OMP_WAIT_POLICY": "PASSIVE"}[name]
    assert "dreamreel-pool" not in threads_after("torch.set_num_threads(2)", **{name: value})
    assert "dreamreel-pool" in threads_after("torch.set_num_threads(2)")


def threads_after(before: str, **environment: str) -> str:
    code = (
        f"import threading, torch; {before}\nfrom pipeline.threads import wait_briefly\nwait_briefly()\n"
        "print([thread.name for thread in threading.enumerate()])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=AS_WE_WAIT | environment
    )
    return done.stdout
