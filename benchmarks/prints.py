"""Prints of 20 classes that no setting was tuned on, judged by networks that took no part, and to be named by eye.

`python -m benchmarks.prints DIR [--side 512]`; needs `pip install dreamreel[lite]`. The pictures get numbers for names,
and which is which is written at the end only, so that they can be named before.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch

from benchmarks.classes import CPU, JUDGES, rank
from benchmarks.classes import drawn as drawn_before
from benchmarks.common import processor_seconds, report
from pipeline import backbones
from pipeline.dreamer import Dreamer, DreamerSpec
from pipeline.frame import Size
from pipeline.media.picture import write_png
from pipeline.objectives import ClassTerm
from pipeline.objectives.classes import class_names
from pipeline.prints import Print, draw_print, seen_size

SEEDS = (13, 14)  # the last draws; what the ones before drew has been looked at
# palace, teapot, flamingo, lighthouse, sports car, coral reef, banana, leopard
TUNED_ON = (698, 849, 130, 437, 817, 973, 954, 288)


def drawn() -> list[int]:
    """Twenty classes drawn at random, none of which was looked at before."""
    known, fresh = {*TUNED_ON, *drawn_before()}, list[int]()
    for seed in SEEDS:
        order = torch.randperm(1000, generator=torch.Generator().manual_seed(seed)).tolist()
        fresh = [index for index in order if index not in known][:20]
        known.update(fresh)
    return fresh


def main() -> None:
    """Make the pictures, ask the judges, print what both say."""
    parser = argparse.ArgumentParser()
    parser.add_argument("pictures", type=Path, metavar="DIR", help="a folder for the pictures")
    parser.add_argument("--side", type=int, default=512, help="pixels a side")
    given = parser.parse_args()
    given.pictures.mkdir(parents=True, exist_ok=True)
    judges = {name: backbones.load(name, ["classifier"], CPU) for name in JUDGES}
    rows = []
    for number, index in enumerate(drawn(), 1):
        rows.append(_row(number, index, given.side, given.pictures, judges))
        print(f"{number} of 20", flush=True)
    report("prints", rows)
    for judge in JUDGES:
        ranks = [row[judge] for row in rows]
        print(f"{judge}: {ranks.count(1)} first, {sum(place <= 5 for place in ranks)} of {len(ranks)} in its top 5")
    both = [max(row[judge] for judge in JUDGES) for row in rows]
    print(f"both: {sum(place <= 5 for place in both)} of {len(both)}")


def _row(number: int, index: int, side: int, folder: Path, judges: dict[str, backbones.Backbone]) -> dict[str, Any]:
    terms, size = (ClassTerm.model_validate({"class": index}),), Size(side, side)
    spec = DreamerSpec("lite0", terms, engine="packed", precision="float32", memory=None)
    dreamer = Dreamer(spec, seen_size(size), CPU)
    start = processor_seconds()
    picture = draw_print(dreamer, size, Print(), torch.Generator().manual_seed(0))
    row: dict[str, Any] = {"picture": number, "class": class_names()[index]}
    row["seconds"] = round(processor_seconds() - start, 1)
    write_png(picture, folder / f"{number:02}.png")
    row["clipped %"] = round(100 * float(((picture < 0.004) | (picture > 0.996)).float().mean()), 2)
    with torch.no_grad():
        return row | {name: rank(judge, JUDGES[name], picture, index) for name, judge in judges.items()}


if __name__ == "__main__":
    main()
