"""The video stage over a film, for tests."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import torch
from torch import Tensor

from pipeline.frame import Size
from pipeline.preset import Preset, parse_preset
from pipeline.stages import FrameContext, RunSpec
from pipeline.stages.video import Video, VideoConfig
from tests.clips import number_of

Make = Callable[[Path], Path]


def spec(frames: int = 10, fps: str = "25") -> RunSpec:
    return RunSpec(Size(48, 64), Fraction(fps), frames, 0, torch.device("cpu"), wants_motion=False)


def stage(path: Path, run: RunSpec | None = None, **keys: object) -> Video:
    config = VideoConfig.model_validate({"id": "video", "path": str(path), **keys})
    return Video(config, spec() if run is None else run)


def shown(film: Video, indices: range) -> list[Tensor]:
    try:
        return [film(FrameContext(index, film.spec, None)) for index in indices]
    finally:
        film.close()


def numbers(path: Path, run: RunSpec, **keys: object) -> list[int]:
    return [number_of(frame) for frame in shown(stage(path, run, **keys), range(run.frames))]


def preset(path: Path, text: str = "", name: str = "over") -> Preset:
    return parse_preset(f"{text}\nstages:\n  - stage: video\n    path: {path}\n".encode(), name=name)


def preset_frames(path: Path, keys: str) -> int:
    text = f"stages:\n  - stage: video\n    path: {path}\n{keys}"
    return parse_preset(text.encode()).spec().frames
