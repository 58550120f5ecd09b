"""Processes that render, that freeze in the middle of a write, and that seem to be on another machine."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pipeline
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
def rendering(run: Path, preamble: str = "", within: Sequence[str] = ()) -> Iterator[subprocess.Popen[str]]:
    """`dreamreel run` in a process of its own, with a checkpoint after every frame; gone at the end of the block.

    `within` is a command that starts it.
    """
    code = f"{QUICK_BEATS}{preamble}\nfrom pipeline.cli import main; main()"
    process = subprocess.Popen(
        [*within, sys.executable, "-c", code, "run", str(run), "--checkpoint-every", "0"],
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


def wait_until_frozen(process: subprocess.Popen[str]) -> int:
    """The number of the process that is: it, or one that it started."""
    while True:
        assert process.poll() is None, process.communicate()[0]
        for pid in family(process.pid):
            if state_of(pid) == "T":
                return pid
        time.sleep(0.01)


def family(pid: int) -> Iterator[int]:
    """A process, and those below it."""
    yield pid
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield from family(int(child))


def wait_for_frames(process: subprocess.Popen[str], run: Path, frames: int) -> None:
    """Until the process has rendered so many."""
    log = run / "run.jsonl"
    while not log.exists() or log.read_bytes().count(b'{"frame"') < frames:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)


def state_of(pid: int) -> str:
    """`T`: frozen, `Z`: dead; nothing: gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return ""


def woken(process: subprocess.Popen[str]) -> tuple[int, str]:
    """The exit status of a frozen process, and its words, once it was let go on."""
    for pid in family(process.pid):
        os.kill(pid, signal.SIGCONT)
    words, _ = process.communicate(timeout=60)
    return process.returncode, words


def require_in_order(run: Path) -> None:
    """What a finished run holds is all that it should, and no line of its log is torn or of a frame too many."""
    names = {path.name for path in run.iterdir()} - {".lock"}
    assert names == {"preset.yaml", "run.jsonl", "state", "segments", "quick.mp4", "poster.png", "sheet.png"}
    assert not [path for path in run.rglob("*.part*")]
    records = [json.loads(line) for line in (run / "run.jsonl").read_text().splitlines()]
    assert records[-1]["event"] == "finished"
    last = max(number for number, record in enumerate(records) if record.get("event") == "resume")
    frames = [record["frame"] for record in records[last:] if "event" not in record]
    assert frames == list(range(21 - len(frames), 21))
    assert pipeline.report(run).state == "finished" and set(pipeline.report(run).checkpoints.values()) == {"whole"}
