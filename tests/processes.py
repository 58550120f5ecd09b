"""dreamreel in processes of its own, as a stranger starts it: with pipes, on terminals, by other programs."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Self

ROOT = Path(__file__).resolve().parent.parent
COMMAND = (sys.executable, "-m", "pipeline")


def surroundings(**environment: str) -> dict[str, str]:
    """The environment that the processes get."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return os.environ | {"COLUMNS": "200", "PYTHONPATH": path, "OMP_NUM_THREADS": "1"} | environment


def dreamreel(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.Popen[str]:
    """Start it; its output is piped."""
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=cwd,
        env=surroundings(**environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end, whatever that is."""
    process = dreamreel(*arguments, cwd=cwd, **environment)
    out, errors = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, out, errors)


def run_dreamreel(*arguments: str, cwd: Path = ROOT, **environment: str) -> str:
    """Run it to a good end; returns what it printed."""
    done = finished(*arguments, cwd=cwd, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def shell(script: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a bash script in which `dreamreel` is dreamreel."""
    function = f'dreamreel() {{ "{sys.executable}" -m pipeline "$@"; }}; export -f dreamreel\n'
    return subprocess.run(
        ["bash", "-c", function + script], cwd=cwd, env=surroundings(**environment), capture_output=True
    )


class Terminal:
    """A pseudo-terminal, and a process in a session of its own that has it for everything."""

    def __init__(self, command: tuple[str, ...], cwd: Path, **environment: str) -> None:
        self._ours, theirs = os.openpty()
        self.process: subprocess.Popen[Any] = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=cwd,
            env=surroundings(**{"TERM": "xterm", "COLUMNS": "100"} | environment),
            start_new_session=True,
        )
        os.close(theirs)
        self._screen: IO[bytes] = open(self._ours, "rb", buffering=0)  # noqa: SIM115  # hang_up closes it
        self.seen = b""

    def read(self) -> Iterator[bytes]:
        """All that is shown, as it comes; reading past a terminal's end is an error there."""
        with contextlib.suppress(OSError, ValueError):
            while part := self._screen.read(65536):
                self.seen += part
                yield part

    def wait_for(self, pattern: bytes) -> None:
        """Read until what matches was shown."""
        for _ in self.read():
            if re.search(pattern, self.seen):
                return
        raise AssertionError(f"never shown: {pattern!r} in {self.seen[-2000:]!r}")

    def hang_up(self) -> None:
        """Take the terminal away."""
        self._screen.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left running, whatever the test found."""
        self.hang_up()
        self.process.kill()
        self.process.wait()
