"""The packed adjoint in eight bits: its convolutions, and those of its gradient, multiply bytes.

Weights have a scale for each channel, tensors one each. Where a value is in float32, its scale is read off a sample of
it. Between convolutions, through pools and joins, it stays in bytes, and its scale follows from that of what went in: a
ceiling such as ReLU6's is the scale itself; the rest grows by factors that are measured once, on dreams over noise,
when the network is built. So no scale is carried from step to step. Sums and the first convolution stay in float32.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.backbones import Backbone
from pipeline.backbones.tape import Tape, UnsupportedNetwork, Value
from pipeline.engines.base import EngineChoice
from pipeline.engines.byteoperators import ByteConvolve, ByteJoin, BytePool, ByteStem, Growth
from pipeline.engines.bytes import fitting, largest_weight
from pipeline.engines.bytewires import OF_ACTIVATIONS, OF_GRADIENTS, Entrance, values_in_bytes, wires_of
from pipeline.engines.convolution import FEW_CHANNELS
from pipeline.engines.flat import FlatNetwork
from pipeline.engines.operators import Operator, is_convolution, is_join, is_plain_pool
from pipeline.engines.packed import Fused, OperatorChain, PackedEngine, fuse, operator_of
from pipeline.frame import Size
from pipeline.threads import one_thread

_MEASURED_SIDE, _MEASURED_STEPS, _STEP = 128, 6, 0.05


@dataclass
class Noted:
    """What a convolution's values were like in a dream over noise: scales, and by how much its gradient grew."""

    entering: float = 1.0
    result: float = 1.0
    gradient: float = 1.0


class _Noting(ByteConvolve):
    """One that notes what its values are like."""

    noted: Noted

    def forward(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        results = super().forward(inputs)
        self.noted = Noted(fitting(inputs[0], OF_ACTIVATIONS), fitting(results[0], OF_ACTIVATIONS))
        return results

    def backward(self, gradients: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
        assert gradients[0] is not None
        after = fitting(gradients[0], OF_GRADIENTS)
        results = super().backward(gradients)
        assert results[0] is not None
        self.noted.gradient = fitting(results[0], OF_GRADIENTS) / after
        return results


class EightBitEngine(PackedEngine):
    """Runs the two chains in eight bits. Raises UnsupportedNetwork where that can't be."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__(backbone, "float32")
        self.choice = EngineChoice("packed", "int8")
        if backbone.device.type != "cpu" or largest_weight() is None:
            raise UnsupportedNetwork("eight bits need a processor, and a torch, with quantised convolutions")
        self._noted: list[Noted] = []
        with one_thread():
            self._noted = self._dreamt(backbone)

    def fingerprints(self) -> dict[str, str]:
        # Weights of seven bits end in other digits.
        return {"convolution": f"{super().fingerprints()['convolution']}, weights to {largest_weight()}"}

    def _planned(self, tape: Tape) -> OperatorChain:
        plan = Plan(tape, self._noted)
        return OperatorChain(tape, [plan.operator(fused, self._flat) for fused in plan.parts])

    @torch.no_grad()
    def _dreamt(self, backbone: Backbone) -> list[Noted]:
        """What each convolution's values are like in a dream of the layers over noise."""
        side = max(_MEASURED_SIDE, backbone.smallest_side)
        chain = self._planned(self._flat.tape(Size(side, side)))
        image = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)) * 0.5 + 0.25
        for _ in range(_MEASURED_STEPS):
            seen = chain.forward(self._flat.normalised(image))
            gradient = chain.backward({name: value / value.square().mean().sqrt() for name, value in seen.items()})
            image = (image + _STEP * gradient / gradient.abs().mean().clamp_min(1e-30)).clamp(0, 1)
        return [operator.noted for operator in chain.operators if isinstance(operator, _Noting)]


class Plan:
    """Which operators compute in bytes, and on which wires. With nothing noted yet all values are in float32."""

    def __init__(self, tape: Tape, noted: Sequence[Noted]) -> None:
        self.parts, self._tape = fuse(tape), tape
        taken = [fused for fused in self.parts if self._takes_bytes(fused)]
        if noted and len(noted) != len(taken):
            raise UnsupportedNetwork("its convolutions are others for another size of picture")
        self._noted = dict(zip((fused.output for fused in taken), noted, strict=False))
        groups = values_in_bytes(self.parts, tape, self._makes_bytes, self._reads_bytes, self._passes_bytes)
        groups = groups if noted else []
        self._wires = wires_of(groups, tape)
        readers = Counter(fused.nodes[0].inputs[0] for fused in taken)
        self._entrances = {value: Entrance(count) for value, count in readers.items()}
        self._leads = self._leading(groups)

    def operator(self, fused: Fused, flat: FlatNetwork) -> Operator:
        """The operator of a part."""
        node, made = fused.nodes[0], self._wires.get(fused.output)
        if self._takes_bytes(fused):
            source = self._wires.get(node.inputs[0], self._entrances[node.inputs[0]])
            if fused.output not in self._noted:
                return _Noting(fused, self._tape, flat, source, None, Growth(None, 1.0))
            growth = Growth(self._leads.get(fused.output), self._noted[fused.output].gradient)
            return ByteConvolve(fused, self._tape, flat, source, made, growth)
        if made is None:
            return operator_of(fused, self._tape, flat)
        if is_convolution(node):
            return ByteStem(fused, self._tape, flat, made, fused.output in self._leads)
        sources = [self._wires[value] for value in node.inputs]
        if is_join(node, self._tape.shapes):
            return ByteJoin(node, self._tape, sources, made)
        return BytePool(node, self._tape, sources[0], made)

    def _leading(self, groups: Sequence[set[Value]]) -> dict[Value, float]:
        """The convolutions that set a group's scale, the first of each, and how much larger than their own it is."""
        leads = {}
        for group in groups:
            makers = [f.output for f in self.parts if f.output in group and is_convolution(f.nodes[0])]
            largest = max((self._noted[value].result for value in makers if value in self._noted), default=1.0)
            first = self._noted.get(makers[0])
            leads[makers[0]] = largest / first.entering if first is not None else 1.0
        return leads

    def _takes_bytes(self, fused: Fused) -> bool:
        node = fused.nodes[0]
        clipped = fused.clip is None or fused.clip.low == 0
        return is_convolution(node) and self._tape.shapes[node.inputs[0]][1] > FEW_CHANNELS and clipped

    def _makes_bytes(self, fused: Fused) -> bool:
        positive = fused.clip is not None and fused.clip.low == 0 and fused.other is None
        return positive and (self._takes_bytes(fused) or self._is_stem(fused))

    def _is_stem(self, fused: Fused) -> bool:
        return is_convolution(fused.nodes[0]) and fused.nodes[0].inputs == (Value(0),)

    def _reads_bytes(self, fused: Fused, value: Value) -> bool:
        return self._takes_bytes(fused) and value != fused.other

    def _passes_bytes(self, fused: Fused) -> bool:
        return is_join(fused.nodes[0], self._tape.shapes) or is_plain_pool(fused.nodes[0], self._tape.shapes)
