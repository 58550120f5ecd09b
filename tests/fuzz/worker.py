"""A process that tries cases, and what watches it: time, memory, and whether it lives."""

from __future__ import annotations

import multiprocessing
import os
import re
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from tests.fuzz.case import Case
from tests.fuzz.trial import Fault, try_case

MOST_SECONDS = 20.0
MOST_BYTES = 2 * 10**9
_WORN_OUT_BYTES = 1.2 * 10**9  # caches fill; a new process is cheap
_STANDS_STILL = 0.05  # of the time it had: it waits for something
_LOOKS_A_SECOND = 20
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


Announce = Callable[[str], None]
Attempt = Callable[[Case, Announce], list[Fault]]


def warm_up() -> None:
    """Import what takes long, before the clock runs."""
    import torch

    import pipeline.preset
    import pipeline.run  # noqa: F401

    torch.set_num_threads(1)


class Worker:
    """Tries cases one after the other in a process of its own, which is replaced when it dies or has to."""

    def __init__(
        self,
        attempt: Attempt = try_case,
        prepare: Callable[[], None] = warm_up,
        most_seconds: float = MOST_SECONDS,
        most_bytes: float = MOST_BYTES,
    ) -> None:
        self._attempt, self._prepare = attempt, prepare
        self._most_seconds, self._most_bytes = most_seconds, most_bytes
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __call__(self, case: Case) -> list[Fault]:
        """What is wrong with how dreamreel takes the case."""
        fresh = self._process is None
        faults = self._tried(case)
        if fresh or not any("takes more than" in fault.signature for fault in faults):
            return faults
        self.close()  # what cases before it left behind is not its own: it is judged by what a new process says
        return self._tried(case)

    def _tried(self, case: Case) -> list[Fault]:
        if self._process is None:
            self._start()
        assert self._pipe is not None
        self._pipe.send(case)
        return self._watched(case)

    def _start(self) -> None:
        # Not forked: threads of torch and locks of the parent would come along.
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)  # outlives a process that is killed
        arguments = (theirs, self._attempt, self._prepare, self._folder.name)
        self._process = context.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()
        self._pipe.recv()  # its imports are done

    def _watched(self, case: Case) -> list[Fault]:
        assert self._pipe is not None and self._process is not None and self._process.pid is not None
        command, pid = "", self._process.pid
        began, worked_before = time.monotonic(), _use_of(pid)[0]
        try:
            while True:
                if not self._pipe.poll(1 / _LOOKS_A_SECOND):
                    worked, held = _use_of(pid)
                    fault = self._excess(case, command, time.monotonic() - began, worked - worked_before, held)
                    if fault is not None:
                        self.close()
                        return [fault]
                    continue
                said = self._pipe.recv()
                if not isinstance(said, str):
                    break
                command, began, worked_before = said, time.monotonic(), _use_of(pid)[0]
        except EOFError:
            self._process.join()
            status = self._process.exitcode
            self.close()
            return [Fault(f"{case.area}: the process dies ({status}) in {command.partition(' ')[0]}", command)]
        faults, most_bytes = said
        if most_bytes > self._most_bytes:
            faults.append(self._greedy(case, command, most_bytes))
        if most_bytes > _WORN_OUT_BYTES:
            self.close()
        return list(faults)

    def _excess(self, case: Case, command: str, seconds: float, worked: float, held: int) -> Fault | None:
        if held > self._most_bytes:
            return self._greedy(case, command, held)
        # On a busy machine a process may have no turn for long: what counts is its own work, or that it does none.
        most = self._most_seconds
        if worked > most or (seconds > most and worked < _STANDS_STILL * most):
            kind = command.partition(" ")[0]
            told = f"$ dreamreel {command}\n{worked:.1f} s of work in {seconds:.1f} s"
            return Fault(f"{case.area}: {kind} takes more than {most:.0f} s", told)
        return None

    def _greedy(self, case: Case, command: str, held: int) -> Fault:
        kind = command.partition(" ")[0]
        signature = f"{case.area}: {kind} takes more than {self._most_bytes / 1e9:.1f} GB"
        return Fault(signature, f"$ dreamreel {command}\n{held / 1e9:.2f} GB")

    def close(self) -> None:
        """End the process, whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
        if self._folder is not None:
            self._folder.cleanup()
        self._process = self._pipe = self._folder = None


def _use_of(pid: int) -> tuple[float, int]:
    """Seconds of processor time that a process and its children have used, and the bytes they hold.

    Nothing where the system does not tell.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0.0, 0
    ticks, held = sum(map(int, fields[11:15])), int(fields[21]) * _PAGE  # the process's own, and its dead children's
    below = [_use_of(int(child)) for child in children]
    return ticks / _TICKS + sum(worked for worked, _ in below), held + sum(each for _, each in below)


def _serve(pipe: Connection, attempt: Attempt, prepare: Callable[[], None], folder: str) -> None:
    """The process's whole life; its files lie in `folder`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # but for renders, which set a handler of their own
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):  # libraries write there past Python
        os.dup2(nowhere, descriptor)
    os.environ |= {"COLUMNS": "200", "OMP_NUM_THREADS": "1", "NO_COLOR": "1", "XDG_CACHE_HOME": f"{folder}/cache"}
    tempfile.tempdir = folder
    prepare()
    pipe.send("ready")
    while True:
        try:
            case = pipe.recv()
        except EOFError:
            return
        faults = attempt(case, pipe.send)
        pipe.send((faults, _most_held()))


def _most_held() -> int:
    """The most bytes that this process, or one that it started, has held so far."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * _RSS_UNIT
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return max(children, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT)
    # Not ru_maxrss: Linux counts there what the process held that this one was started from.
    peak = re.search(r"^VmHWM:\s*(\d+) kB", status, re.MULTILINE)
    return max(children, 0 if peak is None else int(peak[1]) * 1024)
