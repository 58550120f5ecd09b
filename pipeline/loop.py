"""The loop: frame after frame through the chain, each output the next one's past."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from pipeline.media.sound import Soundtrack
from pipeline.preset import Preset, stage_name
from pipeline.stages import STAGES, Effect, Encode, EncodeConfig, EndOfFootage, FrameContext, RunSpec, Source


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
        self.source: Source[Any] | None = None
        self.effects: list[Effect[Any]] = []
        self.sink = Encode(EncodeConfig.model_validate({"id": "encode"}), self.spec)
        for config in preset.stages:
            stage = STAGES[stage_name(config)].build(config, self.spec)
            if isinstance(stage, Source):
                self.source = stage
            elif isinstance(stage, Effect):
                self.effects.append(stage)
            else:
                assert isinstance(stage, Encode)
                self.sink = stage
        assert self.source is not None, "presets are validated to have a source"

    def step(self, index: int, previous: Tensor | None) -> Frame:
        """Frame `index`, given the output of the frame before. Raises EndOfFootage when there is none."""
        assert self.source is not None
        ctx = FrameContext(index, self.spec, previous)
        times: dict[str, float] = {}
        with torch.no_grad():
            with clock(times, self.source.config.id):
                image = self.source(ctx)
            for effect in self.effects:
                with clock(times, effect.config.id):
                    image = effect(image, ctx)
        return Frame(index, image, times)

    def sound(self, audio: str) -> Soundtrack | None:
        """The sound a preset's `audio` asks for; None for silence."""
        assert self.source is not None
        if audio in ("none", "source"):
            return self.source.sound() if audio == "source" else None
        return Soundtrack(Path(audio))

    def report(self) -> list[str]:
        """What the stages have to say about the run."""
        return [note for stage in (self.source, *self.effects) if stage is not None for note in stage.report()]

    def close(self) -> None:
        """Close every stage."""
        with ExitStack() as stack:
            for stage in (self.source, *self.effects, self.sink):
                if stage is not None:
                    stack.callback(stage.close)

    def __enter__(self) -> Chain:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


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
        for index in range(chain.spec.frames):
            try:
                frame = chain.step(index, previous)
            except EndOfFootage:
                return
            previous = frame.image
            yield frame
