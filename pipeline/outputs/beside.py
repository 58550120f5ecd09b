"""An output at work beside the loop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from types import TracebackType

from pipeline.errors import reason_of
from pipeline.frame import Frame
from pipeline.media.behind import Behind, Work
from pipeline.outputs.base import Output
from pipeline.stages import RunSpec

_WAITING = 2  # frames that an output which holds the loop may be behind


class Beside:
    """Hands frames to an output in a thread of its own, from entering its context to leaving it.

    What the output raises goes to `say`, in the loop's thread, and the output gets no more frames. Leaving the context
    waits for what it has got; leaving it by an exception drops what it has not looked at yet.
    """

    def __init__(self, output: Output, spec: RunSpec, say: Callable[[str], None]) -> None:
        self._output, self._say = output, say
        self._behind = Behind(f"dreamreel-{output.name}", _WAITING)
        self._failure: BaseException | None = None
        self._told = self._opened = self._leaving = False
        self._newest: Frame | None = None
        self._lock = threading.Lock()
        self._do(partial(self._open, spec))

    def put(self, frame: Frame) -> None:
        """Hand over a frame, which is the output's from now on."""
        self._tell()
        if self._failure is not None:
            return
        if self._output.when_slow == "hold":
            self._do(partial(self._put, frame))
            return
        with self._lock:
            waiting, self._newest = self._newest, frame
        if waiting is None:  # else the thread has yet to come for the newest, and finds this one
            self._do(self._put_newest)

    def _open(self, spec: RunSpec) -> None:
        self._output.open(spec)
        self._opened = True

    def _put(self, frame: Frame) -> None:
        if not self._leaving:
            self._output.put(frame)

    def _put_newest(self) -> None:
        with self._lock:
            newest, self._newest = self._newest, None
        assert newest is not None
        self._put(newest)

    def _close(self) -> None:
        if self._opened:
            self._opened = False
            self._output.close()

    def _do(self, work: Work) -> None:
        self._behind.put(partial(self._try, work))

    def _try(self, work: Work) -> None:
        if self._failure is not None:
            return
        try:
            work()
        except BaseException as error:  # a stranger's code may raise anything, and the film has to go on
            self._failure = error
            self._try_to_close()

    def _try_to_close(self) -> None:
        try:
            self._close()
        except BaseException as error:
            self._failure = error if self._failure is None else self._failure

    def _tell(self) -> None:
        if self._failure is not None and not self._told:
            self._told = True
            kind, reason = type(self._failure).__name__, reason_of(self._failure)
            said = kind if reason == kind else f"{kind}: {reason}"
            self._say(f"the output {self._output.name} failed ({said}); the film goes on without it")

    def __enter__(self) -> Beside:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving = kind is not None
        self._behind.put(self._try_to_close)
        self._behind.__exit__(None, None, None)
        self._tell()
