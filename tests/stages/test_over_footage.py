"""Whole renders over footage: resume, sound, films that end early, and the shelf's preset."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
import torch

from pipeline.errors import PresetError
from pipeline.media.film import Film
from pipeline.preset import Override, Preset, find_preset, load_preset, parse_preset
from pipeline.run import Options, assemble, render, resume
from tests.clips import FILMS, ffmpeg, pattern, real_film

CHAIN = """
name: over
size: 64x48
duration: {duration}
stages:
  - stage: video
    path: {path}
    start: {start}
  - stage: zoom
    zoom: 1.3
  - stage: flow
    half_life: 1
  - stage: dream
    layer: blocks.2.0
    octaves: 1
    steps: 1
    first_steps: 2
  - stage: flow
    still: 0.7
    moving: 0.7
  - stage: encode
    preset: ultrafast
"""


def over(path: Path, duration: str = "24f", start: str = "1s") -> Preset:
    return parse_preset(CHAIN.format(path=path, duration=duration, start=start).encode())


@pytest.mark.parametrize("name", ["bigbuckbunny", "bikes"])
def test_an_interrupted_film_goes_on_to_the_same_bytes(tmp_path: Path, name: str) -> None:
    """Bikes has a cut within these frames, the bunny has sound."""
    preset = over(real_film(name))
    whole = render(preset, tmp_path / "whole")
    seen: list[int] = []
    options = Options(should_stop=lambda: len(seen) == 11, on_frame=lambda frame, _: seen.append(frame.index))
    stopped = render(preset, tmp_path / "stopped", options=options)
    assert stopped.frames == 11 and not stopped.finished
    result = resume(tmp_path / "stopped")
    assert result.finished and result.frames == 24 and result.rendered == 13
    assert result.path.read_bytes() == whole.path.read_bytes()


def test_footage_that_ends_early_finishes_the_film_and_says_so(tmp_path: Path) -> None:
    whole = tmp_path / "whole.mkv"
    ffmpeg(*pattern(2), "-f", "lavfi", "-i", "sine=duration=2", "-c:v", "libx264", "-g", "10", "-c:a", "aac", whole)
    path = tmp_path / "short.mkv"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    with pytest.raises(PresetError, match=r"stages\[0\].path: lasts \d+f .*`duration` is 40f"):
        over(path, "40f", "2f")
    text = CHAIN.replace("duration: {duration}\n", "").format(path=path, start="2f")
    result = render(parse_preset(text.encode()), tmp_path / "r")
    assert result.finished and 10 < result.frames < 45
    assert any("earlier than its header says" in note and "short.mkv" in note for note in result.notes)
    with av.open(str(result.path)) as film:
        assert film.streams.video[0].frames == result.frames and len(film.streams.audio) == 1


def test_an_assembled_film_has_its_sound(tmp_path: Path) -> None:
    seen: list[int] = []
    options = Options(should_stop=lambda: len(seen) == 8, on_frame=lambda frame, _: seen.append(frame.index))
    render(over(real_film("bigbuckbunny")), tmp_path / "run", options=options)
    path, frames = assemble(tmp_path / "run")
    with av.open(str(path)) as film:
        assert film.streams.video[0].frames == frames == 8 and len(film.streams.audio) == 1


@pytest.mark.parametrize("name", FILMS)
def test_whole_films_keep_their_frames_rate_and_length(tmp_path: Path, name: str) -> None:
    source = real_film(name)
    text = f"size: 96x64\nstages:\n  - stage: video\n    path: {source}\n  - stage: encode\n    preset: ultrafast\n"
    result = render(parse_preset(text.encode(), name=name), tmp_path / "run")
    found, wanted = Film(result.path).info, Film(source).info
    assert (found.fps, found.seconds) == (wanted.fps, wanted.seconds)
    with av.open(str(result.path)) as film, av.open(str(source)) as original:
        assert film.streams.video[0].frames == original.streams.video[0].frames
        assert len(film.streams.audio) == len(original.streams.audio)
        assert film.duration == pytest.approx(original.duration, abs=4e4)


def test_the_shelf_s_preset_takes_any_clip(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mov"
    ffmpeg(*pattern(0.12, "30000/1001", "128x96"), "-c:v", "mjpeg", clip)
    preset = load_preset(find_preset("over-footage"), [Override("stages[0].path", str(clip), "--input", quoted=True)])
    assert str(preset.size) == "128x96" and str(preset.fps) == "30000/1001"
    result = render(preset, tmp_path / "run")
    assert result.frames == 4 and not result.notes
    picture = next(Film(result.path).pictures(Film(clip).info.origin)).read()
    original = next(Film(clip).pictures(Film(clip).info.origin)).read()
    assert 0.01 < float((picture - original).abs().mean()) < 0.2 and torch.isfinite(picture).all()
