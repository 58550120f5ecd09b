"""The loop: frame after frame through the chain, each output the next one's past."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

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
    """One frame of the film: `image` is (1, 3, H, W) float32 in [0, 1]; `times` are seconds by stage id."""

    index: int
    image: Tensor
    times: dict[str, float]


class Chain:
    """The built stages of a preset, and the step from one frame to the next."""

    def __init__(self, preset: Preset) -> None:
        self.spec: RunSpec = preset.spec()
        configs = [config for config in preset.stages if config.role is not Role.SINK]
        built = [STAGES[stage_name(config)].build(config, self.spec) for config in configs]
        (self.source,) = (stage for stage in built if isinstance(stage, Source))
        self.effects = [stage for stage in built if isinstance(stage, Effect)]
        self.sink = build_sink(preset, self.spec)

    def step(self, index: int, previous: Tensor | None) -> Frame:
        """Frame `index`, given the output of the frame before. Raises EndOfFootage when there is none."""
        ctx = FrameContext(index, self.spec, previous)
        times: dict[str, float] = {}
        with torch.no_grad():
            with clock(times, self.source.config.id):
                image = self.source(ctx)
            for effect in self.effects:
                with clock(times, effect.config.id):
                    image = effect(image, ctx)
        return Frame(index, image, times)

    @property
    def stages(self) -> tuple[Stage[Any], ...]:
        """All stages in their order."""
        return (self.source, *self.effects, self.sink)

    def state_dict(self) -> dict[str, Tensor]:
        """A copy on the CPU of every stage's state, as `ID/NAME`."""
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
                return
            previous = frame.image
            yield frame
