"""What a worker on a cluster does with a run: a process of its own, begun again where that may help.

A worker gets these functions by value (`register_pickle_by_value`) and so imports nothing of ours and stays small: this
module may import nothing but the standard library.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

LOOK_SECONDS = 0.5  # between two of the moments at which a worker hears that its task is cancelled
PAUSE_SECONDS = 1.0  # before a run is begun again
_LOG_BYTES = 1 << 16
_LAST_LINES = 3
_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


def render(
    command: Sequence[str],
    folder: str,
    environment: Mapping[str, str],
    again: Sequence[int],
    fruitless: int,
    stop: str,
) -> tuple[int, str]:
    """Run `command` until it ends for good; the exit status of the last try, negative for a signal, and its last words.

    It is tried again after a signal or one of the statuses `again`, up to `fruitless` tries in a row without a new
    frame of the run in `folder`. A file at `stop` ends it: the process gets SIGTERM once, and there is no
    other; then the status is the first of `again`.
    """
    told, frames, barren = Path(stop), frames_logged(folder), 0
    while not told.exists():
        status, said = _attempt(command, environment, told)
        if status not in again and status >= 0:
            return status, said
        before, frames = frames, frames_logged(folder)
        barren = 0 if frames > before else barren + 1
        if barren >= fruitless:
            return status, said
        time.sleep(PAUSE_SECONDS)
    return again[0], "stopped"


def frames_logged(folder: str) -> int:
    """How many frames a run has, or all of its shots, by the ends of their logs: it rises while a run gets on."""
    return sum(map(_frames, (Path(folder) / "run.jsonl", *(Path(folder) / "shots").glob("*/run.jsonl"))))


def _frames(log: Path) -> int:
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LOG_BYTES))
            said = file.read()
    except OSError:
        return 0
    return 1 + max(map(int, re.findall(rb'^{"frame": (\d+)', said, re.MULTILINE)), default=-1)


def _attempt(command: Sequence[str], environment: Mapping[str, str], stop: Path) -> tuple[int, str]:
    """One process, from its begin to its end."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **environment},
        preexec_fn=_ends_with_us() if sys.platform == "linux" else None,
    )
    output, stopping = None, False
    try:
        while output is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                output = process.communicate(timeout=LOOK_SECONDS)[0]
            if output is None and not stopping and stop.exists():
                stopping = True
                process.terminate()  # once: at a second signal a run does not wait for its checkpoint
    except BaseException:
        if not stopping:
            process.terminate()
        process.communicate()
        raise
    return process.returncode, _last_words(output.decode(errors="replace"))


def _ends_with_us() -> Callable[[], None]:
    """What a new process does so that it is killed when this one is, however that comes."""
    library, ours = ctypes.CDLL(None), os.getpid()

    def bind() -> None:
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != ours:  # we were killed in between
            os.kill(os.getpid(), signal.SIGKILL)

    return bind


def _last_words(said: str) -> str:
    return "\n".join([line for line in said.splitlines() if line.strip()][-_LAST_LINES:])
