"""Does an endless loop hold? Sharpness, brightness, saturation and clipping of the first preset, frame by frame.

python -m benchmarks.loop_figures [--preset first-light] [--size 192x108] [--frames 300]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pipeline
from pipeline.frame import to_uint8
from pipeline.ops.measure import Look, look
from pipeline.preset import Override, find_preset

RESULTS = Path(__file__).parent / "results"


def measure(preset: str, size: str, frames: int) -> list[Look]:
    """The figures of every frame of a film of `frames` frames."""
    overrides = [Override("size", size), Override("duration", f"{frames}f")]
    loaded = pipeline.load_preset(find_preset(preset), overrides)
    return [look(to_uint8(frame.image)) for frame in pipeline.frames(loaded)]


def main() -> None:
    """Measure and print every 25th frame."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="first-light")
    parser.add_argument("--size", default="192x108")
    parser.add_argument("--frames", type=int, default=300)
    arguments = parser.parse_args()
    figures = measure(arguments.preset, arguments.size, arguments.frames)
    print("| frame | " + " | ".join(Look._fields) + " |")
    print("|---" * (len(Look._fields) + 1) + "|")
    for index in sorted({*range(0, len(figures), 25), len(figures) - 1}):
        print(f"| {index} | " + " | ".join(f"{value:.3f}" for value in figures[index]) + " |")
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"loop-{arguments.preset}.json"
    path.write_text(json.dumps([figure._asdict() for figure in figures]))


if __name__ == "__main__":
    main()
