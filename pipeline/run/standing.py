"""How a run stands, in a moment: its log's last lines say it, and nothing else is read."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import filelock

from pipeline.run.folder import RunFolder
from pipeline.run.lease import was_beating
from pipeline.run.log import last_records

State = Literal["planned", "rendering", "stopped", "finished", "failed"]


class Standing(NamedTuple):
    """planned: nothing is rendered yet; failed: trying again mends nothing; stopped: goes on where it was."""

    state: State
    frames: int
    """the newest that was rendered, counted from 1, or those of all shots; some may have to be rendered again"""
    error: str | None = None
    """of a failed one"""


def standing(folder: RunFolder) -> Standing:
    """How the run in a folder stands. A finished one whose film is gone is stopped."""
    records = last_records(folder.log_file)
    event: dict[str, Any] = next((record for record in reversed(records) if "event" in record), {})
    frames = _newest(records) + _frames_of_shots(folder)
    if event.get("event") == "finished" and _are_there(folder, event.get("outputs")):
        return Standing("finished", int(event.get("frame", frames)))
    if is_rendering(folder):
        return Standing("rendering", frames)
    if event.get("event") == "failed":
        return Standing("failed", frames, str(event.get("error", "")))
    return Standing("stopped" if records else "planned", frames)


def is_rendering(folder: RunFolder) -> bool:
    """Whether some process works on it now, as far as that can be told in a moment."""
    lock = filelock.FileLock(folder.lock_file)
    try:
        lock.acquire(timeout=0)
        lock.release()
    except filelock.Timeout:
        return True
    except OSError:  # nobody renders where nobody can write, unless elsewhere, or where there are no locks
        pass
    return was_beating(folder.lease_file)


def _newest(records: Sequence[dict[str, Any]]) -> int:
    return 1 + max((r["frame"] for r in records if "event" not in r and type(r.get("frame")) is int), default=-1)


def _frames_of_shots(folder: RunFolder) -> int:
    total = 0
    with contextlib.suppress(OSError):  # no rights, or one that is taken away just now
        for shot in folder.shots_there():
            with contextlib.suppress(FileNotFoundError):
                log = shot.log_file.absolute()
                found = log.stat()
                total += _frames_then(log, found.st_mtime_ns, found.st_size)
    return total


@lru_cache(4096)
def _frames_then(log: Path, mtime_ns: int, size: int) -> int:
    """Of a log as it is then: a film may have hundreds of shots, and is looked at ten times a second."""
    return _newest(last_records(log))


def _are_there(folder: RunFolder, names: Any) -> bool:
    if not isinstance(names, list):  # of earlier versions
        with contextlib.suppress(Exception):
            return folder.film(folder.load_preset()).exists()
        return False
    return all((folder.preset_file.parent / str(name)).exists() for name in names)
