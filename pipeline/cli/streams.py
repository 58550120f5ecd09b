"""Standard output and standard error as streams that take any text, and whose loss ends no work.

Their readers go away (a pipe's), vanish (a terminal's), are full (a disk) or were never there; their encoding may lack
the letters of a file's name, and a name need not be text at all.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import sys


class _Patient(io.FileIO):
    """A file that never fails: what can't be written is dropped, and `failure` says why."""

    failure: OSError | None = None

    def write(self, data: object) -> int:
        while True:
            try:
                written = super().write(data)  # type: ignore[arg-type]
            except OSError as error:
                self.failure = error
                return memoryview(data).nbytes  # type: ignore[arg-type]
            if written is not None:
                return written
            select.select([], [self], [])  # somebody made the pipe non-blocking, and it is full

    def close(self) -> None:
        with contextlib.suppress(OSError):
            super().close()


_output: _Patient | None = None


def take_over() -> None:
    """Put such streams in the place of sys.stdout and sys.stderr, in the encoding that Python found for them."""
    global _output
    closed = _fill_gaps()
    _output = _replace("stdout", 1)
    _replace("stderr", 2)
    if 1 in closed:
        _output.failure = OSError(errno.EBADF, os.strerror(errno.EBADF))


def _fill_gaps() -> set[int]:
    """Open what was closed at the start: else a film's file could become number 1, and hear what is printed."""
    closed = set()
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            closed.add(number)
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
    return closed


def _replace(name: str, number: int) -> _Patient:
    before = getattr(sys, name)
    raw = _Patient(number, "wb", closefd=False)
    encoding = "utf-8" if before is None else before.encoding
    # A buffer, so that the end of a long text is not lost where the system takes only its beginning.
    text = io.TextIOWrapper(io.BufferedWriter(raw), encoding, errors="backslashreplace", line_buffering=True)
    setattr(sys, name, text)
    return raw


def output_failure() -> OSError | None:
    """Why not all of the output arrived; None when it did."""
    if _output is None:
        return None
    sys.stdout.flush()
    return _output.failure
