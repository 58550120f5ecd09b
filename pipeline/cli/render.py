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
from pipeline.cli.console import complain, say
from pipeline.cli.stopping import Stopping
from pipeline.cli.watch import Watch
from pipeline.errors import RunError, StoppedWaiting, shell_word
from pipeline.statuses import RESUMABLE, STOPPED

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
    relative_to: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where relative paths in the preset begin; its own folder if left out."),
    ] = None,
    checkpoint_every: CheckpointOption = 30.0,
    workers: WorkersOption = 1,
    plan: Annotated[
        bool,
        typer.Option("--plan", help="Make the run's folder, and stop; `dreamreel run` renders it."),
    ] = False,
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
        loaded = load_preset(preset, changes, folder=relative_to)
    if plan:
        from pipeline.run import plan as make_folder

        say(f"dreamreel run {shell_word(str(make_folder(loaded, out).path))}")
        return
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


def run_command(run: RunArgument, checkpoint_every: CheckpointOption = 30.0) -> None:
    """Begin or go on with a run, whichever applies; nothing is done where it is finished. For schedulers.

    Exit status 0: it is finished. 75: stopped, by a signal or by the machine (a full disk, another process there):
    run it again. 1: its preset or files have to be changed first.
    """
    with Watch(f"reading {run}", stderr=True):
        from pipeline.errors import PASSING
        from pipeline.run import proceed
        from pipeline.run.folder import RunFolder
        from pipeline.run.proceeding import failures_noted
        from pipeline.run.standing import standing

        folder = RunFolder(run)
        with failures_noted(folder):
            preset, stands = folder.load_preset(), standing(folder)
    if stands.state == "finished":
        say(f"{run}: finished, {stands.frames} frames")
        return
    try:
        watched(preset, checkpoint_every, stands.frames > 0, lambda options: proceed(run, options=options), RESUMABLE)
    except PASSING as error:
        complain(str(error))
        raise typer.Exit(RESUMABLE) from None


def watched(
    preset: Preset,
    checkpoint_seconds: float,
    resumed: bool,
    work: Callable[[Options], Result | None],
    stopped: int = STOPPED,
) -> None:
    """Render with its progress shown, so that Ctrl-C stops it in good order, with exit status `stopped`."""
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
        try:
            result = work(options)
        except StoppedWaiting as error:
            complain(str(error))
            raise typer.Exit(stopped) from None
    if result is None:  # somebody else has finished it meanwhile
        return
    progress.summary(result)
    if not result.finished:
        raise typer.Exit(stopped)
