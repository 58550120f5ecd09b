"""The moving numbers of a preset as a picture, before anything is rendered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.curves import Curve, curves_of
from pipeline.errors import PresetError, Problem
from pipeline.frame import from_array
from pipeline.media.chart import Canvas, Panel, draw_chart
from pipeline.media.picture import write_png
from pipeline.preset.model import Preset
from pipeline.preset.scene import Scene, turning_points
from pipeline.times import Array

_MOST_POINTS = 4000


def plot_preset(preset: Preset, picture: Path) -> int:
    """Draw every moving number over the film, with the beats of its song as ticks, and return how many there are.

    Raises PresetError where none moves, MediaError when the picture can't be written.
    """
    moving = panels(preset)
    if not moving:
        raise PresetError([Problem(preset.name, (), "no number moves in this preset; its plot would be empty")])
    write_png(from_array(draw(preset, moving)), picture)
    return len(moving)


def draw(preset: Preset, moving: list[Panel]) -> Canvas:
    """The chart, (H, W, 3) RGB; sections of the song are lines."""
    frames = preset.duration.to_frames(preset.fps)
    length = "endless" if frames is None else f"{float(frames / preset.fps):g} s"
    lines = [] if preset.signals is None else preset.signals.sections[1:].tolist()
    lines += [float(frame / preset.fps) for frame in turning_points(preset)]
    return draw_chart(f"{preset.name}, {length}, {preset.fps} fps", moving, lines)


def panels(preset: Preset) -> list[Panel]:
    """One for each number that moves, by itself or by a change; it goes on as it was where its stage is gone."""
    if preset.scenes:
        numbered = enumerate(preset.scenes)
        return [_later(panel, number, scene) for number, scene in numbered for panel in panels(scene.preset)]
    spec = preset.spec()
    frames = np.unique(np.linspace(0, spec.checked_frames - 1, min(_MOST_POINTS, spec.checked_frames)).round())
    moments = spec.at_frames(frames)
    beats = [] if spec.signals is None else (spec.signals.beats - spec.clock.before_it).tolist()
    values: dict[str, Array] = {}
    curves: dict[str, list[Curve]] = {}
    for start, here in ((0, preset), *preset.turns.items()):
        for name, curve in _curves(here).items():
            now = curve.values(moments)
            values[name] = np.where(frames >= start, now, values.get(name, now))
            curves[name] = [*curves.get(name, []), curve]
    seconds = moments.seconds.tolist()
    return [
        Panel(name, ", then ".join(dict.fromkeys(map(str, curves[name]))), seconds, found.tolist(), ticks=beats)
        for name, found in values.items()
        if np.ptp(found) > 0 or any(curve.constant is None for curve in curves[name])
    ]


def _later(panel: Panel, number: int, scene: Scene) -> Panel:
    """A scene's panel, at its place in the film."""
    start = float(scene.start / scene.preset.fps)
    seconds, ticks = ([start + second for second in each] for each in (panel.seconds, panel.ticks))
    return replace(panel, title=f"scenes[{number}].{panel.title}", seconds=seconds, ticks=ticks)


def _curves(preset: Preset) -> dict[str, Curve]:
    return {
        f"{config.id}.{key}{place}".strip(): curve
        for config in preset.chain
        for key, place, curve, _ in curves_of(config)
    }
