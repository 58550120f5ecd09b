"""Networks from ONNX files: `onnx:face.onnx`, or `onnx-bytes:face.onnx` for one that was trained on values to 255."""

from __future__ import annotations

import copy
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.activity import report
from pipeline.backbones.recipes import ONNX_INPUTS, Recipe
from pipeline.disk import read_regular, state_of
from pipeline.errors import ModelError, reason_of
from pipeline.ops.border import fill_up

_MOST_BYTES = 2_000_000_000
_MULTIPLE = 32  # pixels


def onnx_recipe(prefix: str, file: str) -> Recipe:
    """The recipe of a file, for the input that its prefix says. Raises ModelError with what is wrong with it."""
    path = Path(file)
    try:
        state = state_of(path)
    except OSError as error:
        raise ModelError(f"{path} can't be read: {error.strerror}; name an ONNX file") from None
    return _recipe(prefix, path, state)


@lru_cache(maxsize=8)
def _recipe(prefix: str, path: Path, state: tuple[int, ...]) -> Recipe:
    report(f"reading {path.name}")
    network = _converted(path)
    mean, std = ONNX_INPUTS[prefix]
    about = f"{path.name}, an ONNX file; its input has mean {mean[0]:g} and standard deviation {std[0]:g}"
    return Recipe(
        f"{prefix}{path}", about, partial(_built, network, _needs_multiples(network)), network.state_dict, mean, std
    )


def _converted(path: Path) -> nn.Module:
    try:
        import onnx
        from onnx2torch import convert
    except ImportError as error:
        raise ModelError(f"{path} is an ONNX file, which needs `pip install dreamreel[onnx]` ({error.name})") from error
    try:
        model = onnx.load_model_from_string(read_regular(path, _MOST_BYTES))
    except OSError as error:
        raise ModelError(f"{path} can't be read: {error.strerror}") from None
    except Exception as error:  # protobuf's own
        raise ModelError(f"{path} is no ONNX file, or damaged: {reason_of(error)}") from error
    _require_pictures(model, path)
    _constants_as_initializers(model)
    try:
        network: nn.Module = convert(model).eval().float()
    except NotImplementedError as error:
        raise ModelError(
            f"{path} uses an operator that can't be dreamt with yet: {reason_of(error)}; export it with fewer, or only "
            "its first layers"
        ) from error
    except Exception as error:  # the converter's own, for graphs that it did not expect
        raise ModelError(f"{path} can't be converted: {type(error).__name__}: {reason_of(error)}") from error
    return network


def _needs_multiples(network: nn.Module) -> bool:
    """Whether it takes whole multiples of 32 pixels only: it enlarges what it made small, and adds it to the large."""
    try:
        with torch.no_grad():
            for side in (72, 75):  # halved again and again, they become odd early and late
                network(torch.zeros(1, 3, side, side + 34))
    except RuntimeError:
        return True
    return False


def _built(network: nn.Module, pads: bool) -> nn.Module:
    """A copy of the network, which makes pictures larger by their own edge where it `pads`."""
    made = copy.deepcopy(network)
    if pads:
        made.register_forward_pre_hook(_padded)
    return made


def _padded(_module: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
    return (fill_up(inputs[0], _MULTIPLE, _MULTIPLE),)


def _require_pictures(model: Any, path: Path) -> None:
    """One input of (1, 3, height, width), and convolutions to dream with."""
    constants = {each.name for each in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in constants]
    shapes = [[size.dim_value for size in each.type.tensor_type.shape.dim] for each in inputs]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][1] not in (0, 3):
        found = "; ".join("x".join(str(size or "?") for size in shape) or "a number" for shape in shapes) or "nothing"
        raise ModelError(f"{path} takes {found}, must take one picture of 1x3xHEIGHTxWIDTH")
    if not any(node.op_type == "Conv" for node in model.graph.node):
        raise ModelError(f"{path} has no convolutions; only convolutional networks dream")


def _constants_as_initializers(model: Any) -> None:
    """Weights that stand in the graph as nodes of their own, as Paddle writes them, put where weights belong."""
    kept = []
    for node in model.graph.node:
        value = next((each.t for each in node.attribute if each.name == "value"), None)
        if node.op_type != "Constant" or value is None:
            kept.append(node)
            continue
        value.name = node.output[0]
        model.graph.initializer.append(value)
    del model.graph.node[:]
    model.graph.node.extend(kept)
