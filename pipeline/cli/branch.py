"""`dreamreel branch`: a run goes on otherwise from one of its frames on, beside the one that is there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli import options
from pipeline.cli.render import CheckpointOption, RunArgument, watched
from pipeline.cli.watch import Watch


def command(
    run: RunArgument,
    at: Annotated[
        str, typer.Option("--at", metavar="TIME", help="From when on it is another: 12s, 1m30s, 288f, or 16b.")
    ],
    set_: options.SetOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="The branch's folder; RUN-at-TIME, beside it, if left out."),
    ] = None,
    duration: options.DurationOption = None,
    checkpoint_every: CheckpointOption = 30.0,
) -> None:
    """Go on from a frame of a run with changed settings, as a run of its own; what was right is not rendered again.

    --set changes keys of the stages from there on; in a film of scenes, such as scenes[1].dream.layer. The run itself
    is only read, and may be rendering.
    """
    changes = options.overrides(set_, None, None, None, None, None, None)
    with Watch(f"branching {run}", stderr=True) as watch:
        from pipeline.run import resume
        from pipeline.run.branching import begin_branch

        folder = begin_branch(run, at, changes, out, duration, watch.say)
        preset = folder.load_preset()
    watched(preset, checkpoint_every, True, lambda options: resume(folder.path, options=options))
