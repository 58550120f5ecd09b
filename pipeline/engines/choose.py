"""Which engine computes: asked for, remembered from an earlier run, or found by a short probe."""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

import filelock
import torch
from torch import Tensor

from pipeline.activity import report
from pipeline.backbones import Backbone, find_layer
from pipeline.backbones.tape import UnsupportedNetwork
from pipeline.device import is_out_of_memory
from pipeline.disk import cache_folder, read_regular
from pipeline.engines.base import Engine, EngineChoice, EngineName, PrecisionName, log
from pipeline.engines.eightbit import EightBitEngine
from pipeline.engines.folded import FoldedEngine
from pipeline.engines.graph import GraphEngine
from pipeline.engines.packed import PackedEngine
from pipeline.engines.reference import Reference
from pipeline.frame import Size
from pipeline.objectives import Objective

T = TypeVar("T")
EngineKey = Literal["auto", "reference", "folded", "packed", "graph"]
PrecisionKey = Literal["auto", "float32", "bfloat16", "int8"]
# By device type, the likely best first. A later one must be clearly faster, so that noise does not decide.
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
_CLEARLY = 0.9
# Not looked at again: this many times slower than the fastest at a glance, or in the first of several runs.
_HOPELESS_AT_A_GLANCE, _HOPELESS = 2.0, 1.5
_REPEATS = 3
# Probed at the first side that is at least the picture's, else the last; pictures of one class share an answer.
_CLASS_SIDES = (128, 256)
_LONG_STEP = 0.1  # seconds: then smaller pictures tell as much, since next to no time goes into the calls themselves
_CACHE_VERSION = 2
_GLANCE_SIDE = 64
# What eight bits must reach of float32's climbs, on how many pictures of which size, and how far these go.
_AS_HIGH, _CLIMBS, _CLIMBED_SIDES, _STEPS, _STEP = 0.97, 3, (64, 96), 16, 0.02
_DOUBTFUL = 0.94, 0.99  # what two pictures agree on beyond these, a third does not change
_MOST_CACHE_BYTES = 1 << 24
_probing = threading.Lock()  # how many threads torch has is the whole process's


def build_engine(backbone: Backbone, choice: EngineChoice) -> Engine:
    """The engine of a choice; the reference, with a line in the log, where the network does not allow it.

    Raises what torch raises when memory runs out: that says nothing about the network, and the next try may be right.
    """
    try:
        if choice.engine == "folded" or (choice.engine == "graph" and backbone.device.type != "cuda"):
            return FoldedEngine(backbone, choice.precision)
        if choice.engine == "packed":
            int8 = choice.precision == "int8"
            return EightBitEngine(backbone) if int8 else PackedEngine(backbone, choice.precision)
        if choice.engine == "graph":
            return GraphEngine(backbone, choice.precision)
    except (UnsupportedNetwork, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        # Operators that lack a bfloat16 form, or shapes that a recorded pass can't take, end here too.
        log.warning("%s: the %s engine can't run it, the reference does: %s", backbone.recipe.name, choice, error)
    return Reference(backbone)


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
    choice, tried_all = _fastest(backbone, objective, _class_side(backbone, size), allowed)
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


def _fastest(
    backbone: Backbone, objective: Objective, side: int, allowed: list[EngineChoice]
) -> tuple[EngineChoice, bool]:
    """The fastest choice, and whether all had their chance: memory that runs out today may be there tomorrow."""
    best, best_time = EngineChoice("reference", "float32"), float("inf")
    small = min(side, max(_GLANCE_SIDE, _smallest_side(backbone)))
    failed: list[RuntimeError] = []

    def tried(choice: EngineChoice, work: Callable[[], T]) -> T | None:
        try:
            return work()
        except RuntimeError as error:
            log.warning("%s: the %s engine fails, it is left out: %s", backbone.recipe.name, choice, error)
            failed.append(error)
            return None

    def glance(choice: EngineChoice) -> tuple[Engine, float]:
        engine = build_engine(backbone, choice)
        return engine, _time(partial(engine, _noise(small, backbone, 0), objective), 0.0)

    def exact() -> Engine:
        choice = EngineChoice("packed", "float32")
        return next((each for each, _ in glances if each.choice == choice), None) or build_engine(backbone, choice)

    def is_best(engine: Engine) -> bool:
        nonlocal best_time
        step = partial(engine, _noise(side, backbone, 0), objective)
        seconds = _time(step, best_time * _HOPELESS)
        log.debug("%s at %dx%d, %s: %.1f ms", backbone.recipe.name, side, side, engine.choice, 1e3 * seconds)
        if seconds >= best_time * _CLEARLY:
            return False
        if engine.choice.precision == "int8" and not _climbs(engine, exact(), backbone, objective, climbed_side):
            return False
        best_time = seconds
        return True

    glances: list[tuple[Engine, float]] = []
    for number, choice in enumerate(allowed):
        report("trying which engine is fastest here", number, len(allowed))
        if (found := tried(choice, partial(glance, choice))) is not None:
            glances.append(found)
    # What a processor only emulates takes seconds a step; a glance at a small picture tells.
    least = min((seconds for _, seconds in glances), default=0.0)
    long = least * (side / small) ** 2 > _LONG_STEP
    side = min(side, max(small, _CLASS_SIDES[0])) if long else side
    climbed_side = max(_CLIMBED_SIDES[not long], _smallest_side(backbone))
    for engine in [engine for engine, seconds in glances if seconds <= _HOPELESS_AT_A_GLANCE * least]:
        if tried(engine.choice, partial(is_best, engine)):
            best = engine.choice
    return best, not any(map(is_out_of_memory, failed))


def _noise(side: int, backbone: Backbone, seed: int) -> Tensor:
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(seed)).to(backbone.device)


