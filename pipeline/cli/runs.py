"""`dreamreel info` and `dreamreel assemble`: looking at a run, and joining what it has."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.console import print_table, remark, say
from pipeline.cli.render import RunArgument
from pipeline.cli.watch import Watch, before_the_first, clock


def info_command(run: RunArgument) -> None:
    """Tell how a run stands: frames, segments, checkpoints, time, and what was changed in its preset."""
    with Watch(f"looking at {run}", stderr=True):
        from pipeline.run import report

        found = report(run)
    preset = found.preset
    print_table(
        [
            ("run", f"{preset.name}, {preset.size}, {preset.fps} fps, {preset.duration}, seed {preset.seed}"),
            ("state", found.state),
            ("frames", f"{found.frames} of {found.total if found.total is not None else 'endless'}"),
            ("segments", str(found.segments)),
            *(("checkpoint", f"{_place(frame)}: {health}") for frame, health in found.checkpoints.items()),
            ("time spent", clock(found.seconds)),
            ("film", str(found.film) if found.film is not None else "not joined yet (dreamreel assemble)"),
            ("preset from", found.origin if found.origin is not None else "Python"),
            *(("changed", change) for change in found.changes),
        ]
    )


def _place(frame: int) -> str:
    return f"frame {frame}" if frame >= 0 else before_the_first(-frame)


def assemble_command(
    run: RunArgument,
    audio: Annotated[
        str | None,
        typer.Option(metavar="SOUND", help="Another sound for this film: none, source, or a file with sound."),
    ] = None,
) -> None:
    """Join the film so far, of a run that is rendering, stopped or damaged."""
    with Watch(f"joining {run}", stderr=True):
        from pipeline.run import assemble

        film, frames = assemble(run, audio, lambda note: remark(f"note: {note}"))
    say(f"{film}: {frames} frames")
