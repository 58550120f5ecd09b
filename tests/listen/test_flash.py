"""A film that flashes on its song's beats: in the decoded film, flash and click are within a frame of each other."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import pipeline
from tests.clicks import clicks_heard
from tests.processes import run_dreamreel
from tests.songs import clicks, steady, write_song

SECONDS, BEATS = 4.0, steady(120, 4.0, first=0.3)
PRESET = """
listen: {path: SONG, bpm: 120}
size: 64x48
fps: FPS
stages:
  - {stage: noise}
  - {stage: tone, gamma: "where(since_beat < 0.1, 3, 1)", shown_only: true}
"""
SONGS = {"song.mp3": (), "song.m4a": (), "song.opus": ("-c:a", "libopus"), "song.flac": (), "song.wav": ()}


def written(folder: Path, name: str, fps: str) -> Path:
    song = write_song(folder / name, clicks(BEATS, SECONDS), *SONGS[name])
    preset = folder / "flash.yaml"
    preset.write_text(PRESET.replace("SONG", str(song)).replace("FPS", fps))
    return preset


def flashes(film: Path) -> list[float]:
    """When the picture becomes brighter, in seconds."""
    with av.open(str(film)) as container:
        seen = [(float(frame.time or 0), frame.to_ndarray(format="gray").mean()) for frame in container.decode(video=0)]
    bright = np.array([light for _, light in seen])
    threshold = (bright.min() + bright.max()) / 2
    return [seen[n][0] for n in range(1, len(seen)) if bright[n] > threshold >= bright[n - 1]]


def require_together(film: Path, fps: str) -> None:
    seen, heard = flashes(film), clicks_heard(film)
    assert len(seen) == len(heard) == len(BEATS)
    assert np.abs(np.array(seen) - heard).max() <= float(1 / Fraction(fps)) + 1e-3


@pytest.mark.parametrize("name", SONGS)
@pytest.mark.parametrize("fps", ["24", "25", "30000/1001", "60"])
def test_flash_and_click_fall_together(name: str, fps: str, tmp_path: Path) -> None:
    film = pipeline.render(pipeline.load_preset(written(tmp_path, name, fps)), tmp_path / "run").path
    require_together(film, fps)


def test_so_they_do_after_a_stop_though_the_memory_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    preset = pipeline.load_preset(written(tmp_path, "song.mp3", "24"))
    whole = pipeline.render(preset, tmp_path / "whole").path.read_bytes()
    count = 0

    def stopping() -> bool:
        nonlocal count
        count += 1
        return count > 30

    options = pipeline.Options(should_stop=stopping, checkpoint_seconds=0)
    pipeline.render(preset, tmp_path / "run", options=options)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    run_dreamreel("resume", str(tmp_path / "run"))
    film = tmp_path / "run" / "flash.mp4"
    assert film.read_bytes() == whole
    assert not (tmp_path / "elsewhere/dreamreel/heard").exists()  # the run keeps what it heard
    require_together(film, "24")
