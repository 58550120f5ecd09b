"""What decoders are kept quiet by belongs to the whole process: it comes back as it was, whoever leaves last."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager

import cv2
import pytest

from pipeline.media.quiet import quiet_opencv, quiet_pillow


@pytest.mark.parametrize(
    ("quiet", "setting"),
    [(quiet_opencv, cv2.utils.logging.getLogLevel), (quiet_pillow, lambda: list(warnings.filters))],
    ids=["opencv", "pillow"],
)
def test_two_threads_leave_what_they_found(
    quiet: Callable[[], AbstractContextManager[None]], setting: Callable[[], object]
) -> None:
    before, first_is_in = setting(), threading.Event()

    def first() -> None:
        with quiet():
            assert setting() != before
            first_is_in.set()
            time.sleep(0.1)

    def second() -> None:
        first_is_in.wait()
        with quiet():
            time.sleep(0.2)

    both = [threading.Thread(target=each) for each in (first, second)]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert first_is_in.is_set() and setting() == before
