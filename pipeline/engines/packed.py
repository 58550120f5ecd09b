"""The packed adjoint: the frozen network and its gradient as two fixed chains of convolutions, without autograd."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.backbones import Backbone
from pipeline.backbones.tape import Node, Tape, Value
from pipeline.engines.base import Engine, EngineChoice, PrecisionName, score_gradients
from pipeline.engines.convolution import Clip, has_packed_convolution
from pipeline.engines.flat import FlatNetwork, channels_last, done_after
from pipeline.engines.operators import Convolve, Operator, clip_of, is_convolution, is_sum, single_operator
from pipeline.frame import Size, size_of
from pipeline.objectives import Objective


class PackedEngine(Engine):
    """Runs the two chains. Raises UnsupportedNetwork when the network can't be flattened."""

    def __init__(self, backbone: Backbone, precision: PrecisionName) -> None:
        self.choice = EngineChoice("packed", precision)
        self._flat = FlatNetwork(backbone, self.choice.dtype)
        self._chains: dict[Size, OperatorChain] = {}

    @torch.no_grad()
    def __call__(self, image: Tensor, objective: Objective) -> tuple[Tensor, Tensor]:
        size = size_of(image)
        if size not in self._chains:
            self._chains[size] = self._planned(self._flat.tape(size))
        chain = self._chains[size]
        score, gradients = score_gradients(objective, chain.forward(self._flat.normalised(image)))
        gradient = chain.backward(gradients)
        return score, gradient.to(torch.float32, memory_format=torch.contiguous_format) / self._flat.backbone.std

    def _planned(self, tape: Tape) -> OperatorChain:
        return OperatorChain(tape, [operator_of(fused, tape, self._flat) for fused in fuse(tape)])

    def forget(self) -> None:
        self._chains.clear()

    def fingerprints(self) -> dict[str, str]:
        # Its two convolutions end in other last digits.
        return {"convolution": "prepacked" if has_packed_convolution(self.choice.dtype) else "public"}


class OperatorChain:
    """The operators for one picture size: forward, then backward, once each in turn."""

    def __init__(self, tape: Tape, operators: Sequence[Operator]) -> None:
        self._targets = tape.targets
        self.operators = operators
        self._done = done_after([operator.inputs for operator in self.operators], tape.targets.values())

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """The activations by layer of a normalised input."""
        values = {Value(0): image}
        for operator, done in zip(self.operators, self._done, strict=True):
            results = operator.forward([values[value] for value in operator.inputs])
            values.update(zip(operator.outputs, results, strict=True))
            for value in done:
                del values[value]
        return {name: values[value] for name, value in self._targets.items()}

    def backward(self, gradients: Mapping[str, Tensor]) -> Tensor:
        """The gradient with respect to the input, from those with respect to the activations."""
        known: dict[Value, Tensor] = {}
        for name, gradient in gradients.items():
            _add(known, self._targets[name], gradient)
        for operator in reversed(self.operators):
            after = [known.pop(value, None) for value in operator.outputs]
            if all(gradient is None for gradient in after):
                continue
            for value, before in zip(operator.inputs, operator.backward(after), strict=True):
                if before is not None:
                    _add(known, value, before)
        return known[Value(0)]


def _add(known: dict[Value, Tensor], value: Value, gradient: Tensor) -> None:
    known[value] = known[value] + gradient if value in known else channels_last(gradient)


@dataclass(frozen=True)
class Fused:
    """What one operator does: a node, or a convolution with the sum and the clip behind it."""

    nodes: tuple[Node, ...]

    @property
    def output(self) -> Value:
        """The value that it makes."""
        return self.nodes[-1].outputs[0]

    @property
    def clip(self) -> Clip | None:
        """The clip behind a convolution."""
        return clip_of(self.nodes[-1]) if len(self.nodes) > 1 else None

    @property
    def other(self) -> Value | None:
        """What is added to a convolution."""
        made = self.nodes[0].outputs[0]
        return next((v for node in self.nodes[1:2] for v in node.inputs if v != made), None)


def fuse(tape: Tape) -> list[Fused]:
    """The nodes of a tape in their order, sums and clips drawn into the convolutions before them."""
    uses = Counter(value for node in tape.nodes for value in node.inputs)
    uses.update(tape.targets.values())
    readers = {value: node for node in tape.nodes for value in node.inputs}
    found: dict[Value, Fused] = {}  # by the output that the operator must stand in the place of
    drawn: set[Value] = set()
    for node in tape.nodes:
        if node.outputs[0] in drawn:
            continue
        chain = _fusible(node, tape, uses, readers, drawn) if is_convolution(node) else [node]
        drawn.update(each.outputs[0] for each in chain)
        found[chain[-1].outputs[0]] = Fused(tuple(chain))
    return [found[node.outputs[0]] for node in tape.nodes if node.outputs[0] in found]


def _fusible(
    node: Node, tape: Tape, uses: Mapping[Value, int], readers: Mapping[Value, Node], drawn: set[Value]
) -> list[Node]:
    """A convolution, then the sum and the clip that alone read its result, as far as there are such."""

    def follower(output: Value) -> Node | None:
        after = readers.get(output) if uses[output] == 1 else None
        return None if after is None or after.outputs[0] in drawn else after

    chain = [node]
    after = follower(node.outputs[0])
    summed = after is not None and is_sum(after, tape.shapes)
    if after is not None and summed:
        chain.append(after)
        after = follower(after.outputs[0])
    clip = None if after is None else clip_of(after)
    # oneDNN clips a sum at zero, but has no ceiling for it.
    if after is not None and clip is not None and (clip.is_relu or not summed):
        chain.append(after)
    return chain


def operator_of(fused: Fused, tape: Tape, flat: FlatNetwork) -> Operator:
    """The operator that computes in the network's own type."""
    if len(fused.nodes) == 1:
        return single_operator(fused.nodes[0], tape.shapes, flat.constant)
    return Convolve(fused.nodes[0], tape.shapes, flat.constant, fused.other, fused.clip, fused.output)
