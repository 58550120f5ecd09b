"""Which engine is the fastest on this processor: a short probe."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from itertools import pairwise
from math import inf
from operator import itemgetter
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.activity import report
from pipeline.backbones import AUTO, Backbone
from pipeline.device import is_out_of_memory
from pipeline.engines.base import Engine, EngineChoice, log
from pipeline.engines.build import build_engine
from pipeline.objectives import Objective
from pipeline.threads import one_thread

T = TypeVar("T")
_PACKED = EngineChoice("packed", "bfloat16")
_CLEARLY = 0.9
# Not looked at again: this many times slower than the fastest at a glance, or in the first of several runs.
_HOPELESS_AT_A_GLANCE, _HOPELESS = 3.0, 1.5
_CALLS = 0.02  # seconds that the calls themselves may take, which a glance at a small picture mostly sees
_REPEATS, _LONG_ENOUGH = 3, 0.1  # seconds that runs take together, which are enough
# Sides of the pictures that are looked at; larger ones say more, since they don't fit the processor's caches and the
# calls themselves count little, as long as a step takes no longer than so many seconds.
_SIDES, _LONG_STEP = (64, 128, 256, 384, 512), 0.06
# How many times float32's speed a convolution in bfloat16 has where that is emulated, at most, and where not, at least.
_EMULATED, _NATIVE = 0.7, 1.4
# What eight bits must reach of float32's climbs, on how many pictures of at most which side, and how far these go.
_AS_HIGH, _CLIMBS, _CLIMBED_SIDE, _STEPS, _STEP = 0.97, 3, 96, 16, 0.02
_SOUND = 0.75  # the same of a network that is known to climb as high, on one picture, which scatters by a tenth
_DOUBTFUL = 0.94, 0.99  # what two pictures agree on beyond these, a third does not change
_probing = threading.Lock()  # how many threads torch has is the whole process's


def fastest(
    backbone: Backbone, objective: Objective, side: int, allowed: Sequence[EngineChoice]
) -> tuple[EngineChoice, bool]:
    """The fastest choice on pictures of `side`, and whether all had their chance: memory may be there tomorrow.

    Those allowed come with the likely best first: a later one must be clearly faster, so that noise does not decide.
    """
    probe = _Probe(backbone, objective)
    sides, whole = sorted({min(side, max(each, backbone.smallest_side)) for each in _SIDES}), side
    glances = probe.glances(allowed, sides[0])
    side = probe.telling_side(sides, glances)
    best, best_time, least = EngineChoice("reference", "float32"), inf, min(glances.values(), default=inf)
    for engine, glance in glances.items():
        if glance > _hopeless_at_a_glance(least):
            continue
        seconds = glance if side == sides[0] else probe.seconds(engine, side, best_time * _HOPELESS)
        log.debug("%s at %dx%d, %s: %.1f ms", backbone.recipe.name, side, side, engine.choice, 1e3 * seconds)
        # The larger the picture, the more its bytes count, and eight bits are few: there they need not be faster yet.
        enough = 1.0 if engine.choice.precision == "int8" and side < whole else _CLEARLY
        if seconds < best_time * enough and probe.climbs_as_high(engine, glances, min(_CLIMBED_SIDE, side // 2)):
            best, best_time = engine.choice, seconds
    return best, not probe.ran_out_of_memory


class _Probe:
    """Tries engines on pictures of noise. One that fails takes for ever."""

    def __init__(self, backbone: Backbone, objective: Objective) -> None:
        self._backbone, self._objective = backbone, objective
        self.ran_out_of_memory = False

    def glances(self, allowed: Sequence[EngineChoice], side: int) -> dict[Engine, float]:
        """A step's seconds on pictures of `side`, of all that may be the fastest, in their order."""
        found: dict[Engine, float] = {}
        for number, choice in enumerate(allowed):
            report("trying which engine is fastest here", number, len(allowed))
            if _is_beaten(choice, allowed, [engine.choice for engine in found]):
                continue
            engine = self._attempt(choice, partial(build_engine, self._backbone, choice), None)
            hopeless = _hopeless_at_a_glance(min(found.values(), default=inf))
            if engine is not None and (seconds := self.seconds(engine, side, hopeless)) < inf:
                found[engine] = seconds
        return found

    def seconds(self, engine: Engine, side: int, hopeless: float) -> float:
        """A step's processor seconds on a picture of `side`."""
        step = partial(engine, _noise(side, self._backbone, 0), self._objective)
        return self._attempt(engine.choice, partial(_time, step, hopeless), inf)

    def telling_side(self, sides: Sequence[int], glances: Mapping[Engine, float]) -> int:
        """The largest side whose step is known not to take long, from those of the sides below it."""
        engine, seconds = min(glances.items(), key=itemgetter(1), default=(None, inf))
        for side, larger in pairwise(sides):
            if engine is None or seconds * (larger / side) ** 2 > _LONG_STEP:
                return side
            seconds = self.seconds(engine, larger, 0) if larger < sides[-1] else inf
        return sides[-1]

    def climbs_as_high(self, engine: Engine, others: Iterable[Engine], side: int) -> bool:
        """Whether its dreams on pictures of `side` get as high as they should: in eight bits that is tried."""
        if engine.choice.precision != "int8":
            return True
        exact = next((each for each in others if each.choice.precision == "float32"), None)
        side = max(side, self._backbone.smallest_side)
        return self._attempt(engine.choice, partial(self._climbs, engine, exact, side), False)

    def _climbs(self, engine: Engine, exact: Engine | None, side: int) -> bool:
        backbone, objective = self._backbone, self._objective
        exact = exact or build_engine(backbone, EngineChoice("packed", "float32"))
        measured, reached, wanted = backbone.recipe.eight_bits, 0.0, 0.0
        known = (
            measured is not None and backbone.weights == AUTO and all(n.startswith(measured) for n in backbone.layers)
        )
        for seed in range(_CLIMBS):  # one alone says little: of two equally good ways up, either may lead further
            start = 0.35 + 0.3 * _noise(side, backbone, seed)  # as pale as films begin
            low, high, exactly = (
                float(objective(backbone(each)))
                for each in (start, climbed(engine, start, objective), climbed(exact, start, objective))
            )
            reached, wanted = reached + high - low, wanted + exactly - low
            if known or (seed > 0 and not _DOUBTFUL[0] <= reached / max(wanted, 1e-30) <= _DOUBTFUL[1]):
                break
        log.debug("%s, %s reaches %.3f of float32", backbone.recipe.name, engine.choice, reached / max(wanted, 1e-30))
        return reached >= (_SOUND if known else _AS_HIGH) * wanted

    def _attempt(self, choice: EngineChoice, work: Callable[[], T], otherwise: T) -> T:
        try:
            return work()
        except RuntimeError as error:
            log.warning("%s: the %s engine fails, it is left out: %s", self._backbone.recipe.name, choice, error)
            self.ran_out_of_memory |= is_out_of_memory(error)
            return otherwise


