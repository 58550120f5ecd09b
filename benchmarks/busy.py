"""The same film beside 0, 1 and 2 programs that each keep a core busy, with and without `wait_briefly_where_busy`.

    python -m benchmarks.busy [--preset first-light] [--frames 96] [--rounds 3]

Every render is a process of its own that writes a whole run; the ways take turns. Seconds of a clock on the wall from
the second frame to the finished film. "notebook" has torch loaded, and its threads used, before dreamreel is imported.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import Any

LOADS = (0, 1, 2)
WAYS = ("spinning", "brief", "notebook")


def render_once(way: str, preset: str, frames: int) -> float:
    """Seconds from the second frame to the end of a render in this process."""
    if way == "notebook":
        import torch

        torch.zeros(1 << 22).add_(1)
    from pipeline import Override, load_preset, render, threads
    from pipeline.preset import find_preset

    if way == "spinning":
        threads.wait_briefly_where_busy = lambda: None
    began: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        loaded = load_preset(find_preset(preset), [Override("duration", f"{frames}f")])
        render(loaded, f"{folder}/run", on_frame=lambda frame, spec: began.append(time.perf_counter()))
    return time.perf_counter() - began[0]


@contextmanager
def busy_programs(count: int) -> Iterator[None]:
    """So many programs that compute without a pause."""
    with ExitStack() as stack:
        for _ in range(count):
            program = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            stack.callback(program.wait)
            stack.callback(program.kill)
        yield


def measure(preset: str, frames: int, rounds: int, limit: float) -> Iterator[dict[str, Any]]:
    """One row for each way: its median seconds by load, and their ratios to the quiet machine's."""
    taken: dict[tuple[str, int], list[float]] = {(way, load): [] for way in WAYS for load in LOADS}
    for _ in range(rounds):
        for load in LOADS:
            for way in WAYS:
                with busy_programs(load):
                    taken[way, load].append(_in_a_process(way, preset, frames, limit))
    quiet = median(taken["spinning", 0])
    for way in WAYS:
        seconds = {load: median(taken[way, load]) for load in LOADS}
        yield (
            {"way": way}
            | {f"{load} busy s": seconds[load] for load in LOADS}
            | {f"{load} busy / quiet": seconds[load] / quiet for load in LOADS}
        )


def _in_a_process(way: str, preset: str, frames: int, limit: float) -> float:
    command = [sys.executable, "-m", "benchmarks.busy", "--once", way, "--preset", preset, "--frames", str(frames)]
    try:
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=limit)
    except subprocess.TimeoutExpired:
        return limit
    return float(json.loads(done.stdout))


def main() -> None:
    """Measure every way beside every load; with --once, render one way here and print its seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="first-light")
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=float, default=120, help="seconds after which a render is given up")
    parser.add_argument("--once", choices=WAYS, help="render in this process, and print its seconds")
    given, _ = parser.parse_known_args()
    if given.once:
        print(json.dumps(render_once(given.once, given.preset, given.frames)))
        return
    from benchmarks.common import report

    report("busy", list(measure(given.preset, given.frames, given.rounds, given.limit)))


if __name__ == "__main__":
    main()
