"""Does an endless loop hold? Sharpness, brightness, saturation and clipping of a preset, frame by frame.

python -m benchmarks.loop_figures [--preset first-light] [--size 256x144] [--frames 3000] [--plot drift.png]

Prints every 25th frame and judges: from frame 100 on, less than 2 % of all values clipped, sharpness and saturation
within 25 % of what they were at frame 100, and no colour's mean more than 0.1 away from its own.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pipeline
from pipeline.frame import from_array, to_uint8
from pipeline.media.picture import write_png
from pipeline.ops.measure import Look, look
from pipeline.preset import Override, Preset, find_preset
from pipeline.run.plot import draw_figures

RESULTS = Path(__file__).parent / "results"
SETTLED = 100  # the frame the others are measured against
CLIPPED, NEAR, COLOUR = 0.02, 0.25, 0.1


@dataclass(frozen=True)
class Verdict:
    """One claim about all frames from `SETTLED` on."""

    claim: str
    found: str
    holds: bool


def measure(preset: Preset) -> list[dict[str, Any]]:
    """The figures of every frame of a film, and its mean red, green and blue."""
    figures = []
    for frame in pipeline.frames(preset):
        mean = [round(float(colour), 4) for colour in frame.image.mean((0, 2, 3))]
        figures.append(look(to_uint8(frame.image))._asdict() | {"mean_rgb": mean})
    return figures


def judge(figures: list[dict[str, Any]]) -> list[Verdict]:
    """Whether the film holds. Needs more than `SETTLED` frames."""
    start, rest = figures[SETTLED], figures[SETTLED:]
    most = max(frame["clipped"] for frame in rest)
    verdicts = [Verdict(f"clipped under {CLIPPED:.0%}", f"at most {most:.2%}", most < CLIPPED)]
    for name in ("sharpness", "saturation"):
        ratios = [frame[name] / start[name] for frame in rest]
        found = f"{min(ratios):.2f} to {max(ratios):.2f} times"
        holds = min(ratios) >= 1 - NEAR and max(ratios) <= 1 + NEAR
        verdicts.append(Verdict(f"{name} within {NEAR:.0%} of frame {SETTLED}", found, holds))
    away = max(abs(a - b) for frame in rest for a, b in zip(frame["mean_rgb"], start["mean_rgb"], strict=True))
    verdicts.append(Verdict(f"mean colour within {COLOUR}", f"at most {away:.3f} away", away <= COLOUR))
    return verdicts


def draw(preset: Preset, figures: list[dict[str, Any]], path: Path) -> None:
    """Plot the figures, with the ranges they are judged by shaded."""
    start = figures[SETTLED]
    bands = {name: ((1 - NEAR) * start[name], (1 + NEAR) * start[name]) for name in ("sharpness", "saturation")}
    title = f"{preset.name}: {len(figures)} frames at {preset.size}; shaded: what is allowed"
    bands["clipped"] = (0.0, CLIPPED)
    write_png(from_array(draw_figures(title, range(len(figures)), figures, preset.fps, bands)), path)


def print_table(figures: list[dict[str, Any]]) -> None:
    """Every 25th frame and the last."""
    print("| frame | " + " | ".join(Look._fields) + " |")
    print("|---" * (len(Look._fields) + 1) + "|")
    for index in sorted({*range(0, len(figures), 25), len(figures) - 1}):
        print(f"| {index} | " + " | ".join(f"{figures[index][name]:.3f}" for name in Look._fields) + " |")


def main() -> None:
    """Measure, print, draw and judge; exit status 1 when the loop does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="first-light")
    parser.add_argument("--size", default="192x108")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--plot", type=Path, help="where to draw the curves; benchmarks/results if left out")
    arguments = parser.parse_args()
    if arguments.frames <= SETTLED:
        parser.error(f"--frames is {arguments.frames}, must be more than {SETTLED}: the film has to settle first")
    overrides = [Override("size", arguments.size), Override("duration", f"{arguments.frames}f")]
    preset = pipeline.load_preset(find_preset(arguments.preset), overrides)
    figures = measure(preset)
    print_table(figures)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"loop-{preset.name}.json").write_text(json.dumps(figures))
    draw(preset, figures, arguments.plot or RESULTS / f"loop-{preset.name}.png")
    verdicts = judge(figures)
    for verdict in verdicts:
        print(f"{'ok  ' if verdict.holds else 'FAIL'} {verdict.claim}: {verdict.found}")
    sys.exit(0 if all(verdict.holds for verdict in verdicts) else 1)


if __name__ == "__main__":
    main()
