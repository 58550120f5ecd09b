"""Films without a network, which render in a moment, for tests of all that is around them."""

from __future__ import annotations

from pathlib import Path

from pipeline.chain import Frame
from pipeline.preset import Preset, load_preset
from pipeline.run import Options
from pipeline.stages import RunSpec

HEAD = """\
name: quick
size: 64x48
fps: 4
duration: 21f
device: cpu
"""
STAGES = """\
stages:
  - stage: noise
  - {stage: zoom, zoom: 1.5, rotate: 20, edges: noise}
  - stage: palette
  - {stage: encode, preset: ultrafast}
"""


def quick(folder: Path, *, head: str = HEAD, stages: str = STAGES, more: str = "") -> Preset:
    """One of them, out of a file in `folder`; `more` are further keys of the top level."""
    path = folder / "quick.yaml"
    path.write_text(head + more + stages)
    return load_preset(path)


def stop_after(frames: int, checkpoint_seconds: float = 0.0) -> Options:
    """Options that stop a render once so many frames are done, lead-in and film together."""
    done: list[int] = []

    def see(frame: Frame, spec: RunSpec) -> None:
        done.append(frame.index)

    return Options(
        on_frame=see,
        on_lead_in=lambda number, total: done.append(number - total - 1),
        should_stop=lambda: len(done) >= frames,
        checkpoint_seconds=checkpoint_seconds,
    )
