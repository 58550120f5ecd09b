"""What a run's log says, read while it is written: its newest frames, or all their figures, each byte once."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

from pipeline.disk import state_of
from pipeline.run.log import last_records, record_of

_FRAMES = 48  # over which the speed is told


class Tail:
    """The end of a log. Looking again costs nothing while nothing was added."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._state: tuple[int, ...] = ()
        self.event: dict[str, Any] = {}
        """the newest event"""
        self.begun: dict[str, Any] = {}
        """the newest `begin` or `resume`, where it is not far back"""
        self.frames = 0
        """one more than the newest frame's index"""
        self.speed: float | None = None
        """frames a second, of the newest ones"""

    def look(self) -> Tail:
        """Read on to the end, which is missing where there is no log."""
        try:
            state = state_of(self._path)  # whoever takes a run over makes another file of its log
            if state != self._state:
                self._read()
                self._state = state
        except OSError:
            self._state = ()
        return self

    def _read(self) -> None:
        if not self._state:  # seen for the first time: its newest beginning may be far back
            with self._path.open("rb") as file:
                for line in file:
                    if line.startswith(b'{"event"') and (event := record_of(line)) is not None:
                        self._hear(event)
        recent: deque[float] = deque(maxlen=_FRAMES)
        for record in last_records(self._path):
            if "event" in record:
                self._hear(record)
            elif type(record.get("frame")) is int:
                self.frames = record["frame"] + 1
                recent.append(sum(record.get("times", {}).values()))
        self.speed = len(recent) / sum(recent) if sum(recent) > 0 else self.speed

    def _hear(self, event: dict[str, Any]) -> None:
        self.event = event
        if event["event"] in ("begin", "resume"):
            self.begun = event
            if event["event"] == "begin":
                self.frames = 0
        if event["event"] in ("finished", "stopped") and type(event.get("frame")) is int:
            self.frames = event["frame"]