def _climbs(engine: Engine, exact: Engine, backbone: Backbone, objective: Objective, side: int) -> bool:
    """Whether dreams get as high as they should: in eight bits that is tried, against float32."""
    reached = wanted = 0.0
    for seed in range(_CLIMBS):  # one alone says little: of two equally good ways up, either may lead further
        start = 0.35 + 0.3 * _noise(side, backbone, seed)  # as pale as films begin
        low, high, exactly = (
            float(objective(backbone(each)))
            for each in (start, climbed(engine, start, objective), climbed(exact, start, objective))
        )
        reached, wanted = reached + high - low, wanted + exactly - low
        if seed > 0 and not _DOUBTFUL[0] <= reached / max(wanted, 1e-30) <= _DOUBTFUL[1]:
            break
    log.debug("%s, %s reaches %.3f of float32", backbone.recipe.name, engine.choice, reached / max(wanted, 1e-30))
    return reached >= _AS_HIGH * wanted


def climbed(engine: Engine, image: Tensor, objective: Objective) -> Tensor:
    """A picture after some plain steps up its gradient."""
    for _ in range(_STEPS):
        gradient = engine(image, objective)[1]
        image = (image + _STEP * gradient / gradient.abs().mean().clamp_min(1e-30)).clamp(0, 1)
    return image


def _time(step: Callable[[], object], hopeless: float) -> float:
    """The least of some runs' processor seconds, which other programs do not disturb, after one that plans; of only
    one run where that is hopeless."""
    least = float("inf")
    with _one_thread():
        step()
        for _ in range(_REPEATS):
            start = time.thread_time()
            step()
            least = min(least, time.thread_time() - start)
            if least > hopeless:
                break
    return least


@contextmanager
def _one_thread() -> Iterator[None]:
    """Processor time is a thread's own."""
    with _probing:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)


def _class_side(backbone: Backbone, size: Size) -> int:
    side = (size.height * size.width) ** 0.5
    bucket = next((bucket for bucket in _CLASS_SIDES if bucket >= side), _CLASS_SIDES[-1])
    return max(bucket, _smallest_side(backbone))


def _smallest_side(backbone: Backbone) -> int:
    return max(find_layer(backbone.recipe, name).smallest_side for name in backbone.layers)


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
