"""A network's forward pass as a flat list of operators: what it really runs, whatever Python it is written in.

One pass on torch's meta device (shapes without numbers) is watched operator by operator, below autograd. Layers
that work in place are recorded as their pure forms, so that every value is written once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

aten = torch.ops.aten


class UnsupportedNetwork(Exception):
    """The forward pass can't be flattened; the message says why. Callers fall back to the network itself."""


@dataclass(frozen=True)
class Value:
    """A tensor that the pass computes, by its number. Value 0 is the input."""

    number: int


@dataclass(frozen=True)
class StateTensor:
    """A parameter or buffer, by its name."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Node:
    """One operator call. `args` and `kwargs` hold Value and StateTensor where the call had tensors."""

    op: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: tuple[Value, ...]

    @property
    def inputs(self) -> tuple[Value, ...]:
        """The values it reads, in order, repeats included."""
        return tuple(leaf for leaf in self._leaves() if isinstance(leaf, Value))

    @property
    def constants(self) -> tuple[str, ...]:
        """The names of the constants it reads."""
        return tuple(leaf.name for leaf in self._leaves() if isinstance(leaf, StateTensor))

    def _leaves(self) -> list[Any]:
        return tree_flatten((self.args, self.kwargs))[0]


@dataclass(frozen=True)
class Tape:
    """A recorded pass for one input shape: `targets` are the values of the layers asked for."""

    nodes: tuple[Node, ...]
    targets: dict[str, Value]
    shapes: dict[Value, tuple[int, ...]] = field(repr=False)

    @property
    def constants(self) -> set[str]:
        """The parameters and buffers that the pass reads."""
        return {name for node in self.nodes for name in node.constants}

    def towards(self, layer: str) -> Tape:
        """The same pass, asked for one of its layers."""
        return Tape(self.nodes, {layer: self.targets[layer]}, self.shapes)


class Tracer(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own __init_subclass__
    """Notes every operator called while it is active."""

    def __init__(self, constants: Mapping[str, Tensor], image: Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.nodes: list[Node] = []
        self.shapes: dict[Value, tuple[int, ...]] = {}
        self._alive: list[Tensor] = []  # ids stay unique only while their tensors live
        self._names: dict[int, Value | StateTensor] = {}
        self._viewed: set[int] = set()
        for name, tensor in constants.items():
            self._name(tensor, StateTensor(name, tuple(tensor.shape)))
        self._new_value(image)

    def value_of(self, tensor: Tensor) -> Value:
        """The value a tensor holds now. Raises UnsupportedNetwork for one the pass did not make."""
        value = self._names.get(id(tensor))
        if not isinstance(value, Value):
            raise UnsupportedNetwork("a layer's output is not computed by the recorded pass")
        return value

    def __torch_dispatch__(
        self, func: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = {} if kwargs is None else kwargs
        result = func(*args, **kwargs)
        held_args, held_kwargs = tree_map(self._hold, (args, kwargs))
        outputs = [leaf for leaf in tree_flatten(result)[0] if isinstance(leaf, Tensor)]
        op = _pure(func)
        self._guard_views(func, outputs)
        values = tuple(self._new_value(tensor) for tensor in outputs)
        self.nodes.append(Node(op, held_args, held_kwargs, values))
        return result

    def _guard_views(self, func: Any, outputs: list[Tensor]) -> None:
        """A view shares its memory, which writing in place would change behind the tape's back."""
        storages = {tensor.untyped_storage()._cdata for tensor in outputs}
        if not func._schema.is_mutable:
            aliases = any(result.alias_info is not None for result in func._schema.returns)
            self._viewed |= storages if aliases else set()
        elif storages & self._viewed:
            raise UnsupportedNetwork(f"{func} writes into a tensor that has views")

    def _hold(self, leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        name = self._names.get(id(leaf))
        if name is None:
            raise UnsupportedNetwork("the pass reads a tensor that is neither computed, parameter nor buffer")
        return name

    def _new_value(self, tensor: Tensor) -> Value:
        value = Value(len(self.shapes))
        self.shapes[value] = tuple(tensor.shape)
        self._name(tensor, value)
        return value

    def _name(self, tensor: Tensor, name: Value | StateTensor) -> None:
        self._alive.append(tensor)
        self._names[id(tensor)] = name


def _pure(func: Any) -> Any:
    """The form of an operator that returns its result instead of writing it into its first argument."""
    if not func._schema.is_mutable:
        return func
    packet = getattr(aten, func._schema.name.split("::")[1].removesuffix("_"), None)
    pure = getattr(packet, func._overloadname, None)
    if pure is None or pure is func or pure._schema.is_mutable:
        raise UnsupportedNetwork(f"{func} works in place and has no pure form")
    return pure


def meta_state(network: nn.Module) -> dict[str, Tensor]:
    """The parameters and buffers as shapes without numbers."""
    return {name: tensor.detach().to("meta") for name, tensor in named_tensors(network).items()}


def named_tensors(network: nn.Module) -> dict[str, Tensor]:
    """The parameters and buffers by name."""
    return {**dict(network.named_parameters()), **dict(network.named_buffers())}


def prune(tape: Tape) -> Tape:
    """The tape without nodes that no target depends on."""
    needed = set(tape.targets.values())
    kept: list[Node] = []
    for node in reversed(tape.nodes):
        if needed.intersection(node.outputs):
            kept.append(node)
            needed.update(node.inputs)
    return Tape(tuple(reversed(kept)), tape.targets, tape.shapes)
