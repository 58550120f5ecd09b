"""What lies beyond a picture's edges, in the words of `numpy.pad`."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Border = Literal["edge", "reflect", "symmetric", "sphere"]


def border_index(index: Tensor, length: int, border: Border) -> Tensor:
    """Which of `length` pixels in a row stands at each place of `index` (whole numbers, any shape), 0 to `length` - 1.

    Beyond the ends `edge` repeats the last pixel, `reflect` mirrors at its centre, `symmetric` at its outer border,
    however often that takes (torch's own padding mirrors once); `sphere` goes on at the other end.

    Example:
        >>> at = torch.arange(-3, 6)
        >>> border_index(at, 3, "edge").tolist()
        [0, 0, 0, 0, 1, 2, 2, 2, 2]
        >>> border_index(at, 3, "reflect").tolist()
        [1, 2, 1, 0, 1, 2, 1, 0, 1]
        >>> border_index(at, 3, "symmetric").tolist()
        [2, 1, 0, 0, 1, 2, 2, 1, 0]
    """
    if border == "edge":
        return index.clamp(0, length - 1)
    if border == "sphere":
        return index.remainder(length)
    if border == "symmetric":
        folded = index.remainder(2 * length)
        return torch.minimum(folded, 2 * length - 1 - folded)
    folded = index.abs() % max(1, 2 * length - 2)
    return torch.minimum(folded, 2 * length - 2 - folded)


def pad(planes: Tensor, dim: int, margin: int, border: Border) -> Tensor:
    """`planes` (any shape) with `margin` more pixels at both ends of the side `dim`.

    With `sphere` they are equirectangular pictures (1, C, H, W): rows go on at their other end, and columns, over a
    pole, on the meridian opposite, which is found only while rows are whole turns.

    Example:
        >>> pad(torch.tensor([[1, 2, 3]]), 1, 2, "reflect").tolist()
        [[3, 2, 1, 2, 3, 2, 1]]
        >>> pad(torch.tensor([[[[1, 2], [3, 4]]]]), 2, 1, "sphere").tolist()
        [[[[2, 1], [1, 2], [3, 4], [4, 3]]]]
    """
    if border == "sphere" and dim == 2:
        # Down one meridian and up the one opposite is a circle, too.
        circle = torch.cat([planes, planes.roll(planes.shape[3] // 2, 3).flip(2)], 2)
        at = torch.arange(-margin, planes.shape[2] + margin, device=planes.device)
        return circle.index_select(2, border_index(at, circle.shape[2], border))
    length = planes.shape[dim]
    at = torch.arange(margin, device=planes.device)
    before, after = (border_index(beyond, length, border) for beyond in (at - margin, at + length))
    # The whole side by its index would take twenty times as long.
    return torch.cat([planes.index_select(dim, before), planes, planes.index_select(dim, after)], dim)


def fill_up(picture: Tensor, height: int, width: int) -> Tensor:
    """A picture (1, C, H, W) whose sides are whole multiples, made larger by its own last row and column.

    Unlike torch's replicating pad, its gradient is the same each time on CUDA, too.

    Example:
        >>> fill_up(torch.arange(6.0).view(1, 1, 2, 3), 2, 4)
        tensor([[[[0., 1., 2., 2.],
                  [3., 4., 5., 5.]]]])
    """
    for dim, unit in ((2, height), (3, width)):
        if more := -picture.shape[dim] % unit:
            last = picture.narrow(dim, picture.shape[dim] - 1, 1)
            sizes = [more if each == dim else -1 for each in range(4)]
            picture = torch.cat([picture, last.expand(sizes)], dim)
    return picture


def pad_around(planes: Tensor, margin: int, border: Border) -> Tensor:
    """`planes` (1, C, H, W) with `margin` more pixels on all four sides.

    Example:
        >>> pad_around(torch.tensor([[[[1, 2], [3, 4]]]]), 1, "sphere").tolist()
        [[[[1, 2, 1, 2], [2, 1, 2, 1], [4, 3, 4, 3], [3, 4, 3, 4]]]]
    """
    return pad(pad(planes, 2, margin, border), 3, margin, border)
