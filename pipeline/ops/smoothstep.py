"""The one smooth way from 0 to 1, for pictures and for curves."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Numbers = TypeVar("Numbers", Tensor, NDArray[np.float64])


def smoothstep(x: Numbers) -> Numbers:
    """3x^2 - 2x^3 of `x` held to [0, 1]: from 0 to 1 with no corner, of any shape, type and device.

    Example:
        >>> smoothstep(torch.tensor([-1.0, 0.0, 0.25, 0.5, 1.0, 2.0])).tolist()
        [0.0, 0.0, 0.15625, 0.5, 1.0, 1.0]
    """
    x = x.clip(0, 1)
    return x * x * (3 - 2 * x)
