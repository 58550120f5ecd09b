"""How pictures shrink on their way through a network: receptive fields, and the least picture that gets through."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.backbones.tape import Node, StateTensor, Value

aten = torch.ops.aten
# Operators whose every output pixel depends on the same pixel of their inputs.
_POINTWISE = {
    aten.add,
    aten.batch_norm,
    aten.cat,
    aten.clamp,
    aten.clone,
    aten.div,
    aten.elu,
    aten.gelu,
    aten.hardsigmoid,
    aten.hardswish,
    aten.hardtanh,
    aten.leaky_relu,
    aten.mul,
    aten.native_batch_norm,
    aten.relu,
    aten.sigmoid,
    aten.silu,
    aten.sub,
    aten.tanh,
}


@dataclass(frozen=True)
class ReceptiveField:
    """What one value is to the picture: `field` and `jump` in pixels, and its side for every side of the picture.

    `field` is None where a value depends on the whole picture. `sides[n - 1]` is the value's side for a picture
    of n pixels, 0 where the network fails.
    """

    field: int | None
    jump: int
    sides: NDArray[np.int64]

    @property
    def smallest_side(self) -> int:
        """The shortest side of a picture that leaves one activation; the longest tried when none does."""
        reached = np.flatnonzero(self.sides > 0)
        return int(reached[0]) + 1 if len(reached) else len(self.sides)


@dataclass(frozen=True)
class _Window:
    """A sliding window along the picture's width."""

    kernel: int
    stride: int
    padding: int
    dilation: int
    ceil: bool

    def over(self, before: ReceptiveField) -> ReceptiveField:
        reach = self.dilation * (self.kernel - 1)
        free = before.sides + 2 * self.padding - reach - 1
        sides = -(-free // self.stride) + 1 if self.ceil else free // self.stride + 1
        sides = np.where((before.sides > 0) & (free >= 0), sides, 0)
        field = None if before.field is None else before.field + reach * before.jump
        return ReceptiveField(field, before.jump * self.stride, sides)


def trace_geometry(nodes: Iterable[Node], longest_side: int) -> dict[Value, ReceptiveField]:
    """The geometry of every value of a pass whose input is value 0, for pictures of up to `longest_side` pixels."""
    known = {Value(0): ReceptiveField(1, 1, np.arange(1, longest_side + 1))}
    for node in nodes:
        inputs = [known[value] for value in node.inputs if value in known]
        if inputs:
            found = _through(node, inputs)
            known.update((value, found) for value in node.outputs)
    return known


def _through(node: Node, inputs: list[ReceptiveField]) -> ReceptiveField:
    window = _window(node)
    joined = _join(inputs)
    if window is not None:
        return window.over(joined)
    packet = getattr(node.op, "overloadpacket", None)
    return joined if packet in _POINTWISE else ReceptiveField(None, joined.jump, joined.sides)


def _join(inputs: list[ReceptiveField]) -> ReceptiveField:
    fields = [each.field for each in inputs]
    field = None if None in fields else max(field for field in fields if field is not None)
    return ReceptiveField(field, max(each.jump for each in inputs), np.minimum.reduce([each.sides for each in inputs]))


def _window(node: Node) -> _Window | None:
    packet, args = getattr(node.op, "overloadpacket", None), node.args
    if packet is aten.convolution and not args[6] and isinstance(args[1], StateTensor):
        return _Window(args[1].shape[-1], args[3][-1], args[4][-1], args[5][-1], False)
    if packet is aten.max_pool2d_with_indices:
        kernel, stride, padding, dilation, ceil = _filled(args[1:], (1, (), 0, 1, False))
        return _Window(_last(kernel), _last(stride or kernel), _last(padding), _last(dilation), ceil)
    if packet is aten.avg_pool2d:
        kernel, stride, padding, ceil = _filled(args[1:], (1, (), 0, False))
        return _Window(_last(kernel), _last(stride or kernel), _last(padding), 1, ceil)
    return None


def _filled(given: tuple[Any, ...], defaults: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*given[: len(defaults)], *defaults[len(given) :])


def _last(sides: Any) -> int:
    return int(sides[-1]) if isinstance(sides, list | tuple) else int(sides)
