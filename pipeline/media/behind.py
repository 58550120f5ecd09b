"""Work that runs behind the loop in a thread of its own, in order."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")


class Behind(Generic[ItemT]):
    """Calls `work` on each item put, in order, in one thread.

    At most `depth` items wait. An error in the thread comes out of the next `put`, or of leaving the context;
    leaving it by an exception drops what still waits.
    """

    def __init__(self, work: Callable[[ItemT], None], depth: int = 4) -> None:
        self._work = work
        self._items: queue.Queue[ItemT | None] = queue.Queue(depth)
        self._error: BaseException | None = None
        self._dropping = False
        self._thread = threading.Thread(target=self._run, name="dreamreel-behind", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while (item := self._items.get()) is not None:
            if self._error is None and not self._dropping:
                try:
                    self._work(item)
                except BaseException as error:  # handed to the loop's thread, whatever it is
                    self._error = error

    def put(self, item: ItemT) -> None:
        """Hand over one item; blocks while `depth` are waiting."""
        self._items.put(item)
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            self._dropping = True
            raise error

    def __enter__(self) -> Behind[ItemT]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._dropping = self._dropping or kind is not None
        self._items.put(None)
        self._thread.join()
        if kind is None:
            self._raise()
