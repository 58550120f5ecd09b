"""Torch's threads on the CPU: nearly as fast beside other programs as alone, and as fast as ever alone."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch

_USERS_OWN = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
_SHARED_OUT = 1 << 20  # elements: more than torch leaves to one thread
_LOOK_SECONDS = 0.5
_NOISE = 0.25  # of a processor: what the system itself does now and then
_STAT = Path("/proc/stat")
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


def wait_briefly_where_busy() -> None:
    """Have torch's threads sleep soon after their part of an operation while others need the processors.

    GNU's OpenMP, which torch computes with on Linux, keeps threads spinning for milliseconds so that the next operation
    finds them awake. Alone that is fastest. Beside a busy program they spin on the processor that the one they wait
    for needs, and a film takes many times as long. libgomp itself spins 300 times less while its pools hold more
    threads than there are processors: a second, idle pool sees to that, is made while the processors do not suffice
    for all, and let go when they do, however early torch was loaded. How threads wait changes no result. A user's
    GOMP_SPINCOUNT or OMP_WAIT_POLICY is left to act; other systems and other OpenMPs are left alone.
    """
    if torch.get_num_threads() > 1 and _STAT.exists() and not any(name in os.environ for name in _USERS_OWN):
        _start_watching()


@cache
def _start_watching() -> None:
    threading.Thread(target=_watch, name="dreamreel-waits", daemon=True).start()


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Have torch compute in one thread, so that sums end in the same digits however many there are otherwise."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _Use(NamedTuple):
    """Processor seconds used so far by all programs and by this one, the time, and how many processors there are."""

    everyone: float
    ours: float
    at: float
    processors: int


def _watch() -> None:
    # Where the system tells otherwise than Linux, or stops telling, threads wait as they always do.
    with contextlib.suppress(OSError, ValueError, IndexError):
        _watch_for_ever()


def _watch_for_ever() -> None:
    before, pool, crowded = _use(), _IdlePool(), 0
    while True:
        time.sleep(_LOOK_SECONDS)
        now = _use()
        crowded = crowded + 1 if _is_crowded(before, now, torch.get_num_threads()) else 0
        pool.keep(crowded > 1)  # a moment's work of somebody else, such as our own ffmpeg's, is no reason
        before = now


def _is_crowded(before: _Use, now: _Use, threads: int) -> bool:
    """Whether other programs left fewer processors free than our threads are."""
    others = ((now.everyone - before.everyone) - (now.ours - before.ours)) / (now.at - before.at)
    return now.processors - others < min(threads, now.processors) - _NOISE


def _use() -> _Use:
    lines = _STAT.read_text().splitlines()
    user, nice, system, _, _, irq, soft = map(int, lines[0].split()[1:8])
    processors = sum(line.startswith("cpu") for line in lines) - 1
    return _Use((user + nice + system + irq + soft) / _TICKS, time.process_time(), time.monotonic(), processors)


class _IdlePool:
    """A pool of OpenMP's that belongs to a thread which does nothing, while it is kept."""

    def __init__(self) -> None:
        self._end: threading.Event | None = None

    def keep(self, wanted: bool) -> None:
        """Have the pool, or none."""
        if wanted and self._end is None:
            self._end = threading.Event()
            threading.Thread(target=_hold, args=(self._end,), name="dreamreel-pool", daemon=True).start()
        elif not wanted and self._end is not None:
            self._end.set()
            self._end = None


def _hold(end: threading.Event) -> None:
    torch.zeros(_SHARED_OUT).add_(1)  # makes this thread's own pool, which ends with it
    end.wait()
