"""The processes that render: each is a session of its own, which goes on whatever becomes of the studio."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.disk import read_regular, write_whole
from pipeline.statuses import STOPPED
from pipeline.studio.answers import Refused
from pipeline.studio.library import MARK
from pipeline.studio.log import Tail

_SAID, _COMPLAINED = "studio.log", "studio.err"
_MOST_BYTES = 1 << 20
_PACKAGE = Path(__file__).resolve().parents[2]


def surroundings() -> dict[str, str]:
    """The environment of our processes: they find this very package, and look for no other in the current folder."""
    before = os.environ.get("PYTHONPATH")
    return os.environ | {"PYTHONPATH": str(_PACKAGE) + (f"{os.pathsep}{before}" if before else "")}


def python(*arguments: str) -> list[str]:
    """A command of Python's; `-P` keeps modules that lie in the current folder from being taken for ours."""
    return [sys.executable, "-P", *arguments]


class Renderers:
    """Starts and stops the processes of runs, and knows what became of those that it started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: dict[Path, subprocess.Popen[bytes]] = {}

    def start(self, run: Path, arguments: Sequence[str], **mark: str | None) -> None:
        """Run `dreamreel ARGUMENTS` on a run's folder; what it says goes to files there."""
        if mark:
            write_whole(run / MARK, json.dumps(mark).encode())
        elif not (run / MARK).exists():
            write_whole(run / MARK, b"{}")
        with (run / _SAID).open("wb") as said, (run / _COMPLAINED).open("wb") as complained:
            self._started[run] = subprocess.Popen(
                python("-m", "pipeline", *arguments),
                cwd=self._folder,
                env=surroundings(),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=complained,
                start_new_session=True,
            )

    def resume(self, run: Path) -> None:
        """Go on with a run; one that never began is begun."""
        mark = mark_of(run)
        if (run / "preset.yaml").exists() or "given" not in mark:
            self.start(run, ["resume", str(run)])
        else:
            base = mark.get("base", str(self._folder))
            given = Path(mark["given"]).name  # whoever wrote it
            self.start(run, ["render", str(run / given), "--out", str(run), "--relative-to", base])

    def pid(self, run: Path) -> int | None:
        """The process that was started here and is at work on the run, if there is one."""
        process = self._started.get(run)
        return process.pid if process is not None and process.poll() is None else None

    def stop(self, run: Path, tail: Tail) -> None:
        """Ask whoever renders to finish the frame, save and end. Raises Refused where nobody can be asked."""
        pid, begun = self.pid(run), tail.look().begun
        if pid is None and (host := elsewhere(begun)) is not None:
            raise Refused(409, f"{run.name} is rendered on {host}; stop it there, with Ctrl-C")
        pid = begun.get("pid") if pid is None else pid
        if type(pid) is not int or not _is_ours(pid):
            raise Refused(409, f"{run.name} is rendered by a process that can't be found; stop it there, with Ctrl-C")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGINT)

    def error(self, run: Path) -> str | None:
        """Why the newest process failed, in its own words; None where it did not, or was no process of the studio's."""
        process = self._started.get(run)
        if process is not None and process.poll() in (None, 0, STOPPED):
            return None
        try:
            lines = read_regular(run / _COMPLAINED, _MOST_BYTES).decode(errors="replace").strip().splitlines()
        except OSError:
            return None
        told = [line for line in lines if not line.startswith(("note: ", "checking ", "reading ", "branching "))]
        return "\n".join(told[-6:]) or None


def mark_of(run: Path) -> dict[str, str]:
    """What the studio wrote down of a run that it began."""
    try:
        found = json.loads(read_regular(run / MARK, _MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return (
        {str(key): value for key, value in found.items() if isinstance(value, str)} if isinstance(found, dict) else {}
    )


def elsewhere(begun: Mapping[str, Any]) -> str | None:
    """The machine that a run was begun on or gone on with last, where that is another one."""
    host = begun.get("host")
    return host if isinstance(host, str) and host != platform.node() else None


def _is_ours(pid: int) -> bool:
    """Whether a living process is one of dreamreel's: numbers are used again."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return False
        done = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, check=False)
        words = done.stdout
    except OSError:
        return False
    return b"pipeline" in words or b"dreamreel" in words
