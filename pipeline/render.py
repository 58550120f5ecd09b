"""The loop: frame after frame through the chain, each output the next one's past."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch import Tensor

from pipeline.errors import MediaError
from pipeline.frame import to_uint8
from pipeline.media.behind import Behind
from pipeline.media.sound import Soundtrack, add_sound
from pipeline.preset import Preset, stage_name
from pipeline.stages import STAGES, Effect, Encode, EncodeConfig, EndOfFootage, FrameContext, RunSpec, Source


@dataclass(frozen=True)
class Frame:
    """One frame of the film: `image` is (1, 3, H, W) float32 in [0, 1]; `times` are seconds by stage id."""

    index: int
    image: Tensor
    times: dict[str, float]


@dataclass
class Result:
    """What a render made."""

    path: Path
    frames: int
    seconds: float
    times: dict[str, float] = field(default_factory=dict)
    """seconds by stage id, over all frames"""
    notes: list[str] = field(default_factory=list)
    """what the user should hear about, such as damage in the footage that was bridged"""


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
            with _clock(times, self.source.config.id):
                image = self.source(ctx)
            for effect in self.effects:
                with _clock(times, effect.config.id):
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
def _clock(times: dict[str, float], name: str) -> Iterator[None]:
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


OnFrame = Callable[[Frame, RunSpec], None]


def render(preset: Preset, out: str | Path | None = None, on_frame: OnFrame | None = None) -> Result:
    """Render the film into the folder `out`, by default `renders/NAME`; `on_frame` sees every frame.

    Raises PipelineError for whatever the user or the machine has to change.
    """
    folder = Path("renders") / preset.name if out is None else Path(out)
    film = make_folder(folder) / f"{preset.name}.mp4"
    partial = film.with_suffix(".part.mp4")
    start = time.perf_counter()
    result = Result(film, 0, 0.0)
    with (
        Chain(preset) as chain,
        chain.sink.open(partial) as writer,
        Behind[Tensor](lambda image: writer.write(to_uint8(image))) as behind,
    ):
        previous = None
        for index in range(chain.spec.frames):
            try:
                frame = chain.step(index, previous)
            except EndOfFootage:
                break
            with _clock(frame.times, chain.sink.config.id):
                behind.put(frame.image)
            previous = frame.image
            result.frames += 1
            for stage, seconds in frame.times.items():
                result.times[stage] = result.times.get(stage, 0.0) + seconds
            if on_frame is not None:
                on_frame(frame, chain.spec)
        sound, fps, result.notes = chain.sound(preset.audio), chain.spec.fps, chain.report()
    finish_film(partial, sound, result.frames, fps, film)
    result.seconds = time.perf_counter() - start
    return result


def finish_film(silent: Path, sound: Soundtrack | None, frames: int, fps: Fraction, film: Path) -> None:
    """Turn the encoded `silent` film of so many frames into `film`, with its sound if there is any."""
    voiced = film.with_suffix(".sound.mp4")
    if sound is not None and add_sound(silent, sound, frames / fps, fps, voiced):
        silent.unlink()
        silent = voiced
    silent.replace(film)


def make_folder(folder: Path) -> Path:
    """Make `folder` where it is missing. Raises MediaError when nothing can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise MediaError(f"can't write to the folder {folder}: {error.strerror}; choose another with --out") from error
    return folder
