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
from pipeline.ops.motion import pixel_positions
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
def test_parallax_is_that_of_the_exact_scene(camera: str) -> None:
    _, seen = sight(camera)
    there, shown = truth(camera)
    off = (seen.positions - there).norm(dim=1, keepdim=True)[shown]
    print(camera, "px off", off.mean(), off.quantile(0.99), "shown", shown.float().mean())
    moved = (there - pixel_positions(SIZE, there)).norm(dim=1).max()
    print("moved", moved)
    assert off.mean() < 0.03 and off.quantile(0.99) < 0.3
