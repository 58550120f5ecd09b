"""Work that runs behind the loop in a thread of its own, in order."""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Callable
from functools import partial
from types import TracebackType

Work = Callable[[], None]


class Behind:
    """Does the work that is put, in order, in one thread; at most `depth` pieces wait.

    An error in the thread comes out of the next `put`, or of leaving the context; nothing put after it is done.
    Leaving the context by an exception drops what still waits. (A ThreadPoolExecutor would let the queue grow
    without end and go on after an error.)
    """

    def __init__(self, name: str, depth: int) -> None:
        self._waiting: queue.Queue[Work | None] = queue.Queue(depth)
        self._error: BaseException | None = None
        self._dropping = False
        # In the maker's context, so that whoever listens to it hears the thread too.
        run = partial(contextvars.copy_context().run, self._run)
        self._thread = threading.Thread(target=run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while (work := self._waiting.get()) is not None:
            if self._error is None and not self._dropping:
                try:
                    work()
                except BaseException as error:  # handed to the other thread, whatever it is
                    self._error = error

    def put(self, work: Work) -> None:
        """Hand over work; blocks while `depth` pieces wait."""
        self._waiting.put(work)
        self._raise()

    def _raise(self) -> None:
        if self._error is not None and not self._dropping:
            self._dropping = True
            raise self._error

    def __enter__(self) -> Behind:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._dropping = self._dropping or kind is not None
        self._waiting.put(None)
        self._thread.join()
        if kind is None:
            self._raise()
