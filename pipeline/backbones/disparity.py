"""Networks that say how near things are, from ONNX files."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

from pipeline.backbones.onnx import onnx_recipe
from pipeline.device import constant
from pipeline.errors import ModelError, reason_of
from pipeline.frame import Size, size_of
from pipeline.ops.warp import resize, resize_bilinear


def load_disparity(path: Path, size: Size) -> nn.Module:
    """The network of an ONNX file, tried with a picture of `size`. Raises ModelError with what is wrong with it."""
    recipe = onnx_recipe("onnx:", str(path))
    return _tried(recipe.build, path, size)


@lru_cache(maxsize=4)
def _tried(build: Callable[[], nn.Module], path: Path, size: Size) -> nn.Module:
    network = build().requires_grad_(False)
    try:
        with torch.no_grad():
            found = network(torch.zeros(1, 3, *size))
    except Exception as error:  # whatever its operators raise
        raise ModelError(f"{path} takes no picture of {size}: {reason_of(error)}; give another `input`") from error
    found = found[0] if isinstance(found, list | tuple) else found
    if found.ndim not in (3, 4) or found.numel() != found.shape[-1] * found.shape[-2] or found.shape[-1] < 2:
        given = "x".join(map(str, found.shape))
        raise ModelError(f"{path} gives {given}, must give one map of depth, 1x1xHEIGHTxWIDTH")
    return network


def disparity_by(network: nn.Module, frame: Tensor, size: Size) -> Tensor:
    """What `network` says of a frame (1, 3, H, W), given at `size`: (1, 1, H, W), in units of its own."""
    mean, std = (constant(values, frame).view(1, 3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    found = network((resize(frame, size) - mean) / std)
    found = found[0] if isinstance(found, list | tuple) else found
    return resize_bilinear(found.view(1, 1, *found.shape[-2:]), size_of(frame))
