"""A render: the loop's frames into a film on disk."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from torch import Tensor

from pipeline.errors import MediaError
from pipeline.frame import to_uint8
from pipeline.loop import Chain, Frame, clock
from pipeline.media.behind import Behind
from pipeline.media.sound import Soundtrack, add_sound
from pipeline.preset import Preset
from pipeline.stages import EndOfFootage, RunSpec


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
            with clock(frame.times, chain.sink.config.id):
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
