"""A preset's camera alone, over a grid: its motion is seen in seconds, before anything is dreamt."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.activity import report
from pipeline.disk import make_folder, partial_path, replacing
from pipeline.errors import PresetError, Problem
from pipeline.frame import Size
from pipeline.media.grid import draw_grid, write_text
from pipeline.outputs import EncodeConfig, Master, Rendition, Spool, encode
from pipeline.preset import Preset
from pipeline.stages import Stage, StageConfig
from pipeline.stages.lookup import build_stage, find_stage, stage_name

_LONGEST_SIDE, _PICTURES_A_SECOND = 480, 15
_GRID_SECONDS = 3.0  # how long a grid is seen; two of them fade into each other
_MOST_SECONDS = 60  # of a film without end


def film_camera(preset: Preset, film: Path) -> Path:
    """Write a film of the camera's motion over a grid, as long as the preset's, and with its changes.

    Every grid moves for three seconds, and fades into the next. Symmetries are not drawn. Raises PresetError where no
    stage moves the camera, and for a sphere; OSError and MediaError when it can't be written.
    """
    if preset.on_sphere:
        said = "is a whole sphere, over which no grid is drawn; preview it without --camera"
        raise PresetError([Problem(preset.name, (), said)])
    motion = _Motion(preset)
    if not motion.moves():
        raise PresetError([Problem(preset.name, (), "has no stage that moves a camera, such as `zoom`")])
    make_folder(film.parent)
    raw = partial_path(film, ".rgb24")
    try:
        with raw.open("wb") as file:
            frames = sum(file.write(picture.data) > 0 for picture in motion.pictures())
        config = EncodeConfig.model_validate({"id": "encode", "crf": 20, "preset": "veryfast"})
        with replacing(film) as partial:
            encode(
                Spool(raw, False, 0, frames), partial, Rendition(config, Master(motion.size, preset.fps / motion.every))
            )
    finally:
        raw.unlink(missing_ok=True)
    return film


class _Motion:
    """The cameras of a preset, built alone, in a frame of another size."""

    def __init__(self, preset: Preset) -> None:
        factor = max(1.0, max(preset.size) / _LONGEST_SIDE)
        self.size = Size(*(2 * math.ceil(side / factor / 2) for side in preset.size))
        self.every = max(1, round(preset.fps / _PICTURES_A_SECOND))
        self._preset = preset

    def moves(self) -> bool:
        """Whether there is any camera, at any time."""
        return any(_has_camera(config) for each in (self._preset, *self._preset.changed) for config in each.chain)

    def pictures(self) -> Iterator[NDArray[np.uint8]]:
        """One frame of `every`, (H, W, 3) RGB."""
        fps, life = float(self._preset.fps), max(4, round(_GRID_SECONDS * self._preset.fps))
        ways = [np.eye(3), np.eye(3)]
        total = self._frames()
        for index, step in enumerate(self._steps()):
            report("drawing the camera's way", index, total)
            ages = [(index + phase * life // 2) % life for phase in (0, 1)]
            ways = [way @ step if age else np.eye(3) for way, age in zip(ways, ages, strict=True)]
            if index % self.every == 0:
                weights = [_weight(age / life) for age in ages] if index >= life // 2 else [1.0, 0.0]
                picture = draw_grid([*zip(ways, weights, strict=True)], *self.size)
                write_text(picture, f"{index / fps:.1f} s   {_in_words(step, fps)}")
                yield picture

    def _frames(self) -> int:
        frames = self._preset.duration.to_frames(self._preset.fps)
        return round(_MOST_SECONDS * self._preset.fps) if frames is None else frames

    def _steps(self) -> Iterator[NDArray[np.float64]]:
        """The backward (3, 3) pixel matrix from each frame to the one before; before the first, nothing moves."""
        turns = self._preset.turns
        with ExitStack() as stack:
            cameras = self._cameras(self._preset, stack)
            for index in range(self._frames()):
                if index in turns:
                    cameras = self._cameras(turns[index], stack)
                step = torch.eye(3, dtype=torch.float64)
                for camera in cameras if index else ():
                    moved = camera.camera(index)
                    step = step if moved is None else step @ moved
                yield step.numpy()

    def _cameras(self, preset: Preset, stack: ExitStack) -> list[Stage[StageConfig]]:
        spec = preset.model_copy(update={"size": self.size, "margin": 0.0, "device": "cpu"}).spec()
        stages = [build_stage(config, spec) for config in preset.chain if _has_camera(config)]
        for stage in stages:
            stack.callback(stage.close)
        return stages


def _weight(age: float) -> float:
    """Of a grid of that age, from 0 to 1; those of two whose ages differ by a half make 1."""
    return min(1.0, max(0.0, 0.5 - 2 * math.cos(2 * math.pi * age)))


def _has_camera(config: StageConfig) -> bool:
    kind = find_stage(stage_name(config))
    return kind is not None and kind.build.camera is not Stage.camera


def _in_words(step: NDArray[np.float64], fps: float) -> str:
    """What a step comes to in a second, about the frame's middle."""
    forward = np.linalg.inv(step)
    zoom = abs(np.linalg.det(forward[:2, :2])) ** (fps / 2)
    turn = math.degrees(math.atan2(forward[1, 0], forward[0, 0])) * fps
    return f"zoom {zoom:.2f}/s   rotate {turn:+.0f} deg/s"
