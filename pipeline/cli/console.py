"""Where commands speak: tables whose names are never cut, and words that may go unheard."""

from __future__ import annotations

import os
import sys

import typer
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

_ENDLESS_LINE = 10_000


class Talk(Console):
    """A console that falls silent when nobody listens any more, as behind `| head`, and lets the work go on."""

    def on_broken_pipe(self) -> None:
        """Called by rich, whose own would end the process."""
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())


def print_table(table: Table) -> None:
    """Print a table whose first column is whole, however narrow the terminal; elsewhere a row is a line."""
    console = Console()
    names = table.columns[0]
    names.no_wrap = True
    names.min_width = max(map(cell_len, map(str, (names.header, *names.cells))))
    if not console.is_terminal:
        console = Console(width=_ENDLESS_LINE)
    with console.capture() as printed:
        console.print(table, highlight=False, markup=False, crop=False)
    for line in printed.get().splitlines():
        typer.echo(line.rstrip())
