"""From the start of the program to the first frame: the imports, then building the chain and rendering, twice.

    python -m benchmarks.startup [--preset presets/first-light.yaml]

Each start is a process of its own. The first finds no remembered engine and probes; the second remembers.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any


def first_frame(preset: Path) -> dict[str, float]:
    """Seconds of a clock on the wall: the imports, what follows up to the first frame, and the next frame."""
    began = time.perf_counter()
    from pipeline.chain import Chain
    from pipeline.preset import load_preset

    imported = time.perf_counter()
    with Chain(load_preset(preset)) as chain:
        frame = chain.step(0, None)
        rendered = time.perf_counter()
        chain.step(1, frame.feedback)
    return {
        "imports s": imported - began,
        "to the first frame s": rendered - imported,
        "second frame s": time.perf_counter() - rendered,
        "processor s in all": time.process_time(),
    }


def main() -> None:
    """Start twice with an empty cache; with --once, start here and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", type=Path, default=Path("presets/first-light.yaml"))
    parser.add_argument("--once", action="store_true", help="in this process, and print it as JSON")
    given, _ = parser.parse_known_args()
    if given.once:
        print(json.dumps(first_frame(given.preset)))
        return
    command = [sys.executable, "-m", "benchmarks.startup", "--once", "--preset", str(given.preset)]
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as cache:
        for start in ("first start", "second start"):
            environment = os.environ | {"XDG_CACHE_HOME": cache}
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
            rows.append({"start": start} | json.loads(done.stdout))
    from benchmarks.common import report  # brings torch along, whose import is measured above

    report("startup", rows)


if __name__ == "__main__":
    main()
