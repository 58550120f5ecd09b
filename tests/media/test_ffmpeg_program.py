"""Which ffmpeg is taken, and what is said of one that can't be: before anything is rendered."""

from __future__ import annotations

import os
from pathlib import Path

import imageio_ffmpeg
import pytest

from pipeline.errors import MediaError
from pipeline.media import ffmpeg
from pipeline.media.ffmpeg import ffmpeg_program, ffmpeg_version
from pipeline.preset import load_preset
from pipeline.run import render

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the programs are shell scripts")
WITHOUT_H264 = "echo 'ffmpeg version 2.1.1 Copyright'; echo ' V..... mpeg4    MPEG-4 part 2'"


def program(folder: Path, script: str) -> Path:
    path = folder / "my ffmpeg"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exit 1", "is no ffmpeg"),
        ("cat /dev/zero", "is no ffmpeg"),
        ("yes & yes", "is no ffmpeg"),
        (WITHOUT_H264, "is ffmpeg 2.1.1 without libx264: it can't write H.264"),
    ],
)
def test_another_program_is_refused(script: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(program(tmp_path, script)))
    with pytest.raises(MediaError, match=words) as caught:
        ffmpeg_program()
    assert "IMAGEIO_FFMPEG_EXE is" in str(caught.value) and "unset IMAGEIO_FFMPEG_EXE" in str(caught.value)


@pytest.mark.parametrize(("name", "words"), [("none", "No such file"), ("text", "Permission denied"), (".", "denied")])
def test_one_that_can_t_be_started_is_refused(
    name: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "text").write_text("no program")
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / name))
    with pytest.raises(MediaError, match=f"can't be started: .*{words}"):
        ffmpeg_version()


def test_one_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ffmpeg, "_PROBE_SECONDS", 0.5)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(program(tmp_path, "sleep 1000")))
    with pytest.raises(MediaError, match="is no ffmpeg"):
        ffmpeg_program()


def test_nothing_is_rendered_or_made_before(small_preset: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/bin/false")
    with pytest.raises(MediaError, match="is no ffmpeg"):
        render(load_preset(small_preset), small_preset.parent / "out")
    assert not (small_preset.parent / "out").exists()


def test_a_relative_name_is_the_same_program_in_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "./mine")
    assert ffmpeg_program() == str(tmp_path / "mine")
    ffmpeg.run_ffmpeg(["-f", "lavfi", "-i", "color=d=0.1:s=16x16", "x.mp4"], "making it", Path("/tmp") and tmp_path)
    assert (tmp_path / "x.mp4").exists()
