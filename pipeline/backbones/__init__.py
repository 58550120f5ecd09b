"""Frozen networks to dream with: what there is, which layers they have, and loading them."""

from pipeline.backbones.network import Backbone, load
from pipeline.backbones.recipes import MODELS, ONNX_INPUTS, Recipe, find_recipe
from pipeline.backbones.structure import LayerInfo, find_features, find_head, find_layer, list_blocks, list_layers
from pipeline.backbones.weights import AUTO

__all__ = [
    "AUTO",
    "MODELS",
    "ONNX_INPUTS",
    "Backbone",
    "LayerInfo",
    "Recipe",
    "find_features",
    "find_head",
    "find_layer",
    "find_recipe",
    "list_blocks",
    "list_layers",
    "load",
]
