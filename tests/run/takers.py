"""Processes that render, that freeze in the middle of a write, and that seem to be on another machine."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.processes import surroundings

BEAT_SECONDS = 0.05
QUICK_BEATS = f"from pipeline.run import lease; lease.BEAT_SECONDS = {BEAT_SECONDS}\n"
NO_LOCKS = """
import contextlib, filelock
class Nothing(contextlib.nullcontext):
    acquire = release = lambda self, **_: self
filelock.FileLock = Nothing
"""
# What the guard has let pass is not done before the process is woken: as close as a freeze can come to a write.
FREEZE_PAST_GUARD = """
import signal, sys, threading, importlib
module, asked = importlib.import_module({module!r}), []
real = module.require_guard
def guard():
    real()
    caller = sys._getframe(1)
    if caller.f_code.co_name == {function!r} and {with_!r} in str(caller.f_locals) and not asked:
        asked.append(True)
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)  # this very thread: no other stops it later
module.require_guard = guard
"""


def elsewhere(name: str) -> str:
    """A preamble for a process on a machine of its own, with a disk that knows no locks."""
    return f"{NO_LOCKS}\nfrom pipeline.run import lease; lease._machine = lambda: {name!r}\n"


def freezing(module: str, function: str, with_: str) -> str:
    """A preamble for a process that freezes once the guard has let that function pass, with that among its locals."""
    return FREEZE_PAST_GUARD.format(module=module, function=function, with_=with_)


AT_A_FRAME = freezing("pipeline.run.pieces", "append", "'index': 12")


@contextlib.contextmanager
def rendering(run: Path, preamble: str = "") -> Iterator[subprocess.Popen[str]]:
    """`dreamreel run` in a process of its own, with a checkpoint after every frame; gone at the end of the block."""
    code = f"{QUICK_BEATS}{preamble}\nfrom pipeline.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "run", str(run), "--checkpoint-every", "0"],
        env=surroundings(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until_frozen(process: subprocess.Popen[str]) -> None:
    while state_of(process.pid) != "T":
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)


def wait_for_frames(process: subprocess.Popen[str], run: Path, frames: int) -> None:
    """Until the process has rendered so many."""
    log = run / "run.jsonl"
    while not log.exists() or log.read_bytes().count(b'{"frame"') < frames:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]


def woken(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit status of a frozen process, and its words, once it was let go on."""
    os.kill(process.pid, signal.SIGCONT)
    words, _ = process.communicate(timeout=60)
    return process.returncode, words
