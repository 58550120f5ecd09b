"""Decoders that keep quiet: what they would warn of is nothing to the user, or is said by our own errors."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import cv2

# Both settings are the whole process's: two threads that each put back what they found would leave it changed.
_pillow, _opencv = threading.Lock(), threading.Lock()


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """No warnings in the block, such as Pillow's about damaged metadata, or size."""
    with _pillow, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """OpenCV writes nothing to the terminal in the block."""
    with _opencv:
        told = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        try:
            yield
        finally:
            cv2.utils.logging.setLogLevel(told)
