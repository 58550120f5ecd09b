"""`dreamreel check`: is a preset right, without rendering it?"""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli import options
from pipeline.cli.complete import preset_names
from pipeline.cli.console import say
from pipeline.cli.watch import Watch
from pipeline.errors import PresetError, Problem


def command(
    presets: Annotated[
        list[str],
        typer.Argument(metavar="PRESET", help="Presets by path or name.", autocompletion=preset_names),
    ],
    set_: options.SetOption = None,
    input_: options.InputOption = None,
    size: options.SizeOption = None,
    fps: options.FpsOption = None,
    duration: options.DurationOption = None,
    seed: options.SeedOption = None,
    device: options.DeviceOption = None,
) -> None:
    """Check presets without rendering them: list every problem, or say in a line what each would make.

    The options are those of `dreamreel render`, and change each of the presets.
    """
    changes = options.overrides(set_, input_, size, fps, duration, seed, device)
    from pipeline.preset import load_preset

    problems: list[Problem] = []
    for text in presets:
        try:
            with Watch(f"checking {text}", stderr=True):
                preset = load_preset(text, changes)
        except PresetError as error:
            problems.extend(error.problems)
            continue
        frames = preset.duration.to_frames(preset.fps)
        counted = "" if frames is None else f", {frames} frames"
        say(f"{text}: ok, {preset.size}, {preset.fps} fps, {preset.duration}{counted}")
        for note in preset.notes:
            say(f"{text}: note: {note}")
    if problems:
        raise PresetError(problems)
