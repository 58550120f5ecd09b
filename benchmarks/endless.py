"""How much a film travels, and whether it flows: distances between its frames in the eyes of a whole network.

    python -m benchmarks.endless FILM.mp4 [--sheet sheet.png]

One frame a second, at 224x224, through EfficientNet-Lite0 to the end: cosine distances of its pooled last features
between frames 1, 5, 20 and 60 seconds apart, the top classes, how long one of them stayed, and the entropy of all.
Lite0 has dreamt most films, too, so compare films of one network only. Motion is not taken out.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.common import report
from pipeline import backbones
from pipeline.frame import Size, from_array
from pipeline.ops.warp import resize

_SIDE = Size(224, 224)
_GAPS = 1, 5, 20, 60
_COLUMNS, _ROWS = 6, 4


def seconds_of(film: Path) -> Iterator[NDArray[np.uint8]]:
    """A frame (H, W, 3) for each second of a film."""
    due = 0.0
    with av.open(str(film)) as container:
        for frame in container.decode(video=0):
            if frame.time is not None and frame.time >= due - 1e-6:
                due += 1
                yield frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)


def judged(pictures: list[NDArray[np.uint8]]) -> tuple[Tensor, list[int], float]:
    """Unit features (n, C), top classes, and the entropy in bits of the mean of the classes' probabilities."""
    head = backbones.find_head(backbones.find_recipe("lite0")).name
    network = backbones.load("lite0", ["bn2", head], torch.device("cpu"), "auto")
    features, logits = [], []
    with torch.no_grad():
        for picture in pictures:
            seen = network(resize(from_array(picture), _SIDE).clamp(0, 1))
            features.append(seen["bn2"].mean((2, 3))[0])
            logits.append(seen[head].flatten())
    shares = torch.stack(logits).softmax(1).mean(0)
    entropy = -float((shares * shares.clamp_min(1e-12).log2()).sum())
    return F.normalize(torch.stack(features), dim=1), [int(each.argmax()) for each in logits], entropy


def measure(film: Path, pictures: list[NDArray[np.uint8]]) -> dict[str, Any]:
    """One row of the table."""
    features, tops, entropy = judged(pictures)
    distances = {f"d{gap}": _apart(features, gap) for gap in _GAPS}
    held = max(len(list(run)) for _, run in groupby(tops))
    counted = {"seconds": len(tops), "classes": len(Counter(tops)), "held": held, "entropy": entropy}
    return {"film": film.stem, **distances, **counted, "saturation drift": _drift(pictures)}


def _apart(features: Tensor, gap: int) -> float:
    if len(features) <= gap:
        return math.nan
    return float((1 - (features[gap:] * features[:-gap]).sum(1)).mean())


def _drift(pictures: list[NDArray[np.uint8]]) -> float:
    """The mean saturation of the last fifth over that of the second."""
    fifth = max(1, len(pictures) // 5)
    spread = [float((each.max(2).astype(float) - each.min(2)).mean()) for each in pictures]
    return float(np.mean(spread[-fifth:]) / np.mean(spread[fifth : 2 * fifth] or spread))


def save_sheet(pictures: list[NDArray[np.uint8]], path: Path) -> None:
    """Frames of the whole film, evenly, in rows."""
    picked = np.linspace(0, len(pictures) - 1, _COLUMNS * _ROWS).astype(int)
    rows = [np.hstack([pictures[i] for i in row]) for row in picked.reshape(_ROWS, _COLUMNS)]
    cv2.imwrite(str(path), np.vstack(rows)[:, :, ::-1])


def main() -> None:
    """The films named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("films", type=Path, nargs="+")
    parser.add_argument("--sheet", type=Path)
    given = parser.parse_args()
    rows = []
    for film in given.films:
        pictures = list(seconds_of(film))
        rows.append(measure(film, pictures))
        if given.sheet is not None:
            save_sheet(pictures, given.sheet)
    report("endless", rows)


if __name__ == "__main__":
    main()
