"""A small film with a network, and ways to stop and to spoil its run."""

from __future__ import annotations

from pathlib import Path

import pipeline
from pipeline.preset import Preset, load_preset
from pipeline.run import Options

FRAMES = 21  # at 4 fps: segments of 8, 8 and 5 frames


def stop_after(frames: int, **changes: object) -> Options:
    """Options that stop a render once so many frames are done, with a checkpoint after every frame."""
    seen: list[int] = []
    return Options(
        **{  # type: ignore[arg-type]
            "on_frame": lambda frame, spec: seen.append(frame.index),
            "should_stop": lambda: len(seen) >= frames,
            "checkpoint_seconds": 0.0,
            **changes,
        }
    )


def stopped_run(preset: Preset, folder: Path, frames: int) -> Path:
    result = pipeline.render(preset, folder / "run", options=stop_after(frames))
    assert not result.finished and result.frames == frames
    return folder / "run"


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def picture_preset(preset: Preset, folder: Path) -> Preset:
    import shutil

    from tests.conftest import photograph

    shutil.copy(photograph("chelsea.png"), folder / "cat.png")
    text = Path(str(preset.origin)).read_text().replace("stage: noise", "stage: image\n    path: cat.png")
    (folder / "small.yaml").write_text(text)
    return load_preset(folder / "small.yaml")
