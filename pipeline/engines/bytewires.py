"""Values that pass between operators in bytes, and their gradients: which do, and by which scales."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.backbones.tape import Tape, Value
from pipeline.engines.bytes import HIGHEST, fitting, largest_of, to_bytes, to_float, to_int8
from pipeline.engines.packed import Fused

# The shares of values that bytes hold; the few beyond are held to the ends.
OF_ACTIVATIONS, OF_GRADIENTS = 0.9999, 0.999
_ROOM = 1.25  # what is foretold from noise is a fifth off in pictures


class Scale:
    """The scale of bytes in this pass, set by the first that makes such; pools and joins pass it on."""

    def __init__(self) -> None:
        self.value = 0.0
        self._largest: float | None = None

    def hold(self, largest: float) -> None:
        """Be such that bytes hold everything up to `largest`, and somewhat more: pools let the few largest through."""
        self.value, self._largest = largest * _ROOM / HIGHEST, None

    def hold_all(self, ceiling: float) -> None:
        """Be such that bytes hold everything up to where all is clipped."""
        self.value, self._largest = ceiling / HIGHEST, None

    def largest(self, x: Tensor) -> float:
        """Up to where bytes of this scale really go, the few largest aside; asked for once in a pass."""
        if self._largest is None:
            self._largest = largest_of(x, OF_ACTIVATIONS) * self.value
        return self._largest


@dataclass
class Wire:
    """A value in bytes whose zero is 0, and its gradient: in int8 if one operator alone reads the value."""

    scale: Scale
    single: bool
    gradient_scale: float = 0.0
    """of this pass, set by the one that reads the value"""

    def arrived(self, gradient: Tensor) -> tuple[Tensor, float]:
        """The value's gradient in int8, the caller's own, and its scale."""
        if gradient.dtype is torch.int8:
            return gradient, self.gradient_scale
        scale = fitting(gradient, OF_GRADIENTS)
        return to_int8(gradient, scale), scale

    def sent(self, gradient: Tensor, scale: float) -> Tensor:
        """A reader's gradient, from int8 or int16, as the value's maker gets it: sums of several are in float32."""
        if not self.single:
            return to_float(gradient, scale, 0)
        if gradient.dtype is not torch.int8:
            finer = fitting(gradient, OF_GRADIENTS)
            gradient, scale = to_int8(gradient, finer), scale * finer
        self.gradient_scale = scale
        return gradient


class Entrance:
    """A float32 value in signed bytes, made once for all that read it."""

    def __init__(self, readers: int) -> None:
        self._readers, self._left = readers, 0
        self._made: tuple[Tensor, float] | None = None

    def __call__(self, x: Tensor) -> tuple[Tensor, float]:
        """The bytes and their scale."""
        if self._made is None:
            scale = fitting(x, OF_ACTIVATIONS)
            self._made, self._left = (to_bytes(x, scale), scale), self._readers
        made, self._left = self._made, self._left - 1
        if self._left == 0:
            self._made = None
        return made


def values_in_bytes(
    parts: Sequence[Fused],
    tape: Tape,
    makes: Callable[[Fused], bool],
    reads: Callable[[Fused, Value], bool],
    passes: Callable[[Fused], bool],
) -> list[set[Value]]:
    """The values that lie in bytes, those of one scale together: what `makes` made and `passes` passed on.

    Only where all that read them can, by `reads` or `passes`, and all are clipped alike.
    """
    groups: dict[Value, set[Value]] = {}
    clips = {fused.output: fused.clip for fused in parts if makes(fused)}
    for fused in parts:
        if fused.output in clips:
            groups[fused.output] = {fused.output}
        elif passes(fused) and all(value in groups for value in fused.nodes[0].inputs):
            together = {fused.output}.union(*(groups[value] for value in fused.nodes[0].inputs))
            groups |= dict.fromkeys(together, together)
    spoilt = set(tape.targets.values())
    for fused in parts:
        inputs = {value for node in fused.nodes for value in node.inputs}
        joined = passes(fused) and fused.output in groups
        spoilt |= {value for value in inputs if not joined and not reads(fused, value)}
    distinct = {id(group): group for group in groups.values()}.values()
    return [g for g in distinct if not g & spoilt and len({clips[value] for value in g if value in clips}) == 1]


def wires_of(groups: Sequence[set[Value]], tape: Tape) -> dict[Value, Wire]:
    """A wire for each value in bytes."""
    uses = Counter(value for node in tape.nodes for value in node.inputs)
    scaled = [(group, Scale()) for group in groups]
    return {value: Wire(scale, uses[value] == 1) for group, scale in scaled for value in group}
