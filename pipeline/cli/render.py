"""`dreamreel render` and `dreamreel resume`: a preset in, a film out, whatever happens in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import options
from pipeline.cli.complete import files_and_folders, folders
from pipeline.cli.stopping import STOPPED, Stopping
from pipeline.cli.watch import Watch
from pipeline.errors import RunError, shell_word

if TYPE_CHECKING:
    from pipeline.preset import Preset
    from pipeline.run import Options, Result

RunArgument = Annotated[
    Path,
    typer.Argument(metavar="RUN", help="A run's folder, such as renders/first-light.", autocompletion=folders),
]
MovedOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=PATH", help="The new place of a file: dream.mask.image=new/mask.png."),
]
MovedInputOption = Annotated[
    str | None,
    typer.Option(
        "--input",
        "-i",
        metavar="FILE",
        autocompletion=files_and_folders,
        help="The new place of the picture, film or folder that the source reads.",
    ),
]
CheckpointOption = Annotated[
    float, typer.Option(min=0.0, metavar="SECONDS", help="How often to save; no more work than that is ever lost.")
]


WorkersOption = Annotated[
    int, typer.Option(min=1, max=256, metavar="N", help="Shots rendered side by side, of a film cut into `shots`.")
]


def render_command(
    preset: options.PresetArgument,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="The run's folder; renders/NAME if left out.")
    ] = None,
    set_: options.SetOption = None,
    input_: options.InputOption = None,
    size: options.SizeOption = None,
    fps: options.FpsOption = None,
    duration: options.DurationOption = None,
    seed: options.SeedOption = None,
    device: options.DeviceOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Remove the run that is in the folder.")] = False,
    checkpoint_every: CheckpointOption = 30.0,
    workers: WorkersOption = 1,
) -> None:
    """Render a preset to a film."""
    changes = options.overrides(set_, input_, size, fps, duration, seed, device)
    with Watch(f"checking {preset}", stderr=True):
        # These import torch, which takes seconds: only now, so that --help and usage errors are instant.
        from pipeline.preset import load_preset
        from pipeline.run import render
        from pipeline.run.folder import RunFolder

        if RunFolder(preset).holds_run():
            again = f"dreamreel render {shell_word(str(Path(preset) / 'preset.yaml'))} --out ANOTHER"
            raise RunError(f"{preset} is a run, no preset; {RunFolder(preset).resume_hint}, or render it anew: {again}")
        loaded = load_preset(preset, changes)
    with_workers = partial(replace, workers=workers)
    watched(
        loaded,
        checkpoint_every,
        False,
        lambda options: render(loaded, out, overwrite=overwrite, options=with_workers(options)),
    )


def resume_command(
    run: RunArgument,
    duration: options.DurationOption = None,
    set_: MovedOption = None,
    input_: MovedInputOption = None,
    checkpoint_every: CheckpointOption = 30.0,
    workers: WorkersOption = 1,
) -> None:
    """Go on with a run that was stopped or killed; with a longer --duration, extend a finished one.

    --input and --set say where moved files are now; their contents must be the same.
    """
    changes = options.overrides(set_, input_, None, None, None, None, None)
    with Watch(f"reading {run}", stderr=True):
        from pipeline.run import resume
        from pipeline.run.folder import RunFolder

        moved = {change.key: change.value for change in changes}
        preset = RunFolder(run).load_preset(duration, moved)
    with_workers = partial(replace, workers=workers)
    watched(
        preset,
        checkpoint_every,
        True,
        lambda options: resume(run, duration=duration, moved=moved, options=with_workers(options)),
    )


def watched(preset: Preset, checkpoint_seconds: float, resumed: bool, work: Callable[[Options], Result]) -> None:
    """Render with its progress shown, so that Ctrl-C stops it in good order."""
    from pipeline.cli.progress import RenderProgress
    from pipeline.run import Options

    with RenderProgress(preset, resumed=resumed) as progress, Stopping(progress.say) as stopping:
        options = Options(
            on_frame=progress.on_frame,
            on_lead_in=progress.on_lead_in,
            on_message=progress.on_message,
            should_stop=lambda: stopping.asked,
            checkpoint_seconds=checkpoint_seconds,
        )
        result = work(options)
    progress.summary(result)
    if not result.finished:
        raise typer.Exit(STOPPED)
