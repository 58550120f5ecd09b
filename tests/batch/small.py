"""Batches that render in a moment."""

from __future__ import annotations

from pathlib import Path

from pipeline.batch import BatchFolder, Planned, Work, expand, load_batch

PRESET = """\
size: 64x48
fps: 8
duration: {frames}f
device: cpu
stages:
  - stage: noise
  - {{stage: zoom, zoom: 1.5}}
  - {{stage: encode, preset: ultrafast}}
"""


def write(folder: Path, batch: str, frames: int = 6) -> Path:
    """Two presets and a batch file, which is returned."""
    for name in ("a", "b"):
        (folder / f"{name}.yaml").write_text(PRESET.format(frames=frames))
    (folder / "batch.yaml").write_text(batch)
    return folder / "batch.yaml"


def runs_of(folder: Path, batch: str) -> list[Planned]:
    return expand(load_batch(write(folder, batch)))


def works_of(folder: Path, batch: str, frames: int = 6) -> list[Work]:
    file = load_batch(write(folder, batch, frames))
    return BatchFolder(file, folder / "out").freeze(expand(file))
