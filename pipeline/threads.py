"""Torch's threads on the CPU: nearly as fast beside other programs as alone."""

from __future__ import annotations

import os
import threading
from functools import cache

import torch

_USERS_OWN = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
_SHARED_OUT = 1 << 20  # elements: more than torch leaves to one thread


def wait_briefly() -> None:
    """Have torch's threads sleep soon after their part of an operation is done; for the whole process.

    GNU's OpenMP, which torch computes with on Linux, keeps them spinning for milliseconds so that the next operation
    finds them awake. Beside another busy program they then spin on the processors that the one they wait for needs,
    and a film takes up to fifty times as long. libgomp spins 300 times less once its pools hold more threads than
    there are processors: a second, idle pool sees to that, however early torch was loaded. Spinning less changes no
    result. A user's GOMP_SPINCOUNT or OMP_WAIT_POLICY is left to act; other OpenMPs take no notice.
    """
    if torch.get_num_threads() > 1 and not any(name in os.environ for name in _USERS_OWN):
        _start_idle_pool()


@cache
def _start_idle_pool() -> None:
    ready = threading.Event()
    threading.Thread(target=_hold_a_pool, args=(ready,), name="dreamreel-pool", daemon=True).start()
    ready.wait()


def _hold_a_pool(ready: threading.Event) -> None:
    """Make this thread's own pool, and keep it by never ending."""
    torch.zeros(_SHARED_OUT).add_(1)
    ready.set()
    threading.Event().wait()
