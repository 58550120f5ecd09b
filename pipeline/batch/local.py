"""Runs of a batch side by side on this machine: a process for each, with its share of processors, memory and GPUs."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.batch.planning import Work
from pipeline.run.standing import Standing
from pipeline.statuses import RESUMABLE, STOPPED

AGAIN = (RESUMABLE, STOPPED)  # the latter where it was about to begin
_LOOK_SECONDS = 0.1
_MEMORY_SHARE = 0.9  # of the machine's, what runs may take together
FRUITLESS = 3  # tries without a new frame, before a run is given up
_OUTPUT = "batch.log"


@dataclass
class Attempt:
    """A process that renders a run."""

    work: Work
    process: subprocess.Popen[bytes]
    memory: int
    gpu: int | None
    frames: int
    """how many there were when it began"""
    peak: int = 0
    """bytes that it has taken so far"""
    told: bool = False
    """whether it was asked to stop"""


@dataclass
class Outcome:
    """What became of a run."""

    work: Work
    standing: Standing
    said: str = ""
    """why it is not finished"""


@dataclass
class Pool:
    """Renders runs, `workers` at a time. `on_change` hears of each one that ends; `should_stop` stops all."""

    workers: int
    on_change: Callable[[Outcome], None] = lambda outcome: None
    on_look: Callable[[Sequence[Attempt]], None] = lambda running: None
    should_stop: Callable[[], bool] = lambda: False
    memory: int = field(default_factory=lambda: int(_MEMORY_SHARE * machine_memory()))
    gpus: Sequence[int] = ()
    command: Sequence[str] = (sys.executable, "-m", "pipeline")
    _expected: dict[tuple[object, ...], int] = field(default_factory=dict)
    _taken: dict[tuple[object, ...], int] = field(default_factory=dict)
    _fruitless: Counter[str] = field(default_factory=Counter)

    def run(self, works: Sequence[Work]) -> list[Outcome]:
        """Render all; the outcome of each, in the order in which they ended.

        A run that is stopped by what may be over soon is tried again, last, three times without a new frame at most.
        """
        waiting, running, ended = deque(works), list[Attempt](), list[Outcome]()
        try:
            while (waiting and not self.should_stop()) or running:
                if self.should_stop():
                    self._stop(running)
                while waiting and len(running) < self.workers and self._fits(waiting[0], running):
                    running.append(self._begin(waiting.popleft(), running))
                for attempt in running:
                    attempt.peak = max(attempt.peak, _peak(attempt.process.pid))
                self.on_look(running)
                time.sleep(_LOOK_SECONDS)
                for attempt in [each for each in running if each.process.poll() is not None]:
                    running.remove(attempt)
                    outcome = self._ended(attempt)
                    if outcome is None and not self.should_stop():
                        waiting.append(attempt.work)
                        continue
                    ended.append(outcome or Outcome(attempt.work, attempt.work.standing(), "stopped"))
                    self.on_change(ended[-1])
        finally:
            self._kill(running)
        return ended

    def _fits(self, work: Work, running: Sequence[Attempt]) -> bool:
        """Whether there is memory for one more; alone, each has its chance."""
        taken = sum(max(each.memory, each.peak) for each in running)
        return not running or taken + self._needs(work) <= self.memory

    def _needs(self, work: Work) -> int:
        shape = _shape(work)
        if shape not in self._expected:
            self._expected[shape] = work.expected_memory()
        return max(self._expected[shape], self._taken.get(shape, 0))

    def _begin(self, work: Work, running: Sequence[Attempt]) -> Attempt:
        used = Counter(each.gpu for each in running)
        gpu = min(self.gpus, key=lambda each: used[each]) if self.gpus else None
        threads = max(1, (os.cpu_count() or 1) // self.workers)
        environment = {"OMP_NUM_THREADS": str(threads), **os.environ, "NO_COLOR": "1"}
        if gpu is not None:
            environment["CUDA_VISIBLE_DEVICES"] = str(gpu)
        with (work.folder.path / _OUTPUT).open("wb") as said:
            process = subprocess.Popen(
                [*self.command, *work.command],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,  # Ctrl-C is for us, and each is told once
            )
        return Attempt(work, process, self._needs(work), gpu, work.standing().frames)

    def _ended(self, attempt: Attempt) -> Outcome | None:
        """What became of it; None: it is to be tried again."""
        work, status, stands = attempt.work, attempt.process.returncode, attempt.work.standing()
        key = _shape(work)
        self._taken[key] = max(attempt.peak, self._taken.get(key, 0))
        if stands.state == "finished":
            return Outcome(work, stands)
        if status in AGAIN or status < 0:  # told so, or killed
            barren = stands.frames <= attempt.frames
            self._fruitless[work.planned.name] = self._fruitless[work.planned.name] + 1 if barren else 0
            if self._fruitless[work.planned.name] < FRUITLESS:
                return None
        return Outcome(work, stands, stands.error or _last_words(work.folder.path / _OUTPUT) or f"exit status {status}")

    def _stop(self, running: Sequence[Attempt]) -> None:
        for attempt in running:
            if not attempt.told:
                attempt.told = True
                with contextlib.suppress(ProcessLookupError):
                    attempt.process.send_signal(signal.SIGTERM)

    def _kill(self, running: Sequence[Attempt]) -> None:
        for attempt in running:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(attempt.process.pid, signal.SIGKILL)
            attempt.process.wait()


def machine_memory() -> int:
    """Bytes that this machine has, or that a container may use of it."""
    found = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 8 * 10**9
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            found = min(found, int(Path(limit).read_text()))
    return found


def _shape(work: Work) -> tuple[object, ...]:
    """What runs that take as much memory share, as far as a batch varies them."""
    values = {key: value for key, value in work.planned.values.items() if key != "seed"}
    return work.planned.preset, str(values)


def _peak(process: int) -> int:
    """The most memory that a process has had so far, in bytes; 0 where the system does not tell."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
        return 1024 * int(next(line for line in lines if line.startswith("VmHWM:")).split()[1])
    return 0


def _last_words(path: Path) -> str:
    """What a process said last."""
    with contextlib.suppress(OSError):
        lines = [line for line in path.read_text(errors="replace").splitlines() if line.strip()]
        return "\n".join(lines[-3:])
    return ""


def visible_gpus() -> list[int]:
    """The numbers of the GPUs here, where there are several to deal out."""
    import torch

    count = torch.cuda.device_count()
    return list(range(count)) if count > 1 else []
