"""Which engine computes: asked for, remembered from an earlier run, or found by a short probe."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import filelock
import torch

from pipeline.backbones import Backbone
from pipeline.disk import cache_folder, read_regular
from pipeline.engines.base import EngineChoice, EngineName, PrecisionName, log
from pipeline.engines.probe import fastest
from pipeline.frame import Size
from pipeline.objectives import Objective

EngineKey = Literal["auto", "reference", "folded", "packed", "graph"]
PrecisionKey = Literal["auto", "float32", "bfloat16", "int8"]
# By device type, the likely best first.
_CANDIDATES: dict[str, tuple[str, ...]] = {
    "cpu": (
        "packed/bfloat16",
        "packed/float32",
        "packed/int8",
        "folded/bfloat16",
        "folded/float32",
        "reference/float32",
    ),
    # In this order on every GPU, and cuDNN compiles for each size that is tried: nothing is probed.
    "cuda": ("graph/bfloat16", "graph/float32", "folded/bfloat16", "folded/float32", "reference/float32"),
}
# Probed at the first side that is at least the picture's, else the last; pictures of one class share an answer.
_CLASS_SIDES = (128, 256, 512)
_CACHE_VERSION = 3
_MOST_CACHE_BYTES = 1 << 24


def choose_engine(
    backbone: Backbone, objective: Objective, size: Size, engine: EngineKey = "auto", precision: PrecisionKey = "auto"
) -> EngineChoice:
    """The choice for dreaming on frames of `size`; the fastest of those that `engine` and `precision` allow.

    On the CPU it is found by a probe; on CUDA it is the first.
    """
    allowed = candidates(backbone.device, engine, precision)
    if len(allowed) == 1 or backbone.device.type == "cuda":
        return allowed[0]
    key = _key(backbone, _class_side(backbone, size), allowed)
    known = {str(choice): choice for choice in allowed}
    found = known.get(_remembered().get(key, ""))
    if found is not None:
        return found
    choice, tried_all = fastest(backbone, objective, _class_side(backbone, size), allowed)
    return _remember(key, choice, known) if tried_all else choice


def candidates(device: torch.device, engine: EngineKey, precision: PrecisionKey) -> list[EngineChoice]:
    """The choices that a device and the two keys allow, the likely best first; never none for keys that agree."""
    known = [EngineChoice.parse(text) for text in _CANDIDATES[device.type]]
    if device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        known = [choice for choice in known if choice.precision != "bfloat16"]
    fitting = [
        choice for choice in known if engine in ("auto", choice.engine) and precision in ("auto", choice.precision)
    ]
    if fitting:
        return fitting
    name: EngineName = "folded" if engine == "auto" else engine
    exactness: PrecisionName = "float32" if precision == "auto" else precision
    return [EngineChoice(name, exactness)]


def _class_side(backbone: Backbone, size: Size) -> int:
    side = (size.height * size.width) ** 0.5
    bucket = next((bucket for bucket in _CLASS_SIDES if bucket >= side), _CLASS_SIDES[-1])
    return max(bucket, backbone.smallest_side)


def _key(backbone: Backbone, side: int, allowed: list[EngineChoice]) -> str:
    parts = (
        backbone.recipe.name,
        "+".join(backbone.layers),
        side,
        _processor(),
        torch.get_num_threads(),
        torch.__version__,
    )
    return " | ".join(map(str, (*parts, *allowed)))


def _processor() -> str:
    capability = torch.backends.cpu.get_cpu_capability()
    return f"{platform.machine()} {platform.processor()} {capability} x{os.cpu_count()}"


def cache_file() -> Path:
    """Where probes are remembered."""
    return cache_folder() / f"engines-{_CACHE_VERSION}.json"


def _remembered() -> dict[str, str]:
    try:
        found = json.loads(read_regular(cache_file(), _MOST_CACHE_BYTES))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _remember(key: str, choice: EngineChoice, known: Mapping[str, EngineChoice]) -> EngineChoice:
    """Keep the outcome of a probe, unless another process has kept its own by now; returns the one that is kept.

    Best effort: a cache that can't be written costs a probe in the next run.
    """
    path = cache_file()
    partial = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(path.with_suffix(".lock"), timeout=10):
            remembered = _remembered()
            found = known.get(remembered.get(key, ""))
            if found is not None:
                return found
            partial.write_text(json.dumps(remembered | {key: str(choice)}, indent=1), encoding="utf-8")
            partial.replace(path)
    except (OSError, NotImplementedError) as error:
        log.debug("the probe's outcome can't be kept in %s: %s", path, error)
    return choice
