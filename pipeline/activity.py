"""What is being done deep inside, told to whoever wants to show it: it costs nothing where nobody does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[str, int, int | None], None]
"""Hears what is being done, how much of it is, and how much there is, if that is known. Called in any thread."""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Have `listener` hear every `report` of the block, and of the threads that it hands its context to."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def report(what: str, done: int = 0, total: int | None = None) -> None:
    """Tell what is being done, such as "choosing the engine", and how far it is: `done` of `total`.

    Nothing in particular, once `what` is empty.
    """
    listener = _listener.get()
    if listener is not None:
        listener(what, done, total)
