"""The newest frame, for whoever looks now and then: a live view."""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.frame import Frame
from pipeline.outputs.base import Output, WhenSlow


class Shown(NamedTuple):
    """A frame as it is shown."""

    frame: int
    """its index in the film, from 0"""
    pixels: NDArray[np.uint8]
    """(H, W, 3) RGB, not to be written to: others may be looking at it"""


class Latest(Output):
    """Holds the newest frame of a film that is being made; never holds the film up."""

    when_slow: WhenSlow = "drop"

    def __init__(self) -> None:
        self._shown: Shown | None = None
        self._changed = threading.Condition()

    @property
    def shown(self) -> Shown | None:
        """The newest frame, from any thread; None before the first. It stays when the run is over."""
        return self._shown

    def wait(self, since: int = -1, timeout_s: float | None = None) -> Shown | None:
        """Wait for a frame past number `since`; None when none came within `timeout_s` seconds."""
        with self._changed:
            came = self._changed.wait_for(lambda: self._shown is not None and self._shown.frame > since, timeout_s)
            return self._shown if came else None

    def put(self, frame: Frame) -> None:
        pixels = frame.pixels
        pixels.flags.writeable = False
        with self._changed:
            self._shown = Shown(frame.index, pixels)
            self._changed.notify_all()
