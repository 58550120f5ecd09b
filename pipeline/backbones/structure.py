"""A network's layers, found by running its skeleton without numbers (torch's meta device)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.func import functional_call

from pipeline.activity import report
from pipeline.backbones.geometry import ReceptiveField, trace_geometry
from pipeline.backbones.recipes import Recipe, build_network
from pipeline.backbones.tape import Tracer, meta_state
from pipeline.backbones.tokens import Tokens, is_transformer, keeps_places
from pipeline.errors import ModelError, reason_of
from pipeline.nearest import nearest

PROBE_SIDE = 512
_PASSING = ("Sequential", "ModuleList", "Identity", "Dropout")  # kinds that change nothing themselves
_NO_HEADS = ("Identity", "Dropout")  # what stands there in a network without classes, such as DINO's
_UNKNOWN_STRIDE = 32  # as in nearly every network that names classes


@dataclass(frozen=True)
class LayerInfo:
    """One layer that can be dreamt on.

    `stride` is input pixels per activation; `receptive_field` is the side, in pixels, of the square that one
    activation depends on, or None when it depends on the whole picture.
    """

    name: str
    kind: str
    channels: int
    stride: int
    receptive_field: int | None
    smallest_side: int
    """the shortest image side, in pixels, that reaches the layer and leaves it one whole activation"""
    spatial: bool = True
    """whether it keeps places apart; False for what comes after the last pooling, such as class logits"""


def list_layers(recipe: Recipe) -> tuple[LayerInfo, ...]:
    """Every layer of the network with a picture-shaped (1, C, H, W) output, in the order they run.

    Raises ModelError for a network that takes pictures of one size only.
    """
    return tuple(layer for layer in _all_layers(recipe) if layer.spatial)


def list_blocks(recipe: Recipe) -> tuple[LayerInfo, ...]:
    """The outermost layers that do something themselves: a network's blocks, stem and head, not what is inside."""
    found: list[LayerInfo] = []
    outermost: set[str] = set()
    layers = [layer for layer in list_layers(recipe) if not layer.kind.startswith(_PASSING)]
    # Parents finish after their children, so the order they ran in would show the children first.
    for layer in sorted(layers, key=lambda layer: layer.name.count(".")):
        parts = layer.name.split(".")
        if not any(".".join(parts[:end]) in outermost for end in range(1, len(parts))):
            outermost.add(layer.name)
            found.append(layer)
    return tuple(sorted(found, key=layers.index))


def find_head(recipe: Recipe) -> LayerInfo:
    """The layer whose (1, classes) output holds the class logits. Raises ModelError for a network without."""
    heads = [layer for layer in _all_layers(recipe) if not layer.spatial and layer.kind not in _NO_HEADS]
    if not heads:
        raise ModelError(f"{recipe.name} does not name classes; dream on a layer, or use another model")
    return heads[-1]


def find_features(recipe: Recipe) -> LayerInfo:
    """The last layer that keeps places apart, whose mean over all places the classes are read from.

    Raises ModelError for a network whose classes are read in another way.
    """
    head, features = find_head(recipe), list_layers(recipe)[-1]
    with torch.device("meta"):
        weight = getattr(build_network(recipe).get_submodule(head.name), "weight", None)
    # A transformer's classes are read from a token of their own, which no place shows.
    if (
        features.kind == Tokens.__name__
        or not isinstance(weight, Tensor)
        or weight.shape[1:].numel() != features.channels
    ):
        raise ModelError(f"{recipe.name} knows its classes by the whole picture alone; use `class`, or another model")
    return features


@lru_cache
def _all_layers(recipe: Recipe) -> tuple[LayerInfo, ...]:
    report(f"looking at the layers of {recipe.name}")
    try:
        with torch.device("meta"):
            network, outputs = _watched(recipe)
            probe = torch.empty(1, 3, PROBE_SIDE, PROBE_SIDE)
        return _described(network, probe, outputs)
    except Exception:  # networks of others: each fails in its own way on shapes alone
        return _run_with_numbers(recipe)


def _watched(recipe: Recipe) -> tuple[nn.Module, dict[str, tuple[str, Tensor]]]:
    """The network, and its layers' outputs by name once it has run."""
    network = build_network(recipe).eval()
    outputs: dict[str, tuple[str, Tensor]] = {}
    transforms = is_transformer(network)
    for name, module in network.named_modules():
        if name:
            places = not transforms or keeps_places(module)
            module.register_forward_hook(_noting(name, outputs, places))
    return network, outputs


def _run_with_numbers(recipe: Recipe) -> tuple[LayerInfo, ...]:
    """The layers of a network whose pass depends on more than shapes; their geometry stays unknown."""
    network, outputs = _watched(recipe)
    try:
        with torch.no_grad():
            network(torch.zeros(1, 3, PROBE_SIDE, PROBE_SIDE))
    except Exception as error:
        said = f"{recipe.name} does not take pictures of any size: {reason_of(error)}; use another model"
        raise ModelError(said) from error
    return tuple(_layer(name, kind, output, None) for name, (kind, output) in outputs.items())


def _described(network: nn.Module, probe: Tensor, outputs: dict[str, tuple[str, Tensor]]) -> tuple[LayerInfo, ...]:
    state = meta_state(network)
    with torch.no_grad(), Tracer(state, probe) as tracer:
        functional_call(network, state, (probe,))
    known = trace_geometry(tracer.nodes, PROBE_SIDE)
    # Every token sees the whole picture; its place is its patch's, whatever lies before that.
    known_of = {
        name: None if kind == Tokens.__name__ else known.get(tracer.value_of(output))
        for name, (kind, output) in outputs.items()
    }
    return tuple(_layer(name, kind, output, known_of[name]) for name, (kind, output) in outputs.items())


def _noting(name: str, outputs: dict[str, tuple[str, Tensor]], places: bool):  # type: ignore[no-untyped-def]  # a hook; torch's own type
    def note(module: nn.Module, _inputs: object, output: object) -> None:
        if not isinstance(output, Tensor) or len(output) != 1:
            return
        if output.ndim == 2 or (places and output.ndim == 4 and min(output.shape[2:]) > 1):
            outputs.setdefault(name, (type(module).__name__, output))

    return note


def _layer(name: str, kind: str, output: Tensor, geometry: ReceptiveField | None) -> LayerInfo:
    spatial = output.ndim == 4
    if geometry is None:
        stride = math.ceil(PROBE_SIDE / output.shape[2]) if spatial else _UNKNOWN_STRIDE
        return LayerInfo(name, kind, output.shape[1], stride, None, stride, spatial)
    # A padded network runs on less than its stride, but an activation then sees mostly padding.
    side = max(geometry.jump, geometry.smallest_side)
    return LayerInfo(name, kind, output.shape[1], geometry.jump, geometry.field, side, spatial)


def find_layer(recipe: Recipe, name: str) -> LayerInfo:
    """One layer, or one behind the last pooling, by its name. Raises ModelError naming the nearest ones."""
    layers = {layer.name: layer for layer in _all_layers(recipe)}
    if name in layers:
        return layers[name]
    near = nearest(name, layers, most=3, cutoff=0.5)
    hint = f"; near: {', '.join(near)}" if near else ""
    raise ModelError(f"{recipe.name} has no layer {name!r}{hint}; `dreamreel layers {recipe.name}` lists them all")
