"""Ways in which a picture can be like itself: in mirrors around a point, between parallel ones, in tiles, in itself.

A symmetry is told by its fold, which leads from every place to the one place, among all that look like it, that the
others are copies of. Positions are pixels from the middle of the picture, to the right and down. Where that one place
lies beyond the picture's border, another that does not will do, if the picture is symmetric already.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.frame import Size

Positions = tuple[Tensor, Tensor]
Choice = Callable[[Tensor, Tensor], list[Positions]]


@dataclass(frozen=True)
class Group:
    """A symmetry of pictures, whatever their size.

    Where it is `mirrored`, folding tears nothing apart. `copies` begins with the fold, and goes on with places that may
    stand in for it. All copies of a place are found by flips and motions: `flips` are sides of a picture as
    `Tensor.flip` takes them, `motions` (3, 3) matrices.
    """

    mirrored: bool
    copies: Choice
    flips: tuple[tuple[int, ...], ...]
    motions: tuple[Tensor, ...]
    shrinking: float = 1.0
    """how many times smaller than the place that counts a copy is"""


def kaleidoscope(count: int) -> Group:
    """`count` pairs of mirrors that meet in the middle. One stands upright; the sector beside the horizontal counts.

    Example:
        >>> x, y = kaleidoscope(4).copies(torch.tensor([0.0, -5.0]), torch.tensor([-8.0, 0.0]))[0]
        >>> x.round().tolist(), y.abs().round().tolist()
        ([8.0, 5.0], [0.0, 0.0])
    """
    apart = 2 * math.pi / count
    first = 0.0 if count % 2 == 0 else -apart / 4

    def copies(x: Tensor, y: Tensor) -> list[Positions]:
        angle = torch.remainder(torch.atan2(y, x) - first, apart)
        angle = torch.minimum(angle, apart - angle)
        return _around(x, y, [first + n * apart + sign * angle for n in range(count // 2 + 1) for sign in (-1, 1)][1:])

    every = ((), (2,), (3,), (2, 3)) if count % 2 == 0 else ((), (3,))
    return Group(True, copies, every, _turns(count))


def rotational(count: int) -> Group:
    """The picture looks the same when it is turned by a `count`th of a circle.

    Example:
        >>> x, y = rotational(4).copies(torch.tensor([0.0]), torch.tensor([8.0]))[0]
        >>> round(float(x)), round(abs(float(y)))
        (8, 0)
    """
    apart = 2 * math.pi / count

    def copies(x: Tensor, y: Tensor) -> list[Positions]:
        angle = torch.remainder(torch.atan2(y, x) + apart / 2, apart) - apart / 2
        return _around(x, y, [angle + n * apart for n in range(count)])

    return Group(False, copies, ((), (2, 3)) if count % 2 == 0 else ((),), _turns(count))


def _turns(count: int) -> tuple[Tensor, ...]:
    """By the `count`th of a circle and more: by less than half of one, where flips do the rest."""
    turns = []
    for n in range(count // 2 if count % 2 == 0 else count):
        c, s = math.cos(2 * math.pi * n / count), math.sin(2 * math.pi * n / count)
        turns.append(torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]], dtype=torch.float64))
    return tuple(turns)


def _around(x: Tensor, y: Tensor, angles: list[Tensor]) -> list[Positions]:
    radius = torch.hypot(x, y)
    return [(radius * torch.cos(angle), radius * torch.sin(angle)) for angle in angles]


def mirror(across: bool, down: bool) -> Group:
    """The left half in the right one (`across`), the upper in the lower (`down`), or both.

    Example:
        >>> x, y = mirror(across=True, down=False).copies(torch.tensor([3.0, -3.0]), torch.tensor([1.0, -1.0]))[0]
        >>> x.tolist(), y.tolist()
        ([-3.0, -3.0], [1.0, -1.0])
    """

    def copies(x: Tensor, y: Tensor) -> list[Positions]:
        return [(-x.abs() if across else x, -y.abs() if down else y)]

    sides = ((3,),) * across + ((2,),) * down + ((2, 3),) * (across and down)
    return Group(True, copies, ((), *sides), (_shift(0, 0),))


def mirrored_tiles(columns: float, rows: float, frame: Size, size: Size) -> Group:
    """So many tiles across and down a `frame`, in the middle of a picture of `size`, each the mirror image of the next.

    Example:
        >>> x, y = mirrored_tiles(4, 1, Size(10, 8), Size(10, 8)).copies(torch.tensor([4.5, 13.0]), torch.zeros(2))[0]
        >>> x.tolist()
        [0.5, 1.0]
    """
    width, height = frame.width / columns, frame.height / rows

    def copies(x: Tensor, y: Tensor) -> list[Positions]:
        return [(_to_and_fro(x, width), _to_and_fro(y, height))]

    return Group(True, copies, ((), (2,), (3,), (2, 3)), _shifts(2 * width, 2 * height, size))


def tiles(columns: float, rows: float, frame: Size, size: Size) -> Group:
    """The same without mirrors: each tile like the next.

    Example:
        >>> x, y = tiles(4, 1, Size(10, 8), Size(10, 8)).copies(torch.tensor([4.5, 13.0]), torch.zeros(2))[0]
        >>> x.tolist()
        [0.5, -1.0]
    """
    width, height = frame.width / columns, frame.height / rows

    def copies(x: Tensor, y: Tensor) -> list[Positions]:
        return [((x + width / 2) % width - width / 2, (y + height / 2) % height - height / 2)]

    return Group(False, copies, ((),), _shifts(width, height, size))


def droste(scale: float, frame: Size) -> Group:
    """The picture contains itself, `scale` times smaller than the `frame`, in the middle; and so on.

    A place in there is a copy of one that is so much further out, which may itself be a copy.

    Example:
        >>> x, y = droste(4.0, Size(40, 80)).copies(torch.tensor([9.0, 11.0]), torch.tensor([1.0, 1.0]))[0]
        >>> x.tolist(), y.tolist()
        ([36.0, 11.0], [4.0, 1.0])
    """

    def copies(x: Tensor, y: Tensor) -> list[Positions]:
        within = (x.abs() < frame.width / 2 / scale) & (y.abs() < frame.height / 2 / scale)
        outwards = torch.where(within, scale, 1.0)
        return [(x * outwards, y * outwards), (x / scale, y / scale)]

    return Group(True, copies, ((),), (_shift(0, 0),), scale)


def _to_and_fro(x: Tensor, width: float) -> Tensor:
    x = x % (2 * width)
    return torch.minimum(x, 2 * width - x)


def _shifts(width: float, height: float, size: Size) -> tuple[Tensor, ...]:
    across, down = math.ceil(size.width / width), math.ceil(size.height / height)
    steps = [(i, j) for i in range(-across, across + 1) for j in range(-down, down + 1)]
    return tuple(_shift(i * width, j * height) for i, j in sorted(steps, key=lambda step: step != (0, 0)))


def _shift(x: float, y: float) -> Tensor:
    return torch.tensor([[1, 0, x], [0, 1, y], [0, 0, 1]], dtype=torch.float64)
