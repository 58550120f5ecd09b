"""`dreamreel batch`: many runs from one file, side by side, with how they stand."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipeline.cli.complete import files_and_folders
from pipeline.cli.console import complain, console, print_table, say
from pipeline.cli.stopping import Stopping
from pipeline.cli.watch import Watch, megabytes
from pipeline.errors import RunError, printable
from pipeline.statuses import STOPPED

if TYPE_CHECKING:
    from pipeline.batch import BatchFolder, Planned, Work
    from pipeline.batch.local import Attempt, Outcome

_MOST_SHOWN = 40


def command(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A batch file, such as batch.yaml.", autocompletion=files_and_folders)
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Where the runs lie; renders/NAME if left out.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="NAME", help="Only runs called so; * stands for anything."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=1024, metavar="N", help="How many render side by side.")] = 1,
    on: Annotated[str, typer.Option("--on", metavar="WHERE", help="local, or ray: a Ray cluster.")] = "local",
    address: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Of the Ray cluster; without, one is started here.")
    ] = None,
    gpus: Annotated[
        float, typer.Option(min=0.0, metavar="SHARE", help="Of a GPU for each run on Ray: 1, 0.5; 0 for processors.")
    ] = 0.0,
    retry: Annotated[bool, typer.Option("--retry", help="Try those again that failed.")] = False,
    list_: Annotated[
        bool, typer.Option("--list", help="Print a command for each run that is not finished, and stop.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show which runs there are, and check them; nothing is written.")
    ] = False,
) -> None:
    """Render every run that a batch file makes: presets by seeds, by values of keys, by pictures.

    Give it again, and it goes on with what is not finished. Ctrl-C stops all of them; nothing is lost.
    """
    _require_place(on, address, gpus)
    with Watch(f"reading {file}", stderr=True) as watch:
        from pipeline.batch import BatchFolder, expand, load_batch
        from pipeline.batch.planning import chosen

        loaded = load_batch(file)
        runs = chosen(expand(loaded), only or [])
        folder = BatchFolder(loaded, out)
        settle = folder.missing if dry_run else folder.freeze
        settle(runs, lambda count: watch.hear("planning runs", count, len(runs)))
        works = [folder.work(planned) for planned in runs]
    if dry_run:
        _show(folder, runs)
        return
    states = [(work, work.standing().state) for work in works]
    failed = [] if retry else [work for work, state in states if state == "failed"]
    todo = [work for work, state in states if state != "finished" and (retry or state != "failed")]
    if list_:
        for work in todo:
            say(work.shown_command)
        return
    outcomes = _render(todo, workers, on, address, gpus)
    _sum_up(folder, works, outcomes, failed)


def _require_place(on: str, address: str | None, gpus: float) -> None:
    if on not in ("local", "ray"):
        raise typer.BadParameter(f"{on} is no place to render; use local or ray", param_hint="'--on'")
    if on == "local" and (address is not None or gpus):
        hint = "'--address'" if address is not None else "'--gpus'"
        raise typer.BadParameter("is of a Ray cluster; add --on ray, or leave it out", param_hint=hint)


def _show(folder: BatchFolder, runs: Sequence[Planned]) -> None:
    works = [folder.work(planned) for planned in runs]
    keys = list(dict.fromkeys(key for planned in runs for key in planned.told))
    rows = [(work.planned.name, work.standing().state if work.folder.holds_run() else "new") for work in works]
    told = [[str(work.planned.told.get(key, "")) for key in keys] for work in works]
    print_table([(*row, *more) for row, more in zip(rows, told, strict=True)], ("run", "state", *keys))
    say(f"{len(runs)} run{'' if len(runs) == 1 else 's'}, in {folder.path}")


def _render(works: Sequence[Work], workers: int, on: str, address: str | None, gpus: float) -> list[Outcome]:
    if not works:
        return []
    with _Progress(len(works)) as progress, Stopping(progress.say_above) as stopping:
        if on == "ray":
            from pipeline.batch.on_ray import render_on_ray

            return render_on_ray(works, address, progress.changed, lambda: stopping.asked, gpus)
        from pipeline.batch.local import Pool, visible_gpus

        pool = Pool(workers, progress.changed, progress.look, lambda: stopping.asked, gpus=visible_gpus())
        return pool.run(works)


def _sum_up(folder: BatchFolder, works: Sequence[Work], outcomes: Sequence[Outcome], left: Sequence[Work]) -> None:
    from pipeline.batch.sheet import write_page, write_sheet

    states = Counter(work.standing().state for work in works)
    say(", ".join(f"{count} {state}" for state, count in states.most_common()) + f", in {folder.path}")
    try:
        write_sheet(works, folder.sheet)
        write_page(works, folder.file.batch.name, folder.page)
    except OSError as error:
        raise RunError(f"can't write the sheet in {folder.path}: {error.strerror or error}") from None
    say(f"{folder.sheet}, and side by side: {folder.page}")
    bad = [outcome for outcome in outcomes if outcome.said and outcome.said != "stopped"]
    for outcome in bad:
        complain(f"{outcome.work.planned.name}: {outcome.said}")
    for work in left:
        complain(f"{work.planned.name}: failed before: {work.standing().error} (--retry tries it again)")
    if bad or left:
        raise typer.Exit(1)
    if states.keys() - {"finished"}:
        raise typer.Exit(STOPPED)


class _Progress:
    """The runs that render, live on a terminal; elsewhere a line for each that ends."""

    def __init__(self, total: int) -> None:
        self._console = console(stderr=True)
        self._total, self._ended, self._running = total, 0, list[tuple[str, int, int]]()
        self._stack = ExitStack()
        self._live: Live | None = None

    def look(self, running: Sequence[Attempt]) -> None:
        """Take note of what renders now."""
        if self._live is not None:
            self._running = [(a.work.planned.name, a.work.standing().frames, a.peak) for a in running]
            self._live.update(self._table())

    def changed(self, outcome: Outcome) -> None:
        """A run has ended."""
        self._ended += 1
        said = outcome.standing.state if not outcome.said else outcome.said.splitlines()[-1]
        self.say_above(f"{self._ended}/{self._total} {outcome.work.planned.name}: {said}")

    def say_above(self, text: str) -> None:
        """Print a line, above those that live."""
        self._console.print(Text(printable(text)))

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
        for name, frames, peak in self._running[:_MOST_SHOWN]:
            table.add_row(Text(printable(name), "bold"), f"{frames} frames", megabytes(peak))
        table.add_row(Text(f"{self._ended} of {self._total} ended, {len(self._running)} render", "dim"))
        return table

    def __enter__(self) -> _Progress:
        if self._console.is_terminal and not self._console.is_dumb_terminal and not os.environ.get("NO_COLOR"):
            self._live = self._stack.enter_context(Live(self._table(), console=self._console, refresh_per_second=4))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
