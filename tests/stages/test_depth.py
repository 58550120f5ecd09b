"""Depth: parallax against a made scene that is drawn exactly from both places, flights, and what is refused."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.frame import Size
from pipeline.ops.motion import inside, pixel_positions, read_field
from pipeline.ops.relief import Relief, Sight, plane_disparities
from pipeline.stages.context import FrameContext
from pipeline.stages.spec import RunSpec
from pipeline.stages.zoom import Zoom, ZoomConfig
from pipeline.stages.zoom.route import Route
from tests.made_scene import Place, Seen, draw, seen_at

SIZE, FPS = Size(144, 256), 24
NEAR, FAR = 0.5, 4.0
CAMERAS = {
    "aside": Place(right=0.04, down=-0.02),
    "ahead": Place(ahead=0.03),
    "back": Place(ahead=-0.03),
    "all ways": Place(0.03, 0.02, 0.02),
}


def spec(size: Size = SIZE, fps: int = FPS, frames: int = 48) -> RunSpec:
    return RunSpec(size, Fraction(fps), frames, 3, torch.device("cpu"))


def rates(place: Place) -> dict[str, object]:
    """The camera that gets there in a frame."""
    return {"zoom": float(np.exp(FPS * place.ahead)), "pan": [FPS * place.right, FPS * place.down]}


def save_map(path: Path, seen: Seen) -> Path:
    """The scene's exact depth as a map of 16 bits, near is white."""
    disparity = 1 / seen_at(seen.points, SIZE, Place())[1]
    value = (disparity - 1 / FAR) / (1 / NEAR - 1 / FAR)
    cv2.imwrite(str(path), (value[0, 0].numpy() * 65535).round().astype(np.uint16))
    return path


def mean_error(a: Tensor, b: Tensor, where: Tensor) -> float:
    """In steps of 8 bits."""
    return float(((a - b).abs().mean(1, keepdim=True) * where).sum() / where.sum()) * 255


@lru_cache
def sight(camera: str) -> tuple[Relief, Sight]:
    """The scene as the product sees it from the second place, by its exact depth from the first."""
    config = ZoomConfig.model_validate({"id": "zoom"} | rates(CAMERAS[camera]))
    route = Route(config, spec())
    disparity = (1 / seen_at(draw(SIZE, Place()).points, SIZE, Place())[1]).float()
    planes = plane_disparities(1 / NEAR, 1 / FAR, 24)
    relief = Relief(disparity, 1 / NEAR, 1 / FAR, torch.stack([route.to(1, plane) for plane in planes]))
    return relief, relief.sight(pixel_positions(SIZE, disparity))


def hidden_by(camera: str) -> Tensor:
    hidden = sight(camera)[1].hidden
    assert hidden is not None
    return hidden


def truth(camera: str) -> tuple[Tensor, Tensor]:
    """Where each pixel of the second view lay in the first, and whether that showed it and its neighbours."""
    there, depth = seen_at(draw(SIZE, CAMERAS[camera]).points, SIZE, Place())
    first = seen_at(draw(SIZE, Place()).points, SIZE, Place())[1][0, 0]
    x, y = (there[0, axis].floor().long() for axis in range(2))
    inside = (x >= 1) & (x < SIZE.width - 1) & (y >= 1) & (y < SIZE.height - 1)
    x, y = x.clamp(1, SIZE.width - 2), y.clamp(1, SIZE.height - 2)
    around = torch.stack([first[y + dy, x + dx] for dy in (-1, 0, 1) for dx in (-1, 0, 1)])
    shown = ((around - depth[0, 0]).abs() < 0.15 * depth[0, 0]).all(0) & inside
    return there.float(), shown[None, None]


@pytest.mark.parametrize("camera", CAMERAS)
def test_each_pixel_is_read_where_the_exact_scene_had_it(camera: str) -> None:
    _, seen = sight(camera)
    there, shown = truth(camera)
    moved = (there - pixel_positions(SIZE, there)).norm(dim=1, keepdim=True)[shown]
    off = (seen.positions - there).norm(dim=1, keepdim=True)[shown]
    assert moved.max() > 3
    assert off.mean() < 0.035 and off.quantile(0.99) < 0.15


@pytest.mark.parametrize("camera", CAMERAS)
def test_the_picture_is_that_of_the_exact_scene(camera: str, tmp_path: Path) -> None:
    first, second = draw(SIZE, Place()), draw(SIZE, CAMERAS[camera])
    depth = {"image": str(save_map(tmp_path / "map.png", first)), "near": NEAR, "far": FAR}
    _, shown = truth(camera)
    deep, flat = (zoomed(first.picture, rates(CAMERAS[camera]) | keys) for keys in ({"depth": depth}, {}))
    error = mean_error(deep, second.picture, shown)
    assert error < 1.5
    assert mean_error(flat, second.picture, shown) > 10 * error


@pytest.mark.parametrize("camera", ["aside", "back", "all ways"])
def test_what_was_hidden_is_told_as_new(camera: str) -> None:
    found = hidden_by(camera)
    there, shown = truth(camera)
    behind = ~shown & (inside(there, SIZE) == 1)
    assert (found[shown] > 0.3).float().mean() < 0.005  # a floor that is seen from higher up is stretched a little
    assert found.sum() > 0.7 * draw_hidden(camera)
    hidden = (found > 0.3) & (inside(there, SIZE) == 1)
    assert (hidden & behind).sum() > 0.9 * hidden.sum()


def draw_hidden(camera: str) -> float:
    """How many pixels of the second view lie, in the first, behind something: by what the exact scene has there."""
    there, depth = seen_at(draw(SIZE, CAMERAS[camera]).points, SIZE, Place())
    first = seen_at(draw(SIZE, Place()).points, SIZE, Place())[1]
    before = read_field(first.float(), there.float())
    return float(((before < 0.8 * depth) & (inside(there, SIZE) == 1)).sum())


@pytest.mark.parametrize("camera", CAMERAS)
def test_forwards_and_back_again_is_where_it_was(camera: str) -> None:
    relief, seen = sight(camera)
    _, shown = truth(camera)
    back = relief.shown(seen.positions)
    off = (back - pixel_positions(SIZE, back)).norm(dim=1, keepdim=True)[shown & (hidden_by(camera) < 0.01)]
    assert off.mean() < 0.01 and off.quantile(0.99) < 0.1


def zoomed(picture: Tensor, keys: dict[str, object], frames: int = 1) -> Tensor:
    stage = Zoom(ZoomConfig.model_validate({"id": "zoom"} | keys), spec())
    for index in range(1, frames + 1):
        picture = stage(picture, FrameContext(index, stage.spec, picture))
    return picture
