"""Ctrl-C, SIGTERM and SIGHUP in good order: once to finish the frame and save, twice to stop at once."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

from pipeline.statuses import STOPPED

_SHOW_CURSOR = b"\x1b[?25h"  # ECMA-48 private mode 25, which the live bar hides
_TERMINALS = (1, 2)
_IMPORTER = "<frozen importlib._bootstrap>"
# A terminal, `timeout` and a shell each pass on what they got themselves, so one wish may arrive several times.
_ONE_WISH_SECONDS = 0.3


def obey() -> None:
    """From now on, a signal ends the command as Ctrl-C does: what is half-written is removed, and no traceback."""
    _handle_all(_end_command)


def obey_by_default() -> None:
    """The command has its outcome: what comes now may end the process as it likes."""
    _handle_all(signal.SIG_DFL)


def _handle_all(handler: Any) -> dict[int, Any]:
    """Install a handler for each signal but a SIGHUP that is ignored, as under nohup; returns those before."""
    names = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP
    numbers = [number for name in names if (number := getattr(signal, name, None)) is not None]
    hung_up = getattr(signal, "SIGHUP", None)
    wanted = [n for n in numbers if not (n == hung_up and signal.getsignal(n) is signal.SIG_IGN)]
    return {number: signal.signal(number, handler) for number in wanted}


def _end_command(number: int, frame: FrameType | None) -> None:
    # Within an import, an exception may come out as another, or be swallowed by what is half loaded.
    while frame is not None:
        if frame.f_code.co_filename == _IMPORTER:
            end_at_once()
        frame = frame.f_back
    raise KeyboardInterrupt


def end_at_once() -> None:
    """End the process with nothing half-shown on a terminal; a run resumes from its newest checkpoint."""
    for descriptor in _TERMINALS:
        with contextlib.suppress(OSError):  # the terminal may be gone
            if os.isatty(descriptor):
                os.write(descriptor, _SHOW_CURSOR)
    os._exit(STOPPED)


class Stopping:
    """While its context lasts, signals set `asked` instead of raising; a second one ends the process."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.asked = False
        self._asked_at = 0.0
        self._say = say
        self._before: dict[int, Any] = {}
        # A handler runs amid any line of the loop, even one that prints; so the words come from a thread.
        self._wake = threading.Event()
        self._speaker = threading.Thread(target=self._speak, name="dreamreel-stopping", daemon=True)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self.asked:
            self.asked, self._asked_at = True, time.monotonic()
            self._wake.set()
        elif number != getattr(signal, "SIGHUP", None) and time.monotonic() - self._asked_at > _ONE_WISH_SECONDS:
            end_at_once()

    def _speak(self) -> None:
        self._wake.wait()
        if self.asked:
            self._say("finishing the frame and saving; once more stops at once")

    def __enter__(self) -> Stopping:
        self._speaker.start()
        self._before = _handle_all(self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._wake.set()
        self._speaker.join()
