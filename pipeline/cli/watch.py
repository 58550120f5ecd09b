"""What goes on, for whoever waits: a line that lives on a terminal, elsewhere plain lines after some silence."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, ProgressColumn, Task
from rich.table import Column
from rich.text import Text

from pipeline import activity
from pipeline.cli.console import console
from pipeline.errors import printable

SILENT_SECONDS = 10.0
_PATIENCE_SECONDS = 0.5  # what is over by then needs no line


class Words(ProgressColumn):
    """Words that are asked for whenever the line is drawn."""

    def __init__(self, words: Callable[[], str], style: str = "") -> None:
        super().__init__(Column(no_wrap=True))  # on a narrow terminal, the bar gives way first
        self._words, self._style = words, style

    def render(self, task: Task) -> Text:
        """Called by rich, ten times a second."""
        return Text(printable(self._words()), style=self._style)


class Watch:
    """Shows `name`, what is being done in its block, however deep, and for how long, from the first moment on."""

    def __init__(self, name: str, *columns: ProgressColumn, stderr: bool = False) -> None:
        self._console = console(stderr=stderr)
        self._live = self._console.is_terminal and not self._console.is_dumb_terminal
        self._name = name
        self._doing = ""
        self._share: float | None = None
        self._started = self._said = time.monotonic()
        self._bar = Progress(
            *(columns or (Words(self._label), BarColumn(), Words(self._elapsed))),
            console=self._console,
            disable=not self._live,
            transient=True,
            redirect_stdout=not stderr,  # what is printed belongs where it was sent
        )
        self._task = self._bar.add_task("", total=None)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._live_on, name="dreamreel-watch", daemon=True)
        self._listening = contextlib.ExitStack()

    def say(self, text: str, style: str | None = None) -> None:
        """Print a line, above the one that lives."""
        self._said = time.monotonic()
        self._console.print(Text(printable(text)), style=style if self._console.is_terminal else None)

    def turn_to(self, name: str) -> None:
        """The next thing of many is begun."""
        self._name = name
        self.hear("", 0, None)

    def hear(self, what: str, done: int, total: int | None) -> None:
        """Take note of what is being done; called by many, often, in any thread."""
        self._doing, self._share = what, done / total if total else None
        self._advance()

    def _advance(self) -> None:
        self._bar.update(self._task, completed=self._share or 0.0, total=None if self._share is None else 1.0)

    def _activity(self) -> str:
        return self._doing if self._share is None else f"{self._doing} {100 * self._share:.0f} %"

    def _label(self) -> str:
        return f"{self._name}: {self._activity()}" if self._doing else self._name

    def _elapsed(self) -> str:
        return clock(time.monotonic() - self._started)

    def _line(self) -> str:
        """Where things stand, where nothing lives."""
        return f"{self._label()}, {self._elapsed()}"

    def _live_on(self) -> None:
        if self._live:
            if not self._over.wait(_PATIENCE_SECONDS):
                self._bar.start()
            return
        while not self._over.wait(max(0.1, self._said + SILENT_SECONDS - time.monotonic())):
            if time.monotonic() - self._said >= SILENT_SECONDS:
                self.say(self._line())

    def __enter__(self) -> Self:
        self._listening.enter_context(activity.listening(self.hear))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listening.close()
        self._over.set()
        self._thread.join()
        self._bar.stop()


def clock(seconds: float) -> str:
    """`1:02:03`, `2:03`, `3.4 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def megabytes(count: float) -> str:
    """`0.4 MB`, `12 MB`, `1.5 GB`."""
    if count >= 1e9:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:.0f} MB" if count >= 1e7 else f"{count / 1e6:.1f} MB"


def before_the_first(frames: int) -> str:
    """Where a lead-in stands that has so many frames to go."""
    return f"lead-in, {frames} frame{'s' if frames > 1 else ''} before the first"
