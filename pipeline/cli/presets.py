"""`dreamreel presets`: what comes with dreamreel."""

from __future__ import annotations

import typer
from rich.table import Table

from pipeline.cli.console import print_table
from pipeline.errors import PresetError


def command() -> None:
    """List the presets that come with dreamreel."""
    from pipeline.preset import load_preset, shelf

    table = Table("name", "size", "fps", "length", "about", box=None, pad_edge=False)
    for name, path in shelf().items():
        about = path.read_text(encoding="utf-8").splitlines()[0].lstrip("# ")
        try:
            preset = load_preset(path)
        except PresetError as error:  # such as a photograph whose package is not installed
            table.add_row(name, "-", "-", "-", f"{about} (not here: {error.problems[0].message})")
            continue
        table.add_row(name, str(preset.size), str(preset.fps), str(preset.duration), about)
    print_table(table)
    typer.echo("\nRender one: dreamreel render NAME. Copy one and change it: they are plain text with comments.")
