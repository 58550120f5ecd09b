"""An atlas of directions: each dreamt out of noise, beside the places of the pictures that show it most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.atlas import Entry, draw_plates
from pipeline.backbones import LayerInfo, find_layer, find_recipe
from pipeline.frame import to_uint8
from pipeline.learn.learning import Learnt
from pipeline.learn.sampling import seen_at
from pipeline.media.picture import read_picture
from pipeline.objectives import DirectionTerm

Plate = NDArray[np.uint8]
_PATCHES = 3
_STRIDES = 6  # a patch's side: what an activation is about, roughly, though it may see more


def direction_entries(learnt: Learnt, file: Path) -> list[Entry]:
    """One entry for every direction of a file, the strongest first."""
    found = learnt.directions
    return [
        Entry(
            f"{number}: {100 * float(strength):.1f} %",
            DirectionTerm.model_validate({"directions": str(file), "direction": number}),
            found.layer,
        )
        for number, strength in enumerate(found.strengths)
    ]


def direction_plates(
    learnt: Learnt, entries: Sequence[Entry], pictures: Sequence[Path], side: int, device: torch.device, weights: str
) -> Iterator[Plate]:
    """For each entry a dream of `side` pixels squared, and the patches that show it most beside it."""
    model = learnt.directions.model
    layer = find_layer(find_recipe(model), learnt.directions.layer)
    for number, dream in enumerate(draw_plates(model, entries, None, side, device, weights)):
        drawn = to_uint8(dream)
        patches = [_patch(pictures, place, layer, len(drawn)) for place in _strongest(learnt, number)]
        blank = np.zeros_like(drawn)
        yield np.concatenate([drawn, *patches, *[blank] * (_PATCHES - len(patches))], 1)


def _strongest(learnt: Learnt, number: int) -> list[list[int]]:
    """The places (picture, longer side, row, column) that show a direction most, each of another picture."""
    best: dict[int, list[int]] = {}
    codes = learnt.codes[:, number]
    for index in codes.argsort(descending=True, stable=True).tolist():
        if len(best) == _PATCHES or codes[index] <= 0:
            break
        place = learnt.sample.places[index].tolist()
        best.setdefault(place[0], place)
    return list(best.values())


def _patch(pictures: Sequence[Path], place: Sequence[int], layer: LayerInfo, side: int) -> Plate:
    """What a place's activation is about, enlarged to `side` pixels squared."""
    number, longer, row, column = place
    seen = to_uint8(seen_at(read_picture(pictures[number]), longer, layer))
    reach = min(_STRIDES * layer.stride, *seen.shape[:2])
    top, left = (
        min(max(0, round((at + 0.5) * layer.stride - reach / 2)), length - reach)
        for at, length in zip((row, column), seen.shape[:2], strict=True)
    )
    patch = seen[top : top + reach, left : left + reach]
    return np.asarray(cv2.resize(patch, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)
