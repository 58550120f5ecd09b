"""`dreamreel presets`: what comes with dreamreel."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.table import Table


def command() -> None:
    """List the presets that come with dreamreel."""
    from pipeline.preset import load_preset, shelf

    table = Table("name", "size", "fps", "length", "about", box=None, pad_edge=False)
    for name, path in shelf().items():
        preset = load_preset(path)
        about = path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        table.add_row(name, str(preset.size), str(preset.fps), str(preset.duration), about)
    Console().print(table)
    typer.echo("\nRender one: dreamreel render NAME. Copy one and change it: they are plain text with comments.")
