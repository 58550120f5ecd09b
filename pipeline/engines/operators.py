"""The operators of the packed engine: each computes forward, and takes gradients back without autograd."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from pipeline.backbones.tape import Node, StateTensor, Value
from pipeline.engines.convolution import Clip, Convolution, Geometry, Linear, adjoint
from pipeline.engines.flat import channels_last, run_node

aten = torch.ops.aten
Shapes = dict[Value, tuple[int, ...]]
StateTensors = Callable[[StateTensor], Tensor]


class Operator(Protocol):
    """One step of the pass. What backward needs is kept by the operator between the two calls."""

    @property
    def inputs(self) -> tuple[Value, ...]:
        """The values it reads."""
        ...

    @property
    def outputs(self) -> tuple[Value, ...]:
        """The values it makes."""
        ...

    def forward(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        """The outputs; the inputs are not written to."""
        ...

    def backward(self, gradients: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
        """The gradients of the inputs from those of the outputs, which are not written to; forgets what was kept."""
        ...


class Convolve:
    """clip(convolution(x) + other): the batch norm is in the weights already."""

    def __init__(
        self, node: Node, shapes: Shapes, constant: StateTensors, other: Value | None, clip: Clip | None, output: Value
    ) -> None:
        source = node.inputs[0]
        self.inputs = (source,) if other is None else (source, other)
        self.outputs = (output,)
        weight, bias = constant(node.args[1]), None if node.args[2] is None else constant(node.args[2])
        geometry = geometry_of(node)
        self._clip = clip
        self._forward = Convolution(weight, bias, geometry, shapes[source], clip)
        self._adjoint: Linear = adjoint(weight, geometry, shapes[source])
        self._result: Tensor | None = None

    def forward(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        result = self._forward(*inputs)
        self._result = None if self._clip is None else result
        return (result,)

    def backward(self, gradients: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
        gradient = gradients[0]
        assert gradient is not None
        if self._clip is not None:
            assert self._result is not None
            gradient, self._result = self._clip.backward(gradient, self._result), None
        before = self._adjoint(channels_last(gradient))
        return (before,) if len(self.inputs) == 1 else (before, gradient)


class Rectify:
    """A clip that no convolution could take."""

    def __init__(self, node: Node, clip: Clip) -> None:
        self.inputs, self.outputs = node.inputs, node.outputs
        self._clip = clip
        self._result: Tensor | None = None

    def forward(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        self._result = self._clip.forward(inputs[0])
        return (self._result,)

    def backward(self, gradients: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
        assert gradients[0] is not None and self._result is not None
        gradient, self._result = self._clip.backward(gradients[0], self._result), None
        return (gradient,)


class Swish:
    """x * sigmoid(x), also called SiLU."""

    def __init__(self, node: Node) -> None:
        self.inputs, self.outputs = node.inputs, node.outputs
        self._input: Tensor | None = None

    def forward(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        self._input = inputs[0]
        return (aten.silu(inputs[0]),)

    def backward(self, gradients: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
        gradient, self._input = aten.silu_backward(gradients[0], self._input), None
        return (gradient,)


class Add:
    """The sum of two values of one shape."""

    def __init__(self, node: Node) -> None:
        self.inputs, self.outputs = node.inputs, node.outputs

    def forward(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        return (inputs[0] + inputs[1],)

    def backward(self, gradients: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
        return (gradients[0], gradients[0])


class Join:
    """Values side by side along the channels."""

    def __init__(self, node: Node, shapes: Shapes) -> None:
        self.inputs, self.outputs = node.inputs, node.outputs
        self._channels = [shapes[value][1] for value in node.inputs]

    def forward(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        return (torch.cat(list(inputs), 1),)

    def backward(self, gradients: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
        assert gradients[0] is not None
        return torch.split(gradients[0], self._channels, 1)


class MaxPool:
    """The largest of each window; its gradient goes to where that one was."""

    def __init__(self, node: Node) -> None:
        self.inputs, self.outputs = node.inputs, node.outputs[:1]
        self._window = window_of(node)
        self._kept: tuple[Tensor, Tensor] | None = None

    def forward(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        result, places = aten.max_pool2d_with_indices(inputs[0], *self._window)
        self._kept = (inputs[0], places)
        return (result,)

    def backward(self, gradients: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
        assert self._kept is not None
        (given, places), self._kept = self._kept, None
        return (aten.max_pool2d_with_indices_backward(gradients[0], given, *self._window, places),)


class Other:
    """Any other operator: autograd takes the gradient through this one alone."""

    def __init__(self, node: Node, constant: StateTensors) -> None:
        self._node, self._constant = node, constant
        self.inputs, self.outputs = tuple(dict.fromkeys(node.inputs)), node.outputs
        self._kept: tuple[list[Tensor], list[Tensor]] | None = None

    def forward(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        leaves = [leaf.detach().requires_grad_(leaf.is_floating_point()) for leaf in inputs]
        with torch.enable_grad():
            results = run_node(self._node, dict(zip(self.inputs, leaves, strict=True)), self._constant)
        self._kept = (leaves, results)
        return [result.detach() for result in results]

    def backward(self, gradients: Sequence[Tensor | None]) -> Sequence[Tensor | None]:
        assert self._kept is not None
        (leaves, results), self._kept = self._kept, None
        pairs = [(r, g) for r, g in zip(results, gradients, strict=True) if g is not None and r.requires_grad]
        wanted = [leaf for leaf in leaves if leaf.requires_grad]
        if not pairs or not wanted:
            return [None for _ in leaves]
        found = iter(torch.autograd.grad([r for r, _ in pairs], wanted, [g for _, g in pairs], allow_unused=True))
        return [next(found) if leaf.requires_grad else None for leaf in leaves]


def clip_of(node: Node) -> Clip | None:
    """The clip that an operator is, or None."""
    if node.op is aten.relu.default:
        return Clip(0.0, float("inf"))
    if node.op is aten.hardtanh.default and len(node.args) == 3:
        return Clip(float(node.args[1]), float(node.args[2]))
    return None


def is_convolution(node: Node) -> bool:
    """Whether an operator is a plain convolution of pictures with constant weights."""
    return (
        node.op is aten.convolution.default
        and isinstance(node.args[1], StateTensor)
        and len(node.args[1].shape) == 4
        and (node.args[2] is None or isinstance(node.args[2], StateTensor))
        and not node.args[6]  # transposed
    )


def geometry_of(node: Node) -> Geometry:
    """The numbers of a convolution."""
    stride, padding, dilation = (_pair(sides) for sides in node.args[3:6])
    return Geometry(stride, padding, dilation, node.args[8])


def window_of(node: Node) -> tuple[Any, ...]:
    """A max-pool's kernel, stride, padding, dilation, and whether a last window may be incomplete."""
    given: list[Any] = [*node.args[1:], *([], 0, 1, False)[len(node.args) - 2 :]]
    sides = (given[0], given[1] or given[0], *given[2:4])
    return (*(_pair(side) for side in sides), given[4])


