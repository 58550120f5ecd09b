"""What the measurements share: fair timing, tables, JSON."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import torch

RESULTS = Path(__file__).parent / "results"


@contextmanager
def threads(count: int) -> Iterator[None]:
    """So many threads of torch; with one, processor time can be measured."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def processor_seconds() -> float:
    """This thread's own time, which other programs on the machine do not lengthen."""
    return time.thread_time()


def time_in_turn(
    variants: Mapping[str, Callable[[], object]], rounds: int, clock: Callable[[], float] = processor_seconds
) -> dict[str, float]:
    """The median seconds of each variant, all of them run in turn, after one run of each that is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in variants}
    for run in variants.values():
        run()
    for _ in range(rounds):
        for name, run in variants.items():
            start = clock()
            run()
            taken[name].append(clock() - start)
    return {name: median(seconds) for name, seconds in taken.items()}


def table(rows: list[dict[str, Any]]) -> str:
    """Rows of equal keys as a Markdown table."""
    heads = list(rows[0])
    lines = [heads, ["---"] * len(heads), *([_cell(row[head]) for head in heads] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def report(name: str, rows: list[dict[str, Any]]) -> None:
    """Print the table, and write it with the machine as JSON."""
    print(f"\n{name}\n\n{table(rows)}", flush=True)
    RESULTS.mkdir(exist_ok=True)
    about = {"date": time.strftime("%Y-%m-%d"), "machine": machine(), "rows": rows}
    (RESULTS / f"{name}.json").write_text(json.dumps(about, indent=1), encoding="utf-8")


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    capability = torch.backends.cpu.get_cpu_capability()
    return {
        "cpu": platform.processor() or platform.machine(),
        "capability": capability,
        "cores": os.cpu_count(),
        "gpu": gpu,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
