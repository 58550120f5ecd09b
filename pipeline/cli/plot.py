"""`dreamreel plot`: the curves of a run as a picture, or those of a preset before it is rendered."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli import options
from pipeline.cli.complete import preset_names
from pipeline.cli.console import say
from pipeline.cli.watch import Watch
from pipeline.errors import PresetError, Problem


def command(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RUN|PRESET",
            help="A run's folder, such as renders/first-light; or a preset, by path or name.",
            autocompletion=preset_names,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="PNG", help="The picture; RUN/plot.png, or NAME-plot.png if left out."),
    ] = None,
    set_: options.SetOption = None,
    input_: options.InputOption = None,
    fps: options.FpsOption = None,
    duration: options.DurationOption = None,
    seed: options.SeedOption = None,
) -> None:
    """Draw a run's brightness, contrast, saturation, clipping and sharpness over time, as a PNG.

    Of a preset, draw every number that moves, with the beats of its song; the options change it, as in `render`.
    """
    changes = options.overrides(set_, input_, None, fps, duration, seed, None)
    with Watch(f"drawing {what}", stderr=True):
        from pipeline.preset import load_preset, shelf

        if Path(what).is_dir() or not (Path(what).exists() or what in shelf()):
            from pipeline.run.plot import plot

            if changes:
                said = "change presets; a run is what it is"
                raise PresetError([Problem("", (), f"--set, --input, --fps, --duration and --seed {said}")])
            drawn = plot(what, out)
        else:
            from pipeline.preset.plot import plot_preset

            preset = load_preset(what, changes)
            drawn = Path(f"{preset.name}-plot.png") if out is None else out
            plot_preset(preset, drawn)
    say(str(drawn))
