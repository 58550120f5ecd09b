"""A network's layers, found by running its skeleton without numbers (torch's meta device)."""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn

from pipeline.backbones.recipes import Recipe
from pipeline.errors import ModelError

_PROBE_SIDE = 512


@dataclass(frozen=True)
class LayerInfo:
    """One layer that can be dreamt on. `stride` is input pixels per activation."""

    name: str
    kind: str
    channels: int
    stride: int

    @property
    def smallest_side(self) -> int:
        """The shortest image side, in pixels, that leaves the layer one whole activation."""
        return self.stride


@lru_cache
def list_layers(recipe: Recipe) -> tuple[LayerInfo, ...]:
    """Every layer of the network with a picture-shaped (1, C, H, W) output, in the order they run."""
    with torch.device("meta"):
        network = recipe.build().eval()
        probe = torch.empty(1, 3, _PROBE_SIDE, _PROBE_SIDE)
    found: dict[str, LayerInfo] = {}
    handles = [module.register_forward_hook(_noting(name, found)) for name, module in network.named_modules() if name]
    with torch.no_grad():
        network(probe)
    for handle in handles:
        handle.remove()
    return tuple(found.values())


def _noting(name: str, found: dict[str, LayerInfo]):  # type: ignore[no-untyped-def]  # a hook; torch's own type
    def note(module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and min(output.shape[2:]) > 1:
            stride = math.ceil(_PROBE_SIDE / output.shape[2])
            found.setdefault(name, LayerInfo(name, type(module).__name__, output.shape[1], stride))

    return note


def find_layer(recipe: Recipe, name: str) -> LayerInfo:
    """One layer by its name. Raises ModelError naming the nearest ones."""
    layers = {layer.name: layer for layer in list_layers(recipe)}
    if name in layers:
        return layers[name]
    near = difflib.get_close_matches(name, layers, n=3, cutoff=0.5)
    hint = f"; near: {', '.join(near)}" if near else ""
    raise ModelError(f"{recipe.name} has no layer {name!r}{hint}; `dreamreel layers {recipe.name}` lists them all")
