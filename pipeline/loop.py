"""The loop: frame after frame through the chain, each output the next one's past."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from pipeline.device import LateNumbers
from pipeline.errors import RunError
from pipeline.preset import Preset, stage_name
from pipeline.stages import (
    STAGES,
    Effect,
    Encode,
    EncodeConfig,
    EndOfFootage,
    FrameContext,
    Role,
    RunSpec,
    Source,
    Stage,
)


@dataclass(frozen=True)
class Frame:
    """One frame of the film: `image` is (1, 3, H, W) float32 in [0, 1]; `times` are seconds by stage id.

    `feedback` is what the next frame is made from: the image without the stages that are only shown.
    """

    index: int
    image: Tensor
    times: dict[str, float]
    feedback: Tensor


class Chain:
    """The built stages of a preset, and the step from one frame to the next."""

    def __init__(self, preset: Preset) -> None:
        self.spec: RunSpec = preset.spec()
        self.source = build_source(preset, self.spec)
        effects = (STAGES[stage_name(c)].build(c, self.spec) for c in preset.stages if c.role is Role.EFFECT)
        self.effects = [stage for stage in effects if isinstance(stage, Effect)]
        self.sink = build_sink(preset, self.spec)
        self._sums: deque[tuple[int, list[str], LateNumbers]] = deque()

    def step(self, index: int, previous: Tensor | None) -> Frame:
        """Frame `index`, given the feedback of the frame before. Raises EndOfFootage when there is none.

        Raises RunError when a stage gives values that are no numbers: on CUDA, some frames later.
        The first frame comes after the lead-in, whose time it counts as its own.
        """
        times: dict[str, float] = {}
        if index == 0:
            for early in range(-self.spec.lead_in, 0):
                previous = self._step(early, previous, times).feedback
        return self._step(index, previous, times)

    def _step(self, index: int, previous: Tensor | None, times: dict[str, float]) -> Frame:
        ctx = FrameContext(index, self.spec, previous, camera=partial(self.camera, index))
        with torch.no_grad():
            with clock(times, self.source.config.id):
                image = feedback = self.source(ctx)
            sums = {self.source.config.id: image.sum()}
            for effect in self.effects:
                with clock(times, effect.config.id):
                    image = effect(image, ctx)
                sums[effect.config.id] = image.sum()
                if effect.config.feeds_back:
                    feedback = image
            self._sums.append((index, list(sums), LateNumbers(torch.stack(list(sums.values())))))
        while self._sums and self._sums[0][2].arrived():
            self._require(*self._sums.popleft())
        return Frame(index, image, times, feedback)

    def require_numbers(self) -> None:
        """Wait until it is known that all frames so far are numbers. Raises RunError naming the first that is not."""
        while self._sums:
            self._require(*self._sums.popleft())

    def _require(self, index: int, stages: list[str], sums: LateNumbers) -> None:
        """One value that is no number goes round, spreads to all others, and comes out black."""
        for stage, total in zip(stages, sums.values(), strict=True):
            if not math.isfinite(total):
                raise RunError(
                    f"frame {index}: {stage} gives values that are no numbers (NaN or infinite), and the film would be "
                    "black from here on; look at the stage's settings, and at the weights and pictures it works with"
                )

    def camera(self, start: int, end: int) -> Tensor:
        """The backward (3, 3) float64 pixel matrix of all cameras' motion from frame `start` to frame `end`.

        Several cameras take turns within each frame, so the way is composed frame by frame.
        """
        whole = torch.eye(3, dtype=torch.float64)
        for index in range(start + 1, end + 1):
            for effect in self.effects:
                moved = effect.camera(index)
                whole = whole if moved is None else whole @ moved
        return whole

    @property
    def stages(self) -> tuple[Stage[Any], ...]:
        """All stages in their order."""
        return (self.source, *self.effects, self.sink)

    def state_dict(self) -> dict[str, Tensor]:
        """A copy on the CPU of every stage's state, as `ID/NAME`. Raises as `require_numbers` does."""
        self.require_numbers()  # nothing goes on from a frame that is not known to be sound
        return {
            f"{stage.config.id}/{name}": value.detach().to("cpu", copy=True)
            for stage in self.stages
            for name, value in stage.state_dict().items()
        }

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Give every stage back what `state_dict` took."""
        for stage in self.stages:
            start = f"{stage.config.id}/"
            stage.load_state_dict({k.removeprefix(start): v for k, v in state.items() if k.startswith(start)})

    def pin(self, preset: Preset) -> Preset:
        """The preset with every `auto` that a stage decided for itself replaced by what it took."""
        pins = {stage.config.id: stage.pinned() for stage in self.stages}
        stages = tuple(config.model_copy(update=pins.get(config.id, {})) for config in preset.stages)
        return preset.model_copy(update={"stages": stages})

    def fingerprints(self) -> dict[str, str]:
        """Digests of all files the stages work with."""
        return {name: digest for stage in self.stages for name, digest in stage.fingerprints().items()}

    def report(self) -> list[str]:
        """What the stages have to say about the run."""
        return [note for stage in self.stages for note in stage.report()]

    def close(self) -> None:
        """Close every stage."""
        with ExitStack() as stack:
            for stage in self.stages:
                stack.callback(stage.close)

    def __enter__(self) -> Chain:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def build_source(preset: Preset, spec: RunSpec) -> Source[Any]:
    """The preset's source."""
    (config,) = (config for config in preset.stages if config.role is Role.SOURCE)
    source = STAGES[stage_name(config)].build(config, spec)
    assert isinstance(source, Source)
    return source


def build_sink(preset: Preset, spec: RunSpec) -> Encode:
    """The preset's encode stage, or one with its defaults."""
    configs = [config for config in preset.stages if isinstance(config, EncodeConfig)]
    return Encode(configs[0] if configs else EncodeConfig.model_validate({"id": "encode"}), spec)


@contextmanager
def clock(times: dict[str, float], name: str) -> Iterator[None]:
    """Add the seconds the block takes to `times[name]`."""
    start = time.perf_counter()
    yield
    times[name] = times.get(name, 0.0) + time.perf_counter() - start


def frames(preset: Preset) -> Iterator[Frame]:
    """The film's frames, one after the other; each is computed when it is asked for."""
    with Chain(preset) as chain:
        previous = None
        for index in range(chain.spec.frames) if chain.spec.frames is not None else count():
            try:
                frame = chain.step(index, previous)
            except EndOfFootage:
                break
            previous = frame.feedback
            yield frame
        chain.require_numbers()
