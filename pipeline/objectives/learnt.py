"""Directions that were learnt from pictures, as `dreamreel learn` writes them and presets name them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import Tensor

from pipeline.backbones import Backbone, Recipe, find_layer
from pipeline.disk import read_regular, state_of, write_whole
from pipeline.errors import MediaError, ModelError, reason_of

SUFFIX = ".directions.safetensors"
_FORMAT = "dreamreel directions 1"
_MOST_BYTES = 1 << 28
_TENSORS = ("vectors", "mean", "deviation", "strengths", "usual", "spread")


@dataclass(frozen=True, eq=False)
class Directions:
    """Mixtures of a layer's channels, the strongest first, and what was usual in the pictures they come from.

    `vectors` (k, C) have unit length; `mean` and `deviation` (C,) are those of the channels. `usual` and `spread` (k,)
    are mean and deviation of the activations along each. `strengths` (k,) are the shares of the pictures' activations,
    squared, that each accounts for. `weights` is a digest of the numbers that the layer depends on.
    """

    model: str
    layer: str
    weights: str
    vectors: Tensor
    mean: Tensor
    deviation: Tensor
    strengths: Tensor
    usual: Tensor
    spread: Tensor

    def __len__(self) -> int:
        return len(self.vectors)


def write_directions(directions: Directions, path: Path, facts: dict[str, Any]) -> None:
    """Write a file; the same directions and facts are the same bytes. Raises MediaError."""
    from safetensors.torch import save

    said = {"format": _FORMAT, "model": directions.model, "layer": directions.layer, "weights": directions.weights}
    # One text: several would stand in the file in another order each time.
    metadata = {"dreamreel": json.dumps(said | facts, sort_keys=True)}
    data = save({name: getattr(directions, name).contiguous() for name in _TENSORS}, metadata)
    try:
        write_whole(path, data)
    except OSError as error:
        raise MediaError(f"can't write the directions {path}: {error.strerror}") from error


def read_directions(path: Path) -> Directions:
    """What a file holds. Raises ModelError."""
    try:
        return _read(path, state_of(path))
    except OSError as error:
        raise ModelError(f"{path} can't be read: {error.strerror}; `dreamreel learn` writes such files") from None


@lru_cache(maxsize=16)
def _read(path: Path, state: tuple[int, ...]) -> Directions:
    from safetensors.torch import load

    data = read_regular(path, _MOST_BYTES)
    try:
        said = json.loads(json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]["dreamreel"])
        found = load(data)
        if said["format"] != _FORMAT:
            raise ValueError(f"its format is {said['format']!r}, not {_FORMAT!r}")
        directions = Directions(
            said["model"], said["layer"], said["weights"], *(found[name].float() for name in _TENSORS)
        )
        _require_shapes(directions)
    except Exception as error:  # whatever file it is, it fails in its own way
        reason = f"no key {error}" if isinstance(error, KeyError) else reason_of(error)
        raise ModelError(
            f"{path} is no file of directions, or damaged ({reason}); `dreamreel learn` writes them"
        ) from error
    return directions


def _require_shapes(directions: Directions) -> None:
    count, channels = directions.vectors.shape
    for name in _TENSORS[1:]:
        wanted = (channels,) if name in ("mean", "deviation") else (count,)
        found = tuple(getattr(directions, name).shape)
        if count == 0 or found != wanted:
            raise ValueError(f"its {name} is {found}, must be {wanted}")
    if not all(bool(getattr(directions, name).isfinite().all()) for name in _TENSORS):
        raise ValueError("not all of its numbers are finite")


def directions_for(recipe: Recipe, path: str) -> Directions:
    """A file's directions, if they are of a layer that this network has. Raises ModelError."""
    found = read_directions(Path(path))
    # A file of the user's may lie elsewhere by now: its numbers tell whether it is the same.
    if found.model != recipe.name and not (":" in found.model and ":" in recipe.name):
        said = f"is of {found.model}, and the dream's model is {recipe.name}"
        raise ModelError(f"{path} {said}; set `model: {found.model}`, or learn anew with --model {recipe.name}")
    channels = find_layer(recipe, found.layer).channels
    if channels != found.vectors.shape[1]:
        raise ModelError(f"{path} is of {found.vectors.shape[1]} channels, and {found.layer} has {channels}")
    return found


def learnt_from(backbone: Backbone, path: str) -> Directions:
    """The same on the network's device. Raises ModelError where the network's numbers are others, too."""
    found = directions_for(backbone.recipe, path)
    if found.weights != backbone.digest(found.layer):
        raise ModelError(
            f"{path} was learnt from {found.model} with other weights, so that its directions mean nothing here; "
            "use those, or learn anew"
        )
    moved = {name: getattr(found, name).to(backbone.device) for name in _TENSORS}
    return Directions(found.model, found.layer, found.weights, **moved)
