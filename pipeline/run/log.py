"""run.jsonl: one line for each event and each frame, for people and for plots."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.disk import open_regular, require_guard

_LONGEST_LINE = 1 << 16  # bytes; ours are some hundreds
_TAIL_BYTES = 1 << 16


def worker() -> dict[str, Any]:
    """Which process works on a run, and on which machine: beside the events that it begins with."""
    return {"pid": os.getpid(), "host": platform.node()}


class RunLog:
    """Appends lines to a run's log. Raises OSError when the disk refuses."""

    def __init__(self, path: Path) -> None:
        torn = path.exists() and not _ends_a_line(path)
        self._file = path.open("a", encoding="utf-8")
        if torn:  # a kill cut the last line short; readers skip it
            require_guard()
            self._file.write("\n")

    def event(self, name: str, **facts: Any) -> None:
        """Something that happened to the run, with the time of day."""
        self._write({"event": name, "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **facts})

    def frame(self, index: int, facts: dict[str, Any]) -> None:
        """One frame's figures."""
        self._write({"frame": index, **facts})

    def _write(self, record: dict[str, Any]) -> None:
        require_guard()
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _ends_a_line(path: Path) -> bool:
    with open_regular(path) as file:
        if file.seek(0, os.SEEK_END) == 0:
            return True
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"


def read_log(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a log, in order; what is no record, such as a line cut short by a kill, is left out.

    A log that is not there or can't be read has none: it is for people, and no frame depends on it.
    """
    try:
        with open_regular(path) as file:
            while line := file.readline(_LONGEST_LINE):
                record = record_of(line)
                if record is not None:
                    yield record
    except OSError:
        return


def last_records(path: Path) -> list[dict[str, Any]]:
    """The records at the end of a log, in order: some hundreds. None where it can't be read."""
    try:
        with open_regular(path) as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            lines = file.read(_TAIL_BYTES).splitlines()
    except OSError:
        return []
    return [record for record in map(record_of, lines) if record is not None]


def record_of(line: bytes) -> dict[str, Any] | None:
    """What a line of a log says; None where it is no record."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def frame_records(path: Path) -> dict[int, dict[str, Any]]:
    """The newest record of every frame; a resumed run renders some frames twice."""
    records = (record for record in read_log(path) if "event" not in record)
    return {record["frame"]: record for record in records if type(record.get("frame")) is int}
