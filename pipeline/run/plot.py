"""The curves of a run's log as a picture: does the film die, blow up or drift?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from pipeline.errors import RunError, shell_word
from pipeline.frame import from_array
from pipeline.media.chart import Canvas, Panel, draw_chart
from pipeline.media.picture import write_png
from pipeline.ops.measure import Look
from pipeline.preset.scene import turning_points
from pipeline.run.folder import RunFolder
from pipeline.run.log import frame_records

NOTES = {
    "brightness": "mean luma, 1 is white",
    "contrast": "standard deviation of luma",
    "saturation": "mean distance of a pixel's highest colour from its lowest",
    "clipped": "share of values that are black or white to the last bit",
    "sharpness": "standard deviation of luma's Laplacian",
}


def plot(out: str | Path, picture: str | Path | None = None) -> Path:
    """Draw brightness, contrast, saturation, clipped share and sharpness of every frame of a run over time, with
    a line at every change of its preset, and where a scene begins or changes.

    Writes a PNG, by default `plot.png` in the run's folder, and returns its path. Raises RunError when there is no
    run or it has no frame yet, MediaError when the picture can't be written.
    """
    folder = RunFolder(out)
    preset = folder.load_preset()
    records = {index: facts for index, facts in sorted(frame_records(folder.log_file).items()) if _is_whole(facts)}
    if not records:
        look = f"dreamreel info {shell_word(str(folder.path))}"
        raise RunError(f"{folder.path} has no frame yet; plot it when `{look}` shows some")
    path = folder.plot if picture is None else Path(picture)
    title = f"{preset.name}, {preset.size}, {len(records)} frames at {preset.fps} fps"
    turns = [float(frame / preset.fps) for frame in turning_points(preset)]
    chart = draw_figures(title, list(records), list(records.values()), preset.fps, lines=turns)
    write_png(from_array(chart), path)
    return path


def draw_figures(
    title: str,
    frames: Sequence[int],
    figures: Sequence[Mapping[str, Any]],
    fps: Fraction,
    bands: Mapping[str, tuple[float, float]] | None = None,
    lines: Sequence[float] = (),
) -> Canvas:
    """The chart of the figures of `frames`, each a mapping with all names of `Look`; (H, W, 3) RGB.

    `bands` are ranges to shade, by figure; `lines` stand at these seconds.
    """
    seconds = [float(index / fps) for index in frames]
    bands = {} if bands is None else bands
    panels = [
        Panel(name, NOTES[name], seconds, [float(facts[name]) for facts in figures], bands.get(name))
        for name in Look._fields
    ]
    return draw_chart(title, panels, lines)


def _is_whole(facts: Mapping[str, Any]) -> bool:
    return all(isinstance(facts.get(name), int | float) for name in Look._fields)
