"""The one room where commands speak: printable whatever it is, and names in tables are never cut."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.errors import printable

_ENDLESS_LINE = 10_000


def console(*, stderr: bool = False) -> Console:
    """A console that takes text as it stands: no markup, no emoji codes, no colours of its own, no broken lines."""
    return Console(stderr=stderr, soft_wrap=True, highlight=False, markup=False, emoji=False)


def say(text: str = "", *, bold: bool = False) -> None:
    """Print a line to standard output."""
    _print(Text(printable(text)), console(), "bold" if bold else "")


def remark(text: str) -> None:
    """Print a line to standard error, where it is kept apart from what the command is asked for."""
    _print(Text(printable(text)), console(stderr=True), "")


def complain(text: str) -> None:
    """Print lines to standard error, in red on a terminal."""
    _print(Text(printable(text, lines=True)), console(stderr=True), "red")


def _print(text: Text, to: Console, style: str) -> None:
    to.print(text, style=style if to.is_terminal else None)


def print_table(rows: Iterable[Sequence[str]], header: Sequence[str] = ()) -> None:
    """Print rows whose first column is whole, however narrow the terminal; elsewhere a row is a line."""
    table = Table(box=None, pad_edge=False, show_header=bool(header), padding=(0, 2, 0, 0))
    for title in header:
        table.add_column(printable(title))
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    names = table.columns[0]
    names.no_wrap = True
    names.min_width = max((cell_len(str(cell)) for cell in (names.header, *names.cells)), default=0)
    to = console()
    if not to.is_terminal:
        to = Console(width=_ENDLESS_LINE)
    with to.capture() as printed:
        to.print(table, crop=False, soft_wrap=False)
    for line in printed.get().splitlines():
        print(line.rstrip(), file=sys.stdout)
