"""dreamreel in processes that need not load torch: forked from one that has, and killed like any other."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.processes import surroundings

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["pipeline.run.session", "pipeline.cli.render", "pipeline.cli.branch", "timm"])


class Fork:
    """`dreamreel ARGUMENTS`, with as much of `Popen` as it takes to wait for it and to kill it."""

    def __init__(self, *arguments: str) -> None:
        os.environ.update(surroundings())  # the server takes them over when it starts
        with tempfile.NamedTemporaryFile(delete=False) as file:
            self._errors = Path(file.name)
        self._process = _FORKS.Process(target=_run, args=(arguments, self._errors))
        self._process.start()

    @property
    def returncode(self) -> int | None:
        """None while it runs; minus the number of the signal that ended it."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The same."""
        return self._process.exitcode

    def wait(self, timeout: float) -> None:
        """Until it has ended. Raises subprocess.TimeoutExpired."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("dreamreel", timeout)

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()

    def communicate(self) -> tuple[str, str]:
        """Wait for its end; what it said, of which nothing is kept, and what it complained of."""
        self._process.join()
        said = self._errors.read_text(encoding="utf-8", errors="replace")
        self._errors.unlink()
        return "", said


def _run(arguments: tuple[str, ...], errors: Path) -> None:
    with errors.open("wb") as file, open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(file.fileno(), 2)
    from pipeline.cli import main

    sys.argv = ["dreamreel", *arguments]
    main()
