"""`dreamreel info` and `dreamreel assemble`: looking at a run, and joining what it has."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pipeline.cli.render import RunArgument


def info_command(run: RunArgument) -> None:
    """Tell how a run stands: frames, segments, checkpoints, time, and what was changed in its preset."""
    from pipeline.cli.progress import clock
    from pipeline.run import report

    found = report(run)
    table = Table(show_header=False, box=None, pad_edge=False)
    preset = found.preset
    table.add_row("run", f"{preset.name}, {preset.size}, {preset.fps} fps, {preset.duration}, seed {preset.seed}")
    table.add_row("state", found.state)
    table.add_row("frames", f"{found.frames} of {found.total if found.total is not None else 'endless'}")
    table.add_row("segments", str(found.segments))
    for frame, health in found.checkpoints.items():
        table.add_row("checkpoint", f"frame {frame}: {health}")
    table.add_row("time spent", clock(found.seconds))
    table.add_row("film", str(found.film) if found.film is not None else "not joined yet (dreamreel assemble)")
    table.add_row("preset from", found.origin if found.origin is not None else "Python")
    for change in found.changes:
        table.add_row("changed", change)
    Console(soft_wrap=True, highlight=False, markup=False).print(table)


def assemble_command(
    run: RunArgument,
    audio: Annotated[
        str | None,
        typer.Option(
            metavar="SOUND", help="none, source, or a file with sound, for this film; the preset's if left out."
        ),
    ] = None,
) -> None:
    """Join the film so far, of a run that is rendering, stopped or damaged."""
    from pipeline.run import assemble

    film, frames = assemble(run, audio, lambda note: typer.echo(f"note: {note}", err=True))
    typer.echo(f"{film}: {frames} frames")
