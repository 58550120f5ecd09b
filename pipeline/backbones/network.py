"""A frozen network that runs as far as the deepest layer asked for."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call

from pipeline.backbones.recipes import Recipe, build_network, find_recipe
from pipeline.backbones.structure import PROBE_SIDE, find_layer
from pipeline.backbones.tape import Tape, Tracer, UnsupportedNetwork, meta_state, named_tensors, prune
from pipeline.backbones.weights import AUTO, weights_for
from pipeline.device import is_out_of_memory
from pipeline.frame import Size

_MOST_TAPES = 16  # thousands of pictures may each have their own size


class _Reached(Exception):
    """The deepest layer asked for has run."""


class Backbone:
    """Activations of some layers of a network, with gradients to its input.

    The network is private to the backbone: its hooks are set once, its parameters are frozen, and an activation
    stays what it was when it was read. Only the parameters that the layers depend on hold numbers.
    """

    def __init__(
        self, network: nn.Module, recipe: Recipe, layers: Sequence[str], device: torch.device, weights: str = AUTO
    ) -> None:
        self.network = network.eval().requires_grad_(False)
        self.recipe = recipe
        self.weights = weights
        self.device = device
        self.layers = tuple(dict.fromkeys(layers))
        self.mean = torch.tensor(recipe.mean, device=device).view(1, 3, 1, 1)
        self.std = torch.tensor(recipe.std, device=device).view(1, 3, 1, 1)
        self._activations: dict[str, Tensor] = {}
        self._tapes: dict[Size, Tape] = {}
        for module in network.modules():
            if getattr(module, "inplace", False):
                module.inplace = False  # type: ignore[assignment]  # nn.Module types every attribute a Tensor
        for name in self.layers:
            network.get_submodule(name).register_forward_hook(self._reader(name))

    def _reader(self, name: str):  # type: ignore[no-untyped-def]  # a hook; torch's own type
        def read(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
            self._activations[name] = output
            if len(self._activations) == len(self.layers):
                raise _Reached
            # The network goes on with a copy: some write into an activation (`out += identity`).
            return output.clone()

        return read

    def __call__(self, frame: Tensor) -> dict[str, Tensor]:
        """The activations (1, C, h, w) by layer name of a frame (1, 3, H, W) in [0, 1]."""
        return self._run((frame - self.mean) / self.std, {})

    def _run(self, normalised: Tensor, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        self._activations = {}
        with contextlib.suppress(_Reached):
            functional_call(self.network, dict(state), (normalised,)) if state else self.network(normalised)
        found, self._activations = self._activations, {}
        return found

    def record(self, size: Size) -> Tape:
        """The operators that run for a frame of `size`, from the normalised input on; no numbers are computed.

        Recorded once for each size, which takes as long as many steps. Raises UnsupportedNetwork when they can't be
        flattened.
        """
        if size not in self._tapes:
            if len(self._tapes) == _MOST_TAPES:
                del self._tapes[next(iter(self._tapes))]
            self._tapes[size] = self._recorded(size)
        return self._tapes[size]

    def _recorded(self, size: Size) -> Tape:
        state, image = meta_state(self.network), torch.empty(1, 3, *size, device="meta")
        try:
            with torch.no_grad(), Tracer(state, image) as tracer:
                found = self._run(image, state)
        except Exception as error:  # networks of others: each fails in its own way on shapes alone
            if is_out_of_memory(error):
                raise
            raise UnsupportedNetwork(f"it does not run on shapes alone: {error}") from error
        targets = {name: tracer.value_of(tensor) for name, tensor in found.items()}
        return prune(Tape(tuple(tracer.nodes), targets, tracer.shapes))

    @property
    def smallest_side(self) -> int:
        """The least pixels a side of a picture that its layers take."""
        return max(find_layer(self.recipe, name).smallest_side for name in self.layers)

    def constant(self, name: str) -> Tensor:
        """A parameter or buffer, on the device."""
        owner, _, attribute = name.rpartition(".")
        tensor: Tensor = getattr(self.network.get_submodule(owner), attribute)
        return tensor.detach()

    def digest(self, layer: str | None = None) -> str:
        """A digest of all the numbers the layers depend on, or one of them does; other weights have another."""
        state, wanted = hashlib.blake2b(digest_size=16), None if layer is None else _needed(self, layer)
        for name, tensor in sorted(self.network.state_dict().items()):
            if not tensor.is_meta and (wanted is None or name in wanted):
                state.update(name.encode())
                state.update(tensor.detach().cpu().numpy().tobytes())
        return state.hexdigest()

    def assign(self, weights: Mapping[str, Tensor]) -> None:
        """Take these numbers for the parameters and buffers they name."""
        moved = {name: tensor.to(self.device) for name, tensor in weights.items()}
        self.network.load_state_dict(moved, strict=False, assign=True)


def load(model: str, layers: Sequence[str], device: torch.device, weights: str = AUTO) -> Backbone:
    """The named model with its weights (`auto`, `random` or a file's path), ready to be read at `layers`.

    Raises ModelError when there is no such model or layer, or when the weights can't be had or do not fit.
    """
    recipe = find_recipe(model)
    with torch.device("meta"):
        network = build_network(recipe)
        modules = dict(network.named_modules())
        for name in layers:
            if name not in modules:
                find_layer(recipe, name)  # raises, naming the nearest
        backbone = Backbone(network, recipe, layers, device, weights)
    needed, state = _needed(backbone), backbone.network.state_dict()
    if needed - state.keys():
        # It computes buffers while it is built, and does not store them: build it with numbers.
        backbone = Backbone(build_network(recipe).to(device), recipe, layers, device, weights)
    shapes = {name: tensor for name, tensor in state.items() if name in needed}
    backbone.assign(weights_for(recipe, shapes, weights))
    return backbone


def _needed(backbone: Backbone, layer: str | None = None) -> set[str]:
    """The parameters and buffers that its layers depend on, or one of them; all where that can't be told."""
    try:
        tape = backbone.record(Size(PROBE_SIDE, PROBE_SIDE))
        return (tape if layer is None else prune(tape.towards(layer))).constants
    except UnsupportedNetwork:
        return set(named_tensors(backbone.network))
