"""Work that runs ahead of the loop in a thread of its own, in order."""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import Iterator
from functools import partial
from typing import Generic, TypeVar

from pipeline.activity import report

ItemT = TypeVar("ItemT")


class _Over:
    """What the thread sends last: why there is nothing more."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Ahead(Generic[ItemT]):
    """An iterator over `items`, which are made in one thread, at most `depth` of them before they are asked for.

    An error in the thread comes out where its item would have. Close it to end the thread.
    """

    def __init__(self, items: Iterator[ItemT], depth: int = 3) -> None:
        self._items = items
        self._ready: queue.Queue[ItemT | _Over] = queue.Queue(depth)
        self._closing = threading.Event()
        self._over: _Over | None = None
        # In the maker's context, so that whoever listens to it hears the thread too.
        run = partial(contextvars.copy_context().run, self._run)
        self._thread = threading.Thread(target=run, name="dreamreel-ahead", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            self._make()
        except BaseException as caught:  # handed to the loop's thread, whatever it is
            error = caught
        self._put(_Over(error))

    def _make(self) -> None:
        try:
            for item in self._items:
                if not self._put(item):
                    return
        finally:
            close = getattr(self._items, "close", None)
            if close is not None:
                close()

    def _put(self, item: ItemT | _Over) -> bool:
        while not self._closing.is_set():
            try:
                self._ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def __iter__(self) -> Iterator[ItemT]:
        return self

    def __next__(self) -> ItemT:
        if self._over is None:
            item = self._take()
            if not isinstance(item, _Over):
                return item
            self._over = item
            if item.error is not None:
                raise item.error
        raise StopIteration

    def _take(self) -> ItemT | _Over:
        while not self._closing.is_set():
            try:
                return self._ready.get(timeout=0.1)
            except queue.Empty:
                report("waiting for the footage")
        return _Over(None)

    def close(self) -> None:
        """End the thread; waits for the item it is making."""
        self._closing.set()
        self._thread.join()
