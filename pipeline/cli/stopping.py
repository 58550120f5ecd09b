"""Ctrl-C in good order: once to finish the frame and save, twice to stop at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any


class Stopping:
    """While its context lasts, SIGINT and SIGTERM set `asked` instead of raising; a second one ends the process."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.asked = False
        self._say = say
        self._before: dict[int, Any] = {}

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            os._exit(130)  # at once; the run resumes from its newest checkpoint
        self.asked = True
        self._say("finishing the frame and saving; once more stops at once")

    def __enter__(self) -> Stopping:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
