"""Ctrl-C in good order: once to finish the frame and save, twice to stop at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

_SHOW_CURSOR = b"\x1b[?25h"  # ECMA-48 private mode 25, which the live bar hides
_TERMINALS = (1, 2)


class Stopping:
    """While its context lasts, SIGINT and SIGTERM set `asked` instead of raising; a second one ends the process."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.asked = False
        self._say = say
        self._before: dict[int, Any] = {}
        # A handler runs amid any line of the loop, even one that prints; so the words come from a thread.
        self._wake = threading.Event()
        self._speaker = threading.Thread(target=self._speak, name="dreamreel-stopping", daemon=True)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            _show_cursor()
            os._exit(130)  # at once; the run resumes from its newest checkpoint
        self.asked = True
        self._wake.set()

    def _speak(self) -> None:
        self._wake.wait()
        if self.asked:
            self._say("finishing the frame and saving; once more stops at once")

    def __enter__(self) -> Stopping:
        self._speaker.start()
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._wake.set()
        self._speaker.join()


def _show_cursor() -> None:
    for descriptor in _TERMINALS:
        if os.isatty(descriptor):
            os.write(descriptor, _SHOW_CURSOR)
