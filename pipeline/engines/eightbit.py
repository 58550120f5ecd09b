"""The packed adjoint in eight bits: its convolutions, and those of its gradient, multiply bytes.

Weights have a scale for each channel, tensors one each. Where a value is in float32, its scale is read off a sample of
it. Between two convolutions it stays in bytes, and its scale follows from that of what went in: a ceiling such as
ReLU6's is the scale itself; the rest grows by factors that are measured once, on dreams over noise, when the network
is built. So no scale is carried from step to step. Sums, pools, joins and the first convolution stay in float32.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.backbones import Backbone, find_layer
from pipeline.backbones.tape import Tape, UnsupportedNetwork, Value
from pipeline.engines.base import EngineChoice
from pipeline.engines.bytes import (
    HIGHEST,
    SIGNED,
    ByteAdjoint,
    ByteConvolution,
    fitting,
    has_byte_adjoint,
    largest_weight,
    masked,
    to_bytes,
    to_float,
    unclipped,
)
from pipeline.engines.convolution import Linear, adjoint
from pipeline.engines.flat import FlatNetwork, channels_last
from pipeline.engines.operators import Operator, geometry_of, is_convolution
from pipeline.engines.packed import Fused, OperatorChain, PackedEngine, fuse, operator_of
from pipeline.frame import Size

# The shares of values that bytes hold; the few beyond are held to the ends.
_OF_ACTIVATIONS, _OF_GRADIENTS = 0.9999, 0.999
_FEW_CHANNELS = 8  # of a first convolution: pictures, whose steps are finer than bytes here
_MEASURED_SIDE, _MEASURED_STEPS, _STEP = 128, 6, 0.05


@dataclass
class Growth:
    """By how much a convolution's result, and its gradient, are larger than what goes in."""

    result: float
    gradient: float


@dataclass
class Wire:
    """A value that goes from one convolution to the next in bytes, and its gradient, which comes back in bytes."""

    scale: float = 0.0
    """of this pass, set by the one that makes the value"""
    gradient_scale: float = 0.0
    """of this pass, set by the one that reads it"""


class Entrance:
    """A float32 value in bytes, made once for all that read it."""

    def __init__(self, readers: int) -> None:
        self._readers, self._left = readers, 0
        self._made: tuple[Tensor, float] | None = None

    def __call__(self, x: Tensor) -> tuple[Tensor, float]:
        """The bytes and their scale."""
        if self._made is None:
            scale = fitting(x, _OF_ACTIVATIONS)
            self._made, self._left = (to_bytes(x, scale), scale), self._readers
        made, self._left = self._made, self._left - 1
        if self._left == 0:
            self._made = None
        return made


