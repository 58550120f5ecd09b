"""A whole film under each setting of the processors: torch's threads and how they wait, in turn.

    python -m benchmarks.settings [--preset first-light] [--size 1280x720] [--frames 24] [--rounds 3]

Every render is a process of its own that writes a whole run, encoder and all. Seconds of a clock on the wall from the
second frame to the finished film, so the machine must be quiet; and the processor seconds of all its processes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from statistics import median
from typing import Any

from benchmarks.common import report

WAITS: dict[str, dict[str, str]] = {
    "as dreamreel does": {},
    "asleep": {"OMP_WAIT_POLICY": "passive"},
    "awake": {"OMP_WAIT_POLICY": "active"},
}


def render_once(preset: str, size: str, frames: int) -> float:
    """Seconds from the second frame to the end of a render in this process."""
    from pipeline import Override, load_preset, render
    from pipeline.preset import find_preset

    began: list[float] = []
    keys = {"size": size, "duration": f"{frames}f"}
    with tempfile.TemporaryDirectory() as folder:
        loaded = load_preset(find_preset(preset), [Override(key, value) for key, value in keys.items()])
        render(loaded, f"{folder}/run", on_frame=lambda frame, spec: began.append(time.perf_counter()))
    return time.perf_counter() - began[0]


def measure(words: list[str], rounds: int) -> list[dict[str, Any]]:
    """A row for each setting: median seconds of both kinds, and the first row's seconds over its own."""
    settings = [(threads, wait) for threads in range(os.cpu_count() or 1, 0, -1) for wait in WAITS]
    taken: dict[tuple[int, str], list[tuple[float, float]]] = {each: [] for each in settings}
    for _ in range(rounds):
        for threads, wait in settings:
            taken[threads, wait].append(_in_a_process(words, {"OMP_NUM_THREADS": str(threads), **WAITS[wait]}))
    first = median(seconds for seconds, _ in taken[settings[0]])
    return [
        {
            "threads": threads,
            "waiting": wait,
            "s": (clock := median(seconds for seconds, _ in found)),
            "processor s": median(spent for _, spent in found),
            "times as fast": first / clock,
        }
        for (threads, wait), found in taken.items()
    ]


def _in_a_process(words: list[str], environment: dict[str, str]) -> tuple[float, float]:
    before = os.times()
    command = [sys.executable, "-m", "benchmarks.settings", "--once", *words]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=os.environ | environment)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return float(json.loads(done.stdout)), spent


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="first-light")
    parser.add_argument("--size", default="1280x720")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--once", action="store_true", help="render once, here, and print the seconds")
    given, _ = parser.parse_known_args()
    if given.once:
        print(json.dumps(render_once(given.preset, given.size, given.frames)))
        return
    words = ["--preset", given.preset, "--size", given.size, "--frames", str(given.frames)]
    report("settings", measure(words, given.rounds))


if __name__ == "__main__":
    main()
