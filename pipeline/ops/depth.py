"""Spaces that a camera flies through for ever: their depth stays where it is in the frame, and the picture passes by.

Depth is told as disparity, its inverse: 1 in the plane that a camera's rates are meant for, 2 at half that distance, 0
infinitely far away.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from pipeline.frame import Size
from pipeline.ops.warp import project

Geometry = Literal["plane", "tunnel", "dome", "ground"]
Positions = tuple[Tensor, Tensor]
_STEP = 1 / 8  # of the frame's width: how far the picture moves in one step of the integration, at disparity 1


def disparity_of(geometry: Geometry, x: Tensor, y: Tensor, frame: Size, far: float, sky: float) -> Tensor:
    """The disparity of places `x`, `y`, in pixels from the point that the camera flies to.

    A tunnel runs on round that point, and is at distance 1 where half the frame's shorter side is reached; a dome is
    the inside of a sphere, as far away in its middle as a plane; ground ends at a horizon through that point, and a
    quarter of the frame's height below it is at distance 1; the sky over it passes by `sky` times as fast. None of
    them is further away than `far`.

    Example:
        >>> y = torch.tensor([-25.0, 0.0, 25.0])
        >>> disparity_of('ground', 0 * y, y, Size(100, 200), far=10, sky=0.5)
        tensor([0.5099, 0.1000, 1.0050])
    """
    if geometry == "plane":
        return torch.ones_like(x)
    if geometry == "ground":
        down = 4 * y / frame.height
        return torch.hypot(torch.where(down > 0, down, sky * down), torch.full_like(y, 1 / far))
    radius = torch.hypot(x, y) * (2 / min(frame))
    return torch.hypot(radius, torch.full_like(x, 1.0 if geometry == "dome" else 1 / far))


def flown(away: Tensor, here: Tensor, x: Tensor, y: Tensor, disparity: Callable[[Tensor, Tensor], Tensor]) -> Positions:
    """Where what is at `x`, `y` was before the camera's step, in a space whose `disparity` is the same at all times.

    `away` and `here` are the step's backward generators (3, 3), as `ops.camera.path_generators` gives them, for what
    is infinitely far away and what is at disparity 1. Each place follows the stream of its surroundings, so steps
    compose, however long they are. Integrated by Runge and Kutta's classical method of fourth order.

    Example:
        >>> away, here = torch.zeros(3, 3), torch.diag(torch.tensor([-0.5, -0.5, 0.0]))
        >>> x, y = flown(away, here, torch.tensor([8.0]), torch.zeros(1), lambda x, y: torch.hypot(x, y) / 8)
        >>> round(float(x), 3)  # a wall 1 away, which was 1.5 away: 8 / 1.5
        5.333
    """
    nearer = here - away

    def speed(x: Tensor, y: Tensor) -> Positions:
        near = disparity(x, y)
        u, v, w = (
            a * x + b * y + c + near * (d * x + e * y + f)
            for (a, b, c), (d, e, f) in zip(away.tolist(), nearer.tolist(), strict=True)
        )
        return u - x * w, v - y * w

    count = _steps(here, x)
    for _ in range(count):
        x, y = _runge_kutta(speed, x, y, 1 / count)
    return x, y


def _runge_kutta(speed: Callable[[Tensor, Tensor], Positions], x: Tensor, y: Tensor, time: float) -> Positions:
    a = speed(x, y)
    b = speed(x + time / 2 * a[0], y + time / 2 * a[1])
    c = speed(x + time / 2 * b[0], y + time / 2 * b[1])
    d = speed(x + time * c[0], y + time * c[1])
    moved = (time / 6 * (a[i] + 2 * b[i] + 2 * c[i] + d[i]) for i in range(2))
    return x + next(moved), y + next(moved)


def _steps(generator: Tensor, x: Tensor) -> int:
    height, width = x.shape[-2:] if x.ndim > 1 else (1, x.numel())
    corners = torch.tensor([0.0, width], dtype=generator.dtype), torch.tensor([0.0, height], dtype=generator.dtype)
    there = project(torch.linalg.matrix_exp(generator), *corners)
    moved = max(float((now - then).abs().max()) for now, then in zip(there, corners, strict=True))
    return min(64, max(1, math.ceil(moved / (_STEP * width))))
