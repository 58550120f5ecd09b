"""The operators of the packed engine that compute in bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.backbones.tape import Node, Tape
from pipeline.engines.bytes import (
    SIGNED,
    ByteAdjoint,
    ByteConvolution,
    fitting,
    has_byte_adjoint,
    largest_of,
    masked,
    signed_bytes,
    to_bytes,
    to_float,
    to_int8,
    to_unsigned,
)
from pipeline.engines.bytewires import OF_ACTIVATIONS, OF_GRADIENTS, Entrance, Scale, Wire
from pipeline.engines.convolution import Convolution, Linear, adjoint
from pipeline.engines.flat import FlatNetwork, channels_last
from pipeline.engines.operators import geometry_of, window_of
from pipeline.engines.packed import Fused


@dataclass(frozen=True)
class Growth:
    """By how much a convolution's result, and its gradient, are larger than what goes in."""

    result: float | None
    """None: the scale of its result is set by another"""
    gradient: float


class ByteConvolve:
    """clip(convolution(x) + other) in eight bits, behind a `Wire` or an `Entrance`, and perhaps before a `Wire`."""

    def __init__(
        self, fused: Fused, tape: Tape, flat: FlatNetwork, source: Wire | Entrance, made: Wire | None, growth: Growth
    ) -> None:
        node, g = fused.nodes[0], geometry_of(fused.nodes[0])
        self.inputs = (node.inputs[0],) if fused.other is None else (node.inputs[0], fused.other)
        self.outputs = (fused.output,)
        self._clip, self._source, self._made, self._growth = fused.clip, source, made, growth
        self._ceiling = ceiling_of(fused)
        weight = flat.exact(node.args[1])
        bias = None if node.args[2] is None else flat.exact(node.args[2])
        shape = tape.shapes[node.inputs[0]]
        self._zero = 0 if isinstance(source, Wire) else SIGNED
        self._forward = ByteConvolution(weight, bias, g, shape, self._zero)
        byte_form = has_byte_adjoint(weight, g, shape)
        self._adjoint: ByteAdjoint | Linear = ByteAdjoint(weight, g, shape) if byte_form else adjoint(weight, g, shape)
        self._kept: Tensor | None = None

    def forward(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        x, scale = (inputs[0], self._source.scale.value) if isinstance(self._source, Wire) else self._source(inputs[0])
        if self._made is not None:
            if self._growth.result is not None:
                self._set_scale(self._made.scale, x, scale, self._growth.result)
            self._kept = self._forward.to_bytes(x, scale, self._made.scale.value)
            return (self._kept,)
        if len(inputs) == 1:
            result = self._forward.to_float(x, scale, self._clip)
        else:
            result = self._forward.to_float(x, scale).add_(inputs[1])
            result = result if self._clip is None else self._clip.forward(result)
        self._kept = None if self._clip is None else result
        return (result,)

    def _set_scale(self, made: Scale, x: Tensor, scale: float, growth: float) -> None:
        if self._ceiling is not None:
            made.hold_all(self._ceiling)
        elif isinstance(self._source, Wire):
            made.hold(self._source.scale.largest(x) * growth)
        else:
            made.hold(scale * (SIGNED - 1) * growth)

    def backward(self, gradients: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
        gradient, kept = gradients[0], self._kept
        self._kept = None
        assert gradient is not None
        if self._made is not None:
            assert kept is not None
            gradient, scale = self._made.arrived(gradient)
            return (self._before(signed_bytes(masked(gradient, kept, self._ceiling is not None)), scale),)
        if self._clip is not None:
            assert kept is not None
            gradient = self._clip.backward(gradient, kept)
        before = self._before_float(gradient)
        return (before,) if len(self.inputs) == 1 else (before, gradient)

    def _before_float(self, gradient: Tensor) -> Tensor:
        if not isinstance(self._adjoint, ByteAdjoint):
            return self._sent(self._adjoint(channels_last(gradient)))
        scale = fitting(gradient, OF_GRADIENTS)
        return self._before(to_bytes(gradient, scale), scale)

    def _before(self, gradient: Tensor, scale: float) -> Tensor:
        """The gradient with respect to the input, from signed bytes: in int8 where the input's maker takes that."""
        if not isinstance(self._adjoint, ByteAdjoint):
            return self._sent(self._adjoint(to_float(gradient, scale, SIGNED)))
        if not isinstance(self._source, Wire) or not self._source.single:
            return self._adjoint.to_float(gradient, scale)
        self._source.gradient_scale = scale * self._growth.gradient
        return self._adjoint.to_int8(gradient, scale, self._source.gradient_scale)

    def _sent(self, before: Tensor) -> Tensor:
        if not isinstance(self._source, Wire) or not self._source.single:
            return before
        scale = fitting(before, OF_GRADIENTS)
        return self._source.sent(to_int8(before, scale), scale)


class ByteStem:
    """clip(convolution(x)) of a picture, whose steps are finer than bytes: in float32, and bytes from there on."""

    def __init__(self, fused: Fused, tape: Tape, flat: FlatNetwork, made: Wire, leads: bool) -> None:
        node, g = fused.nodes[0], geometry_of(fused.nodes[0])
        self.inputs, self.outputs = node.inputs[:1], (fused.output,)
        self._made, self._leads, self._ceiling = made, leads, ceiling_of(fused)
        weight, shape = flat.exact(node.args[1]), tape.shapes[node.inputs[0]]
        bias = None if node.args[2] is None else flat.exact(node.args[2])
        self._forward = Convolution(weight, bias, g, shape, fused.clip)
        byte_form = has_byte_adjoint(weight, g, shape)
        self._adjoint: ByteAdjoint | Linear = ByteAdjoint(weight, g, shape) if byte_form else adjoint(weight, g, shape)
        self._kept: Tensor | None = None

    def forward(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        result = self._forward(inputs[0])
        if self._leads and self._ceiling is not None:
            self._made.scale.hold_all(self._ceiling)
        elif self._leads:
            self._made.scale.hold(largest_of(result, OF_ACTIVATIONS))
        self._kept = to_unsigned(result, self._made.scale.value)
        return (self._kept,)

    def backward(self, gradients: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
        kept, self._kept = self._kept, None
        assert gradients[0] is not None and kept is not None
        gradient, scale = self._made.arrived(gradients[0])
        gradient = signed_bytes(masked(gradient, kept, self._ceiling is not None))
        if isinstance(self._adjoint, ByteAdjoint):
            return (self._adjoint.to_float(gradient, scale),)
        return (self._adjoint(to_float(gradient, scale, SIGNED)),)


class ByteJoin:
    """Values of one scale side by side along the channels."""

    def __init__(self, node: Node, tape: Tape, sources: Sequence[Wire], made: Wire) -> None:
        self.inputs, self.outputs = node.inputs, node.outputs
        self._channels = [tape.shapes[value][1] for value in node.inputs]
        self._sources, self._made = sources, made

    def forward(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        return (torch.cat(list(inputs), 1),)

    def backward(self, gradients: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
        assert gradients[0] is not None
        gradient, scale = self._made.arrived(gradients[0])
        parts = zip(self._sources, torch.split(gradient, self._channels, 1), strict=True)
        return [source.sent(channels_last(part), scale) for source, part in parts]


class BytePool:
    """The largest of each window, down columns and then along rows; its gradient goes to where that one was."""

    def __init__(self, node: Node, tape: Tape, source: Wire, made: Wire) -> None:
        self.inputs, self.outputs = node.inputs, node.outputs[:1]
        self._source, self._made = source, made
        kernel, stride, padding = window_of(node)[:3]
        given, wanted = tape.shapes[node.inputs[0]], tape.shapes[node.outputs[0]]
        self._ways = [
            _LargestAlong(axis, kernel[axis - 2], stride[axis - 2], padding[axis - 2], given[axis], wanted[axis])
            for axis in (2, 3)
        ]

    def forward(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        x = inputs[0]
        for way in self._ways:
            x = way.forward(x)
        return (x,)

    def backward(self, gradients: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
        assert gradients[0] is not None
        gradient, scale = self._made.arrived(gradients[0])
        for way in reversed(self._ways):
            gradient = way.backward(gradient)
        return (self._source.sent(gradient, scale),)


class _LargestAlong:
    """The largest of each window of bytes along one axis; the first of several that are as large."""

    def __init__(self, axis: int, kernel: int, stride: int, padding: int, given: int, wanted: int) -> None:
        self._axis, self._kernel, self._stride, self._padding = axis, kernel, stride, padding
        self._given, self._wanted = given, wanted
        self._whole = (wanted - 1) * stride + kernel
        self._inside = min(given, self._whole - padding)
        self._rises: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        """The largest; nothing is negative, so zeros around change nothing."""
        first, *others = self._taps(self._padded(x))
        self._rises, best = [], first
        for tap in others:
            higher = torch.maximum(best, tap)
            self._rises.append(higher - best)
            best = higher
        return channels_last(best)

    def backward(self, gradient: Tensor) -> Tensor:
        """The gradient before, in int16 where windows overlap; the one given is written to."""
        # Pixels that several windows share get the sum of what these send, which int8 can't hold.
        shared = self._kernel > self._stride
        gradient = gradient.to(torch.int16) if shared else gradient
        unsigned = torch.uint8 if gradient.dtype is torch.int8 else torch.int16
        parts: list[Tensor] = []
        for rise in reversed(self._rises):
            won = torch.ops.aten.threshold_backward(gradient.view(unsigned), rise.to(unsigned), 0)
            parts.append(won.view(gradient.dtype))
            gradient.sub_(parts[-1])
        parts.append(gradient)
        self._rises = []
        shape = list(gradient.shape)
        shape[self._axis] = self._whole
        whole = _zeros(shape, gradient.dtype)
        for tap, part in zip(self._taps(whole), reversed(parts), strict=True):
            tap.add_(part) if shared else tap.copy_(part)
        return channels_last(
            _widened(whole.narrow(self._axis, self._padding, self._inside), self._axis, 0, self._given)
        )

    def _padded(self, x: Tensor) -> Tensor:
        return _widened(x.narrow(self._axis, 0, self._inside), self._axis, self._padding, self._whole)

    def _taps(self, whole: Tensor) -> list[Tensor]:
        length = (self._wanted - 1) * self._stride + 1
        index: list[slice] = [slice(None)] * 4
        taps = []
        for start in range(self._kernel):
            index[self._axis] = slice(start, start + length, self._stride)
            taps.append(whole[tuple(index)])
        return taps


def _widened(x: Tensor, axis: int, before: int, length: int) -> Tensor:
    """`x` among zeros, after so many of them."""
    if x.shape[axis] == length:
        return x
    shape = list(x.shape)
    shape[axis] = length
    result = _zeros(shape, x.dtype)
    result.narrow(axis, before, x.shape[axis]).copy_(x)
    return result


def _zeros(shape: list[int], dtype: torch.dtype) -> Tensor:
    return torch.empty(shape, dtype=dtype, memory_format=torch.channels_last).zero_()


def ceiling_of(fused: Fused) -> float | None:
    """Where a convolution's result is held from above."""
    return None if fused.clip is None or math.isinf(fused.clip.high) else fused.clip.high
