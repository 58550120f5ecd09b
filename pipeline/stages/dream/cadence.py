"""How often octaves are dreamt on, and what becomes of their change on the frames between."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Annotated, Any

import torch
from pydantic import BeforeValidator, WithJsonSchema
from torch import Tensor

from pipeline.ops.motion import warp
from pipeline.stages.context import FrameContext

_MOST = 240
_ONE: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": _MOST}


def _checked(value: object) -> object:
    numbers = value if isinstance(value, list | tuple) and value else [value]
    if not all(isinstance(each, int) and not isinstance(each, bool) and 1 <= each <= _MOST for each in numbers):
        raise ValueError(f"must be a whole number from 1 to {_MOST}, or a list of them, one for each octave")
    return tuple(numbers) if numbers is value else value


EveryField = Annotated[
    int | tuple[int, ...],
    BeforeValidator(_checked),
    WithJsonSchema({"anyOf": [_ONE, {"type": "array", "items": _ONE, "minItems": 1}]}),
]
"""Of how many frames one is dreamt on: one number, or one for each octave, coarse to fine."""


class Cadence:
    """Octaves next to each other that are dreamt on every nth frame, as much as on all of them.

    What that changes is carried along the motion, and spread over the frames up to the next.
    """

    def __init__(self, every: int, octaves: range) -> None:
        self.every, self.octaves = every, octaves
        self.pending: Tensor | None = None
        """(1, 3, H, W): what is still to be added in each frame"""
        self.unseen: Tensor | None = None
        """(1, 1, H, W) in [0, 1]: what came into sight since the last dream, which has to catch up"""

    def part(self, ctx: FrameContext, dream: Callable[[Tensor | None], Tensor | None]) -> Tensor | None:
        """What this frame gets of the change that `dream` makes on every nth frame, given what has come into sight.

        None where that is nothing.
        """
        new = either(None if ctx.motion is None else 1 - ctx.motion.trust, ctx.revealed)
        if self.every == 1:
            return dream(new)
        self.unseen = either(_moved(self.unseen, ctx), new)
        if self.is_due(ctx.index):
            whole = dream(self.unseen)
            self.pending, self.unseen = None if whole is None else whole / self.every, None
        else:
            self.pending = _moved(self.pending, ctx)
        return self.pending

    def is_due(self, index: int) -> bool:
        """Whether that frame is dreamt on."""
        return index % self.every == 0

    def forget(self) -> None:
        """Nothing is still to be added: the picture is another."""
        self.pending = self.unseen = None


def cadences(every: int | tuple[int, ...], octaves: int) -> tuple[Cadence, ...]:
    """Those of a dream with so many octaves, coarse to fine; `every` is one number, or one for each octave."""
    if isinstance(every, int):
        return (Cadence(every, range(octaves)),)
    runs = [list(run) for _, run in groupby(range(octaves), key=every.__getitem__)]
    return tuple(Cadence(every[run[0]], range(run[0], run[-1] + 1)) for run in runs)


def either(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    """What is in one of two fields, or in both."""
    return a if b is None else b if a is None else torch.maximum(a, b)


def _moved(field: Tensor | None, ctx: FrameContext) -> Tensor | None:
    """What belonged to places of the last frame, where they are now; nothing where nothing was seen."""
    if field is None or ctx.motion is None:
        return field
    return warp(field, ctx.motion.flow, ctx.motion.edges) * ctx.motion.trust
