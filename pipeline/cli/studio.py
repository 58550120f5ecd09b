"""`dreamreel studio`: a page that shows films while they are rendered, and steers them."""

from __future__ import annotations

import importlib.util
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.complete import folders
from pipeline.cli.console import remark, say
from pipeline.cli.watch import Watch
from pipeline.errors import PipelineError

_NEEDED = ("starlette", "uvicorn", "websockets")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def command(
    folder: Annotated[
        Path,
        typer.Argument(help="Whose presets and renders it shows; the current one if left out.", autocompletion=folders),
    ] = Path("."),
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, metavar="N", help="The first free one from 8460 on if left out.")
    ] = None,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Another one lets in whoever reaches it and has the link.")
    ] = "127.0.0.1",
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only print the link.")] = False,
) -> None:
    """Open a page in the browser: watch films being rendered, steer them, branch them, start and stop them."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        said = f"the studio needs {', '.join(missing)}, which is not installed"
        raise PipelineError(f"{said}: pip install 'dreamreel[studio]'")
    if not folder.is_dir():
        raise PipelineError(f"{folder} is no folder; name one with presets, or make it")
    with Watch("opening the studio", stderr=True):
        from pipeline.studio.server import Studio

        studio = Studio(folder, host, port)
    say(studio.link)
    if host not in _LOOPBACK:
        remark(
            f"note: it listens on {host}, beyond this machine and without encryption: whoever has the link may read "
            f"and write presets in {folder.resolve()}, render there, and have presets open any file that you may read"
        )
    remark("Ctrl-C closes the studio; renders go on")
    if not no_browser:
        webbrowser.open(studio.link)
    studio.run()
    remark("closed")
