"""`dreamreel check`: is a preset right, without rendering it?"""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.errors import PresetError, Problem


def command(
    presets: Annotated[list[str], typer.Argument(metavar="PRESET...", help="Presets by path or name.")],
) -> None:
    """Check presets without rendering: every problem of every one, or a line that says what it would make."""
    from pipeline.preset import find_preset, load_preset

    problems: list[Problem] = []
    for text in presets:
        try:
            preset = load_preset(find_preset(text))
        except PresetError as error:
            problems.extend(error.problems)
            continue
        frames = preset.duration.to_frames(preset.fps)
        counted = "" if frames is None else f", {frames} frames"
        typer.echo(f"{text}: ok, {preset.size}, {preset.fps} fps, {preset.duration}{counted}")
        for stage in preset.stages:
            for note in stage.notes():
                typer.echo(f"  {note}")
    if problems:
        raise PresetError(problems)
