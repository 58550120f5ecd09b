"""A batch of small runs beside the same runs one by one, and what 1,000 runs cost where nothing has to be rendered.

python -m benchmarks.batches [--seeds 8] [--workers 2] [--ray] [--many 1000]

Where seconds are the clock's, the machine must be quiet: ten minutes for 64 runs on two processors, with Ray fifteen.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.common import report
from pipeline.batch import BatchFolder, Work, expand, load_batch
from tests.batch.small import write
from tests.batch.stub import finish_all

LAYERS = ("blocks.2.1", "blocks.3.2", "blocks.4.1", "blocks.5.0")
PRESET = """\
size: 192x108
fps: 12
duration: 2s
device: cpu
stages:
  - stage: noise
  - {{stage: zoom, zoom: {zoom}}}
  - {{stage: dream, engine: packed, precision: float32, octaves: 2, steps: 1, first_steps: 4}}
  - stage: palette
  - stage: encode
"""
BATCH = "presets: [slow.yaml, fast.yaml]\nseeds: 0-{last}\ngrid: {{dream.layer: [{layers}]}}\n"


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--ray", action="store_true")
    parser.add_argument("--many", type=int, default=1000)
    given, _ = parser.parse_known_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    many(given.many)
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for name, zoom in (("slow", 1.1), ("fast", 1.6)):
            (folder / f"{name}.yaml").write_text(PRESET.format(zoom=zoom))
        file = folder / "batch.yaml"
        file.write_text(BATCH.format(last=given.seeds - 1, layers=", ".join(LAYERS)))
        single = works_of(file, folder / "single")
        alone = sum(seconds(work.command) for work in single)
        rows = [row(f"batch --workers {given.workers}", file, single, alone, given.workers, [])]
        if given.ray:
            rows.append(row("batch --on ray", file, single, alone, os.cpu_count() or 1, ["--on", "ray"]))
    report("batches", rows)


def many(count: int) -> None:
    """What a large batch takes to be planned, listed, looked at again with half of it done, and shown at its end."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        file = write(folder, f"presets: a.yaml\nseeds: 0-{count - 1}\n")
        words = ["batch", str(file), "--out", str(folder / "out")]
        rows = [_costs(count, "begun: expanded, planned, listed", [*words, "--list"])]
        works = works_of(file, folder / "out")
        finish_all(works[: count // 2])
        rows.append(_costs(count, "half done: listed", [*words, "--list"]))
        finish_all(works)
        rows.append(_costs(count, "all done: sheet and page written", words))
    report("batch of many", rows)


def _costs(runs: int, what: str, words: Sequence[str]) -> dict[str, Any]:
    before, taken = os.times(), seconds(words)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return {"what": what, "runs": runs, "s": taken, "processor s": spent}


def row(
    what: str, file: Path, single: Sequence[Work], alone: float, workers: int, more: Sequence[str]
) -> dict[str, Any]:
    """What a batch took, against its share of the time that the runs took one by one."""
    out = file.parent / what.replace(" ", "")
    taken = seconds(["batch", str(file), "--out", str(out), "--workers", str(workers), *more])
    same = sum(map(_same, single, works_of(file, out)))
    return {
        "what": what,
        "runs": len(single),
        "one by one s": alone,
        "s": taken,
        "of its share": taken / (alone / workers),
        "same bytes": same,
    }


def works_of(file: Path, out: Path) -> list[Work]:
    """The runs of a batch file in a folder, planned."""
    loaded = load_batch(file)
    return BatchFolder(loaded, out).freeze(expand(loaded))


def seconds(arguments: Sequence[str]) -> float:
    """How long a command of ours takes. Raises CalledProcessError with what it said."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", "pipeline", *arguments], check=True, capture_output=True)
    return time.perf_counter() - began


def _same(one: Work, other: Work) -> bool:
    return _film(one).read_bytes() == _film(other).read_bytes()


def _film(work: Work) -> Path:
    return next(work.folder.path.glob("*.mp4"))


if __name__ == "__main__":
    main()
