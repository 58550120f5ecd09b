"""An endless zoom at 1280x720: milliseconds per frame by stage, and the share outside the network."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.common import report
from pipeline.preset import Override, Preset, parse_preset
from pipeline.run import render

PRESET = b"""
size: 1280x720
fps: 24
stages:
  - stage: noise
  - stage: zoom
    zoom: 1.3
  - stage: dream
    octaves: 2
    steps: 2
    first_steps: 2
  - stage: encode
    preset: veryfast
"""


def measure(engine: str, precision: str, frames: int) -> dict[str, Any]:
    """Wall-clock milliseconds per frame and stage; encoding runs beside the loop."""
    keys = {"dream.engine": engine, "dream.precision": precision, "duration": f"{frames}f"}
    preset: Preset = parse_preset(PRESET, name="zoom", overrides=[Override(k, v) for k, v in keys.items()])
    with tempfile.TemporaryDirectory() as folder:
        result = render(preset, Path(folder))
    times = {f"{stage} ms": 1e3 * seconds / frames for stage, seconds in result.times.items()}
    outside = 1 - result.times["dream"] / result.seconds
    return {"engine": engine, "precision": precision, **times, "frame ms": 1e3 * result.seconds / frames} | {
        "outside dream": outside
    }


def main() -> None:
    """The engine that is chosen, against the reference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=12)
    given, _ = parser.parse_known_args()
    pairs = [("auto", "auto"), ("reference", "auto")]
    report("zoom", [measure(engine, precision, given.frames) for engine, precision in pairs])


if __name__ == "__main__":
    main()
