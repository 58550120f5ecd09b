"""The moving numbers of a preset as a picture, before anything is rendered."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.curves import curves_of
from pipeline.errors import PresetError, Problem
from pipeline.frame import from_array
from pipeline.media.chart import Canvas, Panel, draw_chart
from pipeline.media.picture import write_png
from pipeline.preset.model import Preset

_MOST_POINTS = 4000


def plot_preset(preset: Preset, picture: Path) -> int:
    """Draw every moving number over the film, with the beats of its song as ticks, and return how many there are.

    Raises PresetError where none moves, MediaError when the picture can't be written.
    """
    panels = _panels(preset)
    if not panels:
        raise PresetError([Problem(preset.name, (), "no number moves in this preset; its plot would be empty")])
    write_png(from_array(draw(preset, panels)), picture)
    return len(panels)


def draw(preset: Preset, panels: list[Panel]) -> Canvas:
    """The chart, (H, W, 3) RGB; sections of the song are lines."""
    frames = preset.duration.to_frames(preset.fps)
    length = "endless" if frames is None else f"{float(frames / preset.fps):g} s"
    lines = [] if preset.signals is None else preset.signals.sections[1:].tolist()
    return draw_chart(f"{preset.name}, {length}, {preset.fps} fps", panels, lines)


def _panels(preset: Preset) -> list[Panel]:
    spec = preset.spec()
    clock = spec.clock
    frames = np.unique(np.linspace(0, spec.checked_frames - 1, min(_MOST_POINTS, spec.checked_frames)).round())
    moments = clock.at_frames(frames)
    beats = [] if spec.signals is None else spec.signals.beats.tolist()
    panels = []
    for config in preset.chain:
        for key, place, curve, _ in curves_of(config):
            if curve.constant is None:
                name = f"{config.id}.{key}{place}".strip()
                values = curve.values(moments)
                panels.append(Panel(name, str(curve), moments.seconds.tolist(), values.tolist(), ticks=beats))
    return panels
