"""A backbone flattened for computing: batch norms folded into convolutions, constants in one type and layout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from weakref import WeakSet

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from pipeline.backbones import Backbone
from pipeline.backbones.tape import Node, StateTensor, Tape, UnsupportedNetwork, Value, prune
from pipeline.device import is_out_of_memory
from pipeline.frame import Size

aten = torch.ops.aten
_VERIFY_SIDE = 96
_TOLERANCE = 1e-3
_verified: WeakSet[Backbone] = WeakSet()
"""those that were found to give their own activations when flattened: the pass that shows it is in float32 for all"""


class FlatNetwork:
    """The folded operators of a backbone for any picture size, with their constants.

    Raises UnsupportedNetwork when the network can't be flattened, or when the folded pass does not give the
    network's own activations.
    """

    def __init__(self, backbone: Backbone, dtype: torch.dtype) -> None:
        self.backbone = backbone
        self.dtype = dtype
        self._exact: dict[StateTensor, Tensor] = {}
        self._cast: dict[StateTensor, Tensor] = {}
        if backbone not in _verified:
            _verify(self)
            _verified.add(backbone)

    def tape(self, size: Size) -> Tape:
        """The operators for frames of `size`, from the normalised input to the layers."""
        tape = fold_batch_norms(self.backbone.record(size))
        return replace(tape, nodes=tuple(_on_device(node, self.backbone.device) for node in tape.nodes))

    def exact(self, constant: StateTensor) -> Tensor:
        """A constant in float32; folded ones are made when they are first asked for."""
        if constant not in self._exact:
            self._exact[constant] = _make(constant, self.backbone)
        return self._exact[constant]

    def constant(self, constant: StateTensor) -> Tensor:
        """A constant in the network's type, channels last where it has four dimensions."""
        if constant not in self._cast:
            exact = self.exact(constant)
            self._cast[constant] = channels_last(exact.to(self.dtype) if exact.is_floating_point() else exact)
        return self._cast[constant]

    def normalised(self, image: Tensor) -> Tensor:
        """The network's input for a frame (1, 3, H, W) in [0, 1], channels last."""
        scaled = (image - self.backbone.mean) / self.backbone.std
        return scaled.to(self.dtype, memory_format=torch.channels_last)


def channels_last(tensor: Tensor) -> Tensor:
    """The same numbers, with a picture's channels stored together."""
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.ndim == 4 else tensor


class Replay:
    """Runs a tape, forgetting each value after its last use."""

    def __init__(self, tape: Tape, constant: Callable[[StateTensor], Tensor]) -> None:
        self._tape = tape
        self._constant = constant
        self._done = done_after([node.inputs for node in tape.nodes], tape.targets.values())

    def __call__(self, image: Tensor) -> dict[str, Tensor]:
        """The activations by layer of a normalised input."""
        values = {Value(0): image}
        for node, done in zip(self._tape.nodes, self._done, strict=True):
            values.update(zip(node.outputs, run_node(node, values, self._constant), strict=True))
            for value in done:
                del values[value]
        return {name: values[value] for name, value in self._tape.targets.items()}


def done_after(inputs: Sequence[Iterable[Value]], kept: Collection[Value]) -> list[list[Value]]:
    """For each step, given what each reads: the values that no later one reads, and that are not `kept`."""
    last_use = {value: index for index, values in enumerate(inputs) for value in values}
    done: list[list[Value]] = [[] for _ in inputs]
    for value, index in last_use.items():
        if value not in kept:
            done[index].append(value)
    return done


def run_node(node: Node, values: Mapping[Value, Tensor], constant: Callable[[StateTensor], Tensor]) -> list[Tensor]:
    """The tensors that one operator returns."""

    def fill(leaf: Any) -> Any:
        if isinstance(leaf, Value):
            return values[leaf]
        return constant(leaf) if isinstance(leaf, StateTensor) else leaf

    # Recorded for contiguous pictures; these are channels last, where a classifier's flatten has to copy.
    op = aten.reshape.default if node.op is aten.view.default else node.op
    args, kwargs = tree_map(fill, node.args), tree_map(fill, node.kwargs)
    try:
        result = op(*args, **kwargs)
    except RuntimeError as error:
        # No bfloat16 form, as of what resizes a transformer's position embeddings on the CPU; or float32 beside it that
        # a pass makes itself, as tables of rotary embeddings.
        if is_out_of_memory(error) or not any(map(_is_narrow, tree_leaves((args, kwargs)))):
            raise
        wide = tree_map(partial(_cast, old=torch.bfloat16, new=torch.float32), (args, kwargs))
        result = tree_map(partial(_cast, old=torch.float32, new=torch.bfloat16), op(*wide[0], **wide[1]))
    flat = [result] if isinstance(result, Tensor) else list(result)
    return [leaf for leaf in flat if isinstance(leaf, Tensor)]


