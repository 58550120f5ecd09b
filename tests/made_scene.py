"""A made scene that is drawn exactly from any place: a panel at depth 1 before a wall at depth 3, over a floor."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.frame import Size

Array = NDArray[np.float64]
PANEL = ((-0.22, 0.12), (-0.15, 0.1))  # left and right, top and bottom, in frame widths at depth 1
FLOOR = 0.35  # frame widths below the first place
FINER = 3  # rays across and down for each pixel


class Place(NamedTuple):
    """Where the camera stands: so far right and down in frame widths, and ahead in units of depth."""

    right: float = 0.0
    down: float = 0.0
    ahead: float = 0.0


class Seen(NamedTuple):
    """What a camera sees: the picture (1, 3, H, W), and each pixel's point in space, (3, H, W)."""

    picture: Tensor
    points: Tensor


def draw(size: Size, place: Place) -> Seen:
    """The scene from a place, through a lens as long as the frame is wide."""
    fine = _colours(_points(Size(size.height * FINER, size.width * FINER), place))
    blocks = fine.reshape(3, size.height, FINER, size.width, FINER).mean((2, 4))
    points = _points(size, place)
    return Seen(torch.from_numpy(blocks).float()[None], torch.from_numpy(points))


def seen_at(points: Tensor, size: Size, place: Place) -> tuple[Tensor, Tensor]:
    """Points (3, H, W) as a camera sees them: pixel positions (1, 2, H, W), and depths (1, 1, H, W)."""
    x, y, z = points[0] - place.right, points[1] - place.down, points[2] - place.ahead
    across = x / z * size.width + size.width / 2
    down = y / z * size.width + size.height / 2
    return torch.stack([across, down])[None], z[None, None]


def _points(size: Size, place: Place) -> Array:
    x = (np.arange(size.width) + 0.5 - size.width / 2) / size.width
    y = (np.arange(size.height) + 0.5 - size.height / 2) / size.width
    x, y = np.meshgrid(x, y)
    floor = np.where(y > 1e-9, (FLOOR - place.down) / np.maximum(y, 1e-9), np.inf)
    depth = np.minimum(floor, 3 - place.ahead)
    near = 1 - place.ahead
    (left, right), (top, bottom) = PANEL
    panel_x, panel_y = x * near + place.right, y * near + place.down
    on_panel = (panel_x > left) & (panel_x < right) & (panel_y > top) & (panel_y < bottom)
    depth = np.where(on_panel, near, depth)
    return np.stack([x * depth + place.right, y * depth + place.down, depth + place.ahead])


def _colours(points: Array) -> Array:
    """Waves of several lengths and directions, none too short to be drawn; other colours on each surface."""
    x, y, z = points
    surface = np.where(z <= 1.0, 1.0, np.where(z >= 2.999, 0.0, 2.0))
    scale = np.where(surface == 0, 9.0, 22.0)
    waves = [
        np.sin(scale * (x * a + (y + z) * b) + surface + colour)
        for colour, (a, b) in enumerate(((1.0, 0.7), (0.6, -1.1), (-0.9, 0.8)))
    ]
    longer = np.sin(scale / 3 * (x - y - z) + 2 * surface)
    return np.stack([0.5 + 0.25 * wave + 0.2 * longer for wave in waves])
