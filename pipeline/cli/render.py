"""`dreamreel render`: a preset in, a film out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli import options


def command(
    preset: options.PresetArgument,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="The run's folder; renders/NAME if left out."),
    ] = None,
    set_: options.SetOption = None,
    input_: options.InputOption = None,
    size: options.SizeOption = None,
    fps: options.FpsOption = None,
    duration: options.DurationOption = None,
    seed: options.SeedOption = None,
    device: options.DeviceOption = None,
) -> None:
    """Render a preset to a film."""
    changes = options.overrides(set_, input_, size, fps, duration, seed, device)
    # These import torch: only now, so that --help and usage errors are instant.
    from pipeline.cli.progress import RenderProgress
    from pipeline.preset import find_preset, load_preset
    from pipeline.run import render

    loaded = load_preset(find_preset(preset), changes)
    with RenderProgress(loaded) as progress:
        result = render(loaded, out, progress.on_frame)
    progress.summary(result)