class ByteConvolve:
    """clip(convolution(x) + other) in eight bits, behind a `Wire` or an `Entrance`, and perhaps before a `Wire`."""

    def __init__(
        self, fused: Fused, tape: Tape, flat: FlatNetwork, source: Wire | Entrance, made: Wire | None, growth: Growth
    ) -> None:
        node, g = fused.nodes[0], geometry_of(fused.nodes[0])
        self.inputs = (node.inputs[0],) if fused.other is None else (node.inputs[0], fused.other)
        self.outputs = (fused.output,)
        self._clip, self._source, self._made, self._growth = fused.clip, source, made, growth
        self._ceiling = None if self._clip is None or math.isinf(self._clip.high) else self._clip.high
        weight = flat.exact(node.args[1])
        bias = None if node.args[2] is None else flat.exact(node.args[2])
        shape = tape.shapes[node.inputs[0]]
        self._zero = 0 if isinstance(source, Wire) else SIGNED
        self._forward = ByteConvolution(weight, bias, g, shape, self._zero)
        byte_form = has_byte_adjoint(weight, g, shape)
        self._adjoint: ByteAdjoint | Linear = ByteAdjoint(weight, g, shape) if byte_form else adjoint(weight, g, shape)
        self._kept: Tensor | None = None

    def forward(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        x, scale = (inputs[0], self._source.scale) if isinstance(self._source, Wire) else self._source(inputs[0])
        if self._made is not None:
            self._made.scale = self._result_scale(scale)
            result = self._forward.to_bytes(x, scale, self._made.scale, 0)
            self._kept = unclipped(result, self._ceiling is not None)
            return (result,)
        if len(inputs) == 1:
            result = self._forward.to_float(x, scale, self._clip)
        else:
            result = self._forward.to_float(x, scale).add_(inputs[1])
            result = result if self._clip is None else self._clip.forward(result)
        self._kept = None if self._clip is None else result
        return (result,)

    def _result_scale(self, scale: float) -> float:
        if self._ceiling is not None:
            return self._ceiling / HIGHEST
        return scale * (HIGHEST - self._zero) / HIGHEST * self._growth.result

    def backward(self, gradients: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
        gradient, kept = gradients[0], self._kept
        self._kept = None
        assert gradient is not None
        if self._made is not None:
            assert kept is not None
            return (self._before(masked(gradient, kept), self._made.gradient_scale),)
        if self._clip is not None:
            assert kept is not None
            gradient = self._clip.backward(gradient, kept)
        before = self._before_float(gradient)
        return (before,) if len(self.inputs) == 1 else (before, gradient)

    def _before_float(self, gradient: Tensor) -> Tensor:
        if not isinstance(self._adjoint, ByteAdjoint):
            return self._sent(self._adjoint(channels_last(gradient)))
        scale = fitting(gradient, _OF_GRADIENTS)
        return self._before(to_bytes(gradient, scale), scale)

    def _before(self, gradient: Tensor, scale: float) -> Tensor:
        """The gradient with respect to the input, from bytes: in bytes where the input came in bytes."""
        if not isinstance(self._adjoint, ByteAdjoint):
            return self._sent(self._adjoint(to_float(gradient, scale, SIGNED)))
        if not isinstance(self._source, Wire):
            return self._adjoint.to_float(gradient, scale)
        self._source.gradient_scale = scale * self._growth.gradient
        return self._adjoint.to_bytes(gradient, scale, self._source.gradient_scale)

    def _sent(self, before: Tensor) -> Tensor:
        if not isinstance(self._source, Wire):
            return before
        self._source.gradient_scale = fitting(before, _OF_GRADIENTS)
        return to_bytes(before, self._source.gradient_scale)


class _Measured(ByteConvolve):
    """One that notes how much its results grow."""

    def forward(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        results = super().forward(inputs)
        self._growth.result = fitting(results[0], _OF_ACTIVATIONS) / fitting(inputs[0], _OF_ACTIVATIONS)
        return results

    def backward(self, gradients: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
        assert gradients[0] is not None
        after = fitting(gradients[0], _OF_GRADIENTS)
        results = super().backward(gradients)
        assert results[0] is not None
        self._growth.gradient = fitting(results[0], _OF_GRADIENTS) / after
        return results


class EightBitEngine(PackedEngine):
    """Runs the two chains in eight bits. Raises UnsupportedNetwork where that can't be."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__(backbone, "float32")
        self.choice = EngineChoice("packed", "int8")
        if backbone.device.type != "cpu" or largest_weight() is None:
            raise UnsupportedNetwork("eight bits need a processor, and a torch, with quantised convolutions")
        self._growths: list[Growth] = []
        self._growths = self._measured(backbone)

    def fingerprints(self) -> dict[str, str]:
        # Weights of seven bits end in other digits.
        return {"convolution": f"{super().fingerprints()['convolution']}, weights to {largest_weight()}"}

    def _planned(self, tape: Tape) -> OperatorChain:
        return self._chain(tape, self._growths)

    def _chain(self, tape: Tape, growths: Sequence[Growth] | None) -> OperatorChain:
        """The operators; without growths, of which the convolutions have their own measured."""
        parts = fuse(tape)
        taken = [fused for fused in parts if _takes_bytes(fused, tape)]
        if growths is not None and len(growths) != len(taken):
            raise UnsupportedNetwork("its convolutions are others for another size of picture")
        wires = {} if growths is None else _wires(taken, tape)
        readers = Counter(fused.nodes[0].inputs[0] for fused in taken)
        entrances = {value: Entrance(count) for value, count in readers.items()}
        operators: list[Operator] = []
        own, in_bytes = iter(growths or []), {fused.output for fused in taken}
        for fused in parts:
            if fused.output not in in_bytes:
                operators.append(operator_of(fused, tape, self._flat))
                continue
            source, made = fused.nodes[0].inputs[0], wires.get(fused.output)
            kind = _Measured if growths is None else ByteConvolve
            growth = Growth(1.0, 1.0) if growths is None else next(own)
            operators.append(kind(fused, tape, self._flat, wires.get(source, entrances[source]), made, growth))
        return OperatorChain(tape, operators)

    @torch.no_grad()
    def _measured(self, backbone: Backbone) -> list[Growth]:
        """How much each convolution's result grows in a dream of the layers over noise."""
        side = max(_MEASURED_SIDE, *(find_layer(backbone.recipe, name).smallest_side for name in backbone.layers))
        chain = self._chain(self._flat.tape(Size(side, side)), None)
        image = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)) * 0.5 + 0.25
        for _ in range(_MEASURED_STEPS):
            seen = chain.forward(self._flat.normalised(image))
            gradient = chain.backward({name: value / value.square().mean().sqrt() for name, value in seen.items()})
            image = (image + _STEP * gradient / gradient.abs().mean().clamp_min(1e-30)).clamp(0, 1)
        return [operator._growth for operator in chain.operators if isinstance(operator, _Measured)]


def _takes_bytes(fused: Fused, tape: Tape) -> bool:
    node = fused.nodes[0]
    return is_convolution(node) and tape.shapes[node.inputs[0]][1] > _FEW_CHANNELS and _is_clipped_at_zero(fused)


def _is_clipped_at_zero(fused: Fused) -> bool:
    return fused.clip is None or fused.clip.low == 0


def _wires(taken: Sequence[Fused], tape: Tape) -> dict[Value, Wire]:
    """The values that pass from one convolution to the only one that reads them."""
    uses = Counter(value for node in tape.nodes for value in node.inputs)
    uses.update(tape.targets.values())
    read = {fused.nodes[0].inputs[0] for fused in taken} - {fused.other for fused in taken}
    single = (fused for fused in taken if fused.clip is not None and fused.other is None)
    return {fused.output: Wire() for fused in single if uses[fused.output] == 1 and fused.output in read}
