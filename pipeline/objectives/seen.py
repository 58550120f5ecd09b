"""Pictures that an objective compares with: whether a network can see them, and what a layer says of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from pipeline.backbones import Backbone, Recipe, find_layer
from pipeline.errors import MediaError, ModelError
from pipeline.frame import Size, size_of
from pipeline.media.picture import read_picture
from pipeline.ops.warp import resize

_SIDE = 384
_MOST_PIXELS = 1 << 22


def picture_problems(recipe: Recipe, layer: str, file: str) -> Iterator[str]:
    """What keeps a layer of a network from seeing the picture."""
    try:
        size = size_of(read_picture(Path(file)))
        seen = _seen(size, recipe, layer)
    except MediaError as error:
        yield str(error)
    except ModelError:
        return  # told about the layer itself
    else:
        if seen.height * seen.width > _MOST_PIXELS:
            yield f"is {size}: for {layer} to see it, it would be enlarged to {seen}; crop it first"


@torch.no_grad()
def picture_activations(backbone: Backbone, layer: str, file: str) -> dict[str, Tensor]:
    """Activations (1, C, h, w) of a picture at the size that dreams are looked at. Raises MediaError."""
    picture = read_picture(Path(file)).to(backbone.device)
    return backbone(resize(picture, _seen(size_of(picture), backbone.recipe, layer)).clamp(0, 1))


def _seen(size: Size, recipe: Recipe, layer: str) -> Size:
    least = find_layer(recipe, layer).smallest_side
    scale = max(least / min(size), min(1.0, _SIDE / max(size)))
    return Size(round(size.height * scale), round(size.width * scale))