def _is_narrow(leaf: object) -> bool:
    return isinstance(leaf, Tensor) and leaf.dtype == torch.bfloat16


def _cast(leaf: Any, old: torch.dtype, new: torch.dtype) -> Any:
    return leaf.to(new) if isinstance(leaf, Tensor) and leaf.dtype == old else leaf


def _on_device(node: Node, device: torch.device) -> Node:
    """It was recorded without numbers, on the meta device; tensors that it makes itself must be real."""
    return replace(node, kwargs=node.kwargs | {"device": device}) if "device" in node.kwargs else node


@dataclass(frozen=True)
class Folded(StateTensor):
    """A convolution's weight or bias (`part`) with a batch norm in it."""

    part: str
    weight: StateTensor
    bias: StateTensor | None
    scale: StateTensor | None
    shift: StateTensor | None
    mean: StateTensor
    variance: StateTensor
    epsilon: float


def fold_batch_norms(tape: Tape) -> Tape:
    """The tape with each batch norm that only scales one convolution's result made part of its weights."""
    makers = {value: node for node in tape.nodes for value in node.outputs}
    uses = Counter(value for node in tape.nodes for value in node.inputs)
    uses.update(tape.targets.values())
    nodes = []
    for node in tape.nodes:
        source = makers.get(node.inputs[0]) if node.inputs else None
        foldable = source is not None and uses[node.inputs[0]] == 1 and _can_fold(source, node)
        nodes.append(_fold(source, node) if foldable and source is not None else node)
    return prune(Tape(tuple(nodes), tape.targets, tape.shapes))


def _can_fold(convolution: Node, norm: Node) -> bool:
    return (
        convolution.op is aten.convolution.default
        and norm.op is aten.native_batch_norm.default
        and isinstance(convolution.args[1], StateTensor)
        and (convolution.args[2] is None or isinstance(convolution.args[2], StateTensor))
        and not convolution.args[6]  # transposed
        and not norm.args[5]  # training
        and all(part is None or isinstance(part, StateTensor) for part in norm.args[1:5])
    )


def _fold(convolution: Node, norm: Node) -> Node:
    weight, bias = convolution.args[1:3]
    parts = {"weight": weight, "bias": bias, "epsilon": norm.args[7]}
    parts |= dict(zip(("scale", "shift", "mean", "variance"), norm.args[1:5], strict=True))
    folded_weight = Folded(f"{weight.name} folded", weight.shape, part="weight", **parts)
    folded_bias = Folded(f"{weight.name} folded bias", weight.shape[:1], part="bias", **parts)
    args = (convolution.args[0], folded_weight, folded_bias, *convolution.args[3:])
    return Node(convolution.op, args, convolution.kwargs, norm.outputs[:1])


def _make(constant: StateTensor, backbone: Backbone) -> Tensor:
    """A constant's numbers in float32, batch norm included where one was folded in."""

    def stored(part: StateTensor | None, absent: float) -> Tensor:
        return torch.tensor(absent).double() if part is None else backbone.constant(part.name).double()

    if not isinstance(constant, Folded):
        return backbone.constant(constant.name)
    gain = torch.rsqrt(stored(constant.variance, 1) + constant.epsilon) * stored(constant.scale, 1)
    if constant.part == "weight":
        weight = stored(constant.weight, 1)
        return (weight * gain.view(-1, *(1,) * (weight.ndim - 1))).float()
    return (stored(constant.shift, 0) + (stored(constant.bias, 0) - stored(constant.mean, 0)) * gain).float()


def _verify(flat: FlatNetwork) -> None:
    """Compare with the network itself, in float32, on a small picture."""
    device = flat.backbone.device
    side = max(_VERIFY_SIDE, flat.backbone.smallest_side)
    noise = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)).to(device)
    normalised = (noise - flat.backbone.mean) / flat.backbone.std
    with torch.no_grad():
        expected = flat.backbone(noise)
        actual = Replay(flat.tape(Size(side, side)), flat.exact)(normalised)
    for name, value in expected.items():
        error = (actual[name] - value).abs().max() / value.abs().max().clamp_min(1e-12)
        if not error < _TOLERANCE:
            raise UnsupportedNetwork(f"its flattened pass is {float(error):.2g} off at layer {name}")
