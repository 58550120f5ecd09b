"""`dreamreel deforum`: a Deforum settings file as a preset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.console import remark, say
from pipeline.cli.watch import Watch
from pipeline.errors import PresetError, Problem


def command(
    settings: Annotated[Path, typer.Argument(metavar="SETTINGS", help="Deforum's settings file, JSON in .txt.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="YAML", help="The preset's file; printed if left out.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
) -> None:
    """Write a Deforum settings file as a preset: its size, length, camera, pictures and sound. The rest is told."""
    with Watch(f"reading {settings}", stderr=True):
        from pipeline.disk import write_whole
        from pipeline.preset.deforum import preset_from_deforum

        text, left_out = preset_from_deforum(settings)
    if out is None:
        say(text.rstrip())
    else:
        if out.exists() and not overwrite:
            raise PresetError([Problem(str(out), (), "is there already; name another file, or give --overwrite")])
        write_whole(out, text.encode())
        say(str(out))
    for line in left_out:
        remark(f"left out: {line}")
