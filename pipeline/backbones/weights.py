"""A network's numbers: published, out of a local file, or random for tests and benchmarks."""

from __future__ import annotations

import logging
import math
import pickle
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from pipeline.activity import report
from pipeline.backbones.recipes import Recipe
from pipeline.disk import require_regular
from pipeline.errors import ModelError, reason_of

AUTO, RANDOM = "auto", "random"
log = logging.getLogger(__name__)


def weights_for(recipe: Recipe, shapes: Mapping[str, Tensor], weights: str = AUTO) -> dict[str, Tensor]:
    """Numbers for every tensor in `shapes` (name to a tensor of the right shape): `auto`, `random`, or a path.

    Further tensors, such as a classifier's when only features are asked for, are left out. Raises ModelError when
    there are none, or they belong to another network.
    """
    if weights == RANDOM:
        return random_weights(recipe, shapes)
    if weights == AUTO:
        return _fitting(_published(recipe), shapes, f"the published weights of {recipe.name}", recipe)
    return _fitting(read_weights(Path(weights)), shapes, weights, recipe)


def _published(recipe: Recipe) -> dict[str, Tensor]:
    report(f"loading the weights of {recipe.name}")
    try:
        return recipe.weights()
    except ModelError:
        raise
    except Exception as error:  # torchvision, timm and the libraries under them each raise their own
        raise ModelError(
            f"the weights of {recipe.name} can't be downloaded ({type(error).__name__}: {reason_of(error)}); "
            "get them on a machine with a network, copy the file here and say `weights: PATH` (.safetensors or .pth), "
            "or use `model: lite0`, which needs no download"
        ) from error


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors in a .safetensors, .pth or .pt file, on the CPU. Raises ModelError when it can't be read."""
    if path.suffix not in (".safetensors", ".pth", ".pt"):
        raise ModelError(f"the weights {path} must be a .safetensors, .pth or .pt file")
    try:
        require_regular(path)
        found = _read_safetensors(path) if path.suffix == ".safetensors" else _read_pickle(path)
    except FileNotFoundError:
        raise ModelError(f"there is no weights file {path}; check the path") from None
    except pickle.UnpicklingError as error:  # torch's words for it run over many lines
        raise ModelError(f"the weights {path} can't be read: damaged, or more than the tensors of a network") from error
    except Exception as error:  # a damaged pickle leads to exceptions of every kind
        raise ModelError(f"the weights {path} can't be read: {reason_of(error)}") from error
    for wrapper in ("state_dict", "model", "teacher", "model_ema"):  # training scripts save more than the weights
        inner = found.get(wrapper)
        found = inner if isinstance(inner, dict) else found
    return {name: value for name, value in found.items() if isinstance(name, str) and isinstance(value, Tensor)}


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def _read_pickle(path: Path) -> dict[str, Tensor]:
    found = torch.load(path, map_location="cpu", weights_only=True)  # a pickle could run code otherwise
    if not isinstance(found, dict):
        raise ValueError(f"it holds a {type(found).__name__}, not a state dict")
    return found


def _fitting(
    found: Mapping[str, Tensor], shapes: Mapping[str, Tensor], source: str, recipe: Recipe
) -> dict[str, Tensor]:
    found = _unwrapped(found, shapes)
    missing = [name for name in shapes if name not in found]
    if missing:
        raise ModelError(
            f"{source}: does not fit {recipe.name}: {len(missing)} of {len(shapes)} tensors are missing, "
            f"the first is {missing[0]}"
        )
    for name, like in shapes.items():
        if found[name].shape != like.shape:
            raise ModelError(
                f"{source}: does not fit {recipe.name}: {name} is {tuple(found[name].shape)}, "
                f"must be {tuple(like.shape)}"
            )
    try:
        return {name: found[name].to(like.dtype) for name, like in shapes.items()}
    except Exception as error:  # such as tensors of a quantised network
        raise ModelError(f"{source}: does not fit {recipe.name}: {str(error).partition(chr(10))[0]}") from error


def _unwrapped(found: Mapping[str, Tensor], names: Iterable[str]) -> Mapping[str, Tensor]:
    """The tensors without what a training script put before their names, such as `module.` or `attacker.model.`.

    It is what stands before all the names that are wanted; the shortest, where there is more than one.
    """
    wanted = [*names]
    if not wanted or all(name in found for name in wanted):
        return found
    prefixes = {name.removesuffix(wanted[0]) for name in found if name.endswith(f".{wanted[0]}")}
    fitting = [prefix for prefix in prefixes if all(prefix + name in found for name in wanted)]
    if not fitting:
        return found
    prefix = min(fitting, key=len)
    inner = {name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)}
    log.info("of %d tensors %d are the network's, their names without %r", len(found), len(inner), prefix)
    return inner


def random_weights(recipe: Recipe, shapes: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same numbers every time, at the scale of a trained network's: for tests and benchmarks, not for dreams."""
    return {name: _random(f"{recipe.name}/{name}", like) for name, like in shapes.items()}


def _random(key: str, like: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(zlib.crc32(key.encode()))
    name, shape = key.rpartition(".")[2], tuple(like.shape)
    if not like.is_floating_point():
        return torch.zeros(shape, dtype=like.dtype)
    if len(shape) > 1:  # He et al. 2015
        return torch.randn(shape, generator=generator) * math.sqrt(2 / math.prod(shape[1:]))
    if name in ("running_var", "weight"):
        return 0.5 + torch.rand(shape, generator=generator)
    return 0.1 * torch.randn(shape, generator=generator)