def is_plain_pool(node: Node, shapes: Shapes) -> bool:
    """Whether an operator is a max-pool of pictures without gaps in its windows."""
    pool = node.op is aten.max_pool2d_with_indices.default and len(shapes[node.inputs[0]]) == 4
    return pool and window_of(node)[3] == (1, 1)


def is_sum(node: Node, shapes: Shapes) -> bool:
    """Whether an operator adds two different values of one shape."""
    values = node.inputs
    same = len(set(values)) == 2 and shapes[values[0]] == shapes[values[1]]
    return node.op is aten.add.Tensor and same and not node.kwargs and len(node.args) == 2


def is_join(node: Node, shapes: Shapes) -> bool:
    """Whether an operator puts pictures side by side along the channels."""
    return node.op is aten.cat.default and node.args[1:] == (1,) and all(len(shapes[v]) == 4 for v in node.inputs)


def single_operator(node: Node, shapes: Shapes, constant: StateTensors) -> Operator:
    """The operator that does what one node does."""
    clip = clip_of(node)
    if is_convolution(node):
        return Convolve(node, shapes, constant, None, None, node.outputs[0])
    if clip is not None:
        return Rectify(node, clip)
    if node.op is aten.silu.default:
        return Swish(node)
    if is_sum(node, shapes):
        return Add(node)
    if is_join(node, shapes):
        return Join(node, shapes)
    if node.op is aten.max_pool2d_with_indices.default:
        return MaxPool(node)
    return Other(node, constant)


def _pair(sides: Any) -> tuple[int, int]:
    return (int(sides), int(sides)) if isinstance(sides, int) else (int(sides[0]), int(sides[-1]))
