"""`dreamreel plot`: the curves of a run as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.console import say
from pipeline.cli.render import RunArgument
from pipeline.cli.watch import Watch


def command(
    run: RunArgument,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="PNG", help="The picture; RUN/plot.png if left out.")
    ] = None,
) -> None:
    """Draw a run's brightness, contrast, saturation, clipping and sharpness over time, as a PNG."""
    with Watch(f"drawing {run}", stderr=True):
        from pipeline.run.plot import plot

        drawn = plot(run, out)
    say(str(drawn))