def _hopeless_at_a_glance(least: float) -> float:
    return max(_CALLS, _HOPELESS_AT_A_GLANCE * least)


def _is_beaten(choice: EngineChoice, allowed: Sequence[EngineChoice], running: Sequence[EngineChoice]) -> bool:
    """Whether it can't be the fastest, given those that were found to run: that need not be tried."""
    if choice.engine == "reference":
        return bool(running)  # it is the folded one with more to do
    if choice.precision == "bfloat16":
        return any(each.precision != "bfloat16" for each in allowed) and bfloat16_gain() < _EMULATED
    return choice.precision == "float32" and _PACKED in running and bfloat16_gain() > _NATIVE


@lru_cache
def bfloat16_gain() -> float:
    """How many times as fast as in float32 a convolution in bfloat16 is on this processor; 0 where it has none."""
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        image = torch.rand(1, 128, 28, 28, dtype=dtype).contiguous(memory_format=torch.channels_last)
        weight = torch.rand(128, 128, 3, 3, dtype=dtype)
        try:
            seconds[dtype] = _time(partial(F.conv2d, image, weight, padding=1), inf)
        except RuntimeError:
            seconds[dtype] = inf
    return seconds[torch.float32] / seconds[torch.bfloat16]


def _noise(side: int, backbone: Backbone, seed: int) -> Tensor:
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(seed)).to(backbone.device)


def climbed(engine: Engine, image: Tensor, objective: Objective) -> Tensor:
    """A picture after some plain steps up its gradient."""
    for _ in range(_STEPS):
        gradient = engine(image, objective)[1]
        image = (image + _STEP * gradient / gradient.abs().mean().clamp_min(1e-30)).clamp(0, 1)
    return image


def _time(step: Callable[[], object], hopeless: float) -> float:
    """The least of some runs' processor seconds, which other programs do not disturb, after one that plans; of only
    one run where that is hopeless."""
    least, spent = inf, 0.0
    with _probing, one_thread():  # processor time is a thread's own
        step()
        for _ in range(_REPEATS):
            start = time.thread_time()
            step()
            seconds = time.thread_time() - start
            least, spent = min(least, seconds), spent + seconds
            if least > hopeless or spent > _LONG_ENOUGH:
                break
    return least
