"""A frozen network that runs as far as the deepest layer asked for."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pipeline.backbones.recipes import Recipe, find_recipe
from pipeline.backbones.structure import find_layer
from pipeline.errors import ModelError


class _Reached(Exception):
    """The deepest layer asked for has run."""


class Backbone:
    """Activations of some layers of a network, with gradients to its input.

    The network is private to the backbone: its hooks are set once, its parameters are frozen, and nothing in it
    works in place, so that an activation stays what it was when it was read.
    """

    def __init__(self, network: nn.Module, recipe: Recipe, layers: Sequence[str], device: torch.device) -> None:
        self.network = network.eval().requires_grad_(False).to(device)
        self.layers = tuple(dict.fromkeys(layers))
        self._mean = torch.tensor(recipe.mean, device=device).view(1, 3, 1, 1)
        self._std = torch.tensor(recipe.std, device=device).view(1, 3, 1, 1)
        self._activations: dict[str, Tensor] = {}
        for module in network.modules():
            if getattr(module, "inplace", False):
                module.inplace = False  # type: ignore[assignment]  # nn.Module types every attribute a Tensor
        for name in self.layers:
            network.get_submodule(name).register_forward_hook(self._reader(name))

    def _reader(self, name: str):  # type: ignore[no-untyped-def]  # a hook; torch's own type
        def read(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            self._activations[name] = output
            if len(self._activations) == len(self.layers):
                raise _Reached

        return read

    def __call__(self, frame: Tensor) -> dict[str, Tensor]:
        """The activations (1, C, h, w) by layer name of a frame (1, 3, H, W) in [0, 1]."""
        self._activations = {}
        with contextlib.suppress(_Reached):
            self.network((frame - self._mean) / self._std)
        found, self._activations = self._activations, {}
        return found


def load(model: str, layers: Sequence[str], device: torch.device) -> Backbone:
    """The named model with its weights, ready to be read at `layers`.

    Raises ModelError when there is no such model or layer, or when the weights do not fit.
    """
    recipe = find_recipe(model)
    with torch.device("meta"):
        network = recipe.build()
    try:
        network.load_state_dict(recipe.weights(), assign=True)
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"the weights do not fit {model}: {error}") from error
    modules = dict(network.named_modules())
    for name in layers:
        if name not in modules:
            find_layer(recipe, name)  # raises, naming the nearest
    return Backbone(network, recipe, layers, device)
