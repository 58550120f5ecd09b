"""Orientation, damage and what can't be decoded; film masks that end before the film does, or after."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter
from typer.testing import CliRunner

import pipeline
from pipeline.cli.commands import app
from pipeline.errors import MediaError, PresetError
from pipeline.frame import size_of
from pipeline.masks import MaskField, MaskReel
from pipeline.media.film import Film
from pipeline.preset import parse_preset
from tests.clips import ffmpeg
from tests.numbered import X264, make, number_in, write_pictures


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "pictures", 40)


# The eight ways to hold a camera, as ffmpeg's options and as what they do to a picture (H, W).
HELD = {
    "upright": ((), lambda a: a),
    "quarter": (("-display_rotation", "90"), lambda a: np.rot90(a)),
    "half": (("-display_rotation", "180"), lambda a: np.rot90(a, 2)),
    "three quarters": (("-display_rotation", "270"), lambda a: np.rot90(a, 3)),
    "mirrored": (("-display_hflip",), lambda a: a[:, ::-1]),
    "upside down": (("-display_vflip",), lambda a: a[::-1]),
    "transposed": (("-display_rotation", "90", "-display_hflip"), None),
    "across": (("-display_rotation", "270", "-display_hflip"), None),
}


@pytest.mark.parametrize("held", HELD)
def test_films_stand_upright_as_ffmpeg_shows_them(tmp_path: Path, held: str) -> None:
    lying, path, out = (tmp_path / name for name in ("lying.mp4", "film.mp4", "out.gray"))
    options, expected = HELD[held]
    corner = "color=black:size=64x48:rate=25:duration=0.2,drawbox=0:0:24:12:white:fill"
    ffmpeg("-f", "lavfi", "-i", corner, *X264, "-qp", "0", lying)
    ffmpeg(*options, "-i", lying, "-c", "copy", path)
    ffmpeg("-i", path, "-frames:v", "1", "-pix_fmt", "gray", "-f", "rawvideo", out)
    film = Film(path)
    frame = next(film.pictures(Fraction(0))).read()
    shown = np.fromfile(out, np.uint8).reshape(size_of(frame))
    assert np.array_equal(frame[0, 1].numpy() > 0.5, shown > 128) and not film.info.notes
    if expected is not None:
        bright = np.zeros((48, 64), bool)
        bright[:12, :24] = True
        assert np.array_equal(frame[0, 1].numpy() > 0.5, expected(bright))


def test_an_angle_that_is_no_quarter_turn_is_said(tmp_path: Path, pictures: Path) -> None:
    lying = make(tmp_path / "lying.mp4", pictures, *X264)
    ffmpeg("-display_rotation", "30", "-i", lying, "-c", "copy", tmp_path / "film.mp4")
    (note,) = Film(tmp_path / "film.mp4").info.notes
    assert "rotated by -30 degrees" in note and "nearest quarter turn, 0" in note


@pytest.mark.parametrize(("name", "codec", "tag"), [("a.mp4", "libx264", b"avc1"), ("a.avi", "mjpeg", b"MJPG")])
def test_an_unknown_codec_is_refused_before_the_render(
    tmp_path: Path, pictures: Path, name: str, codec: str, tag: bytes
) -> None:
    path = make(tmp_path / name, pictures, "-c:v", codec, "-pix_fmt", "yuvj420p")
    path.write_bytes(path.read_bytes().replace(tag, b"zzzz"))
    with pytest.raises(PresetError, match=r"stages\[0\].path: the pictures of .* are in a codec that nothing here"):
        parse_preset(f"stages: [{{stage: video, path: {path}}}]")


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    for path, words in ((Path("/dev/zero"), "is a device"), (tmp_path, "is a folder")):
        with pytest.raises(MediaError, match=words):
            Film(path)


def test_check_says_what_was_repaired(tmp_path: Path, pictures: Path) -> None:
    part = make(tmp_path / "part.ts", pictures, *X264).read_bytes()
    (tmp_path / "joined.ts").write_bytes(part * 2)
    (tmp_path / "p.yaml").write_text("stages: [{stage: video, path: joined.ts}]")
    said = CliRunner().invoke(app, ["check", str(tmp_path / "p.yaml")]).output
    assert "80 frames" in said and "joined.ts: its timestamps start over" in said


# Film masks.


def reel(path: Path, fps: str) -> MaskReel:
    return MaskReel(TypeAdapter(MaskField).validate_python({"film": str(path), "soft": 0.0}), Fraction(fps))


@pytest.fixture
def short(tmp_path: Path, pictures: Path) -> Path:
    """Twelve pictures, 1.2 seconds."""
    return make(tmp_path / "short.gif", pictures, "-frames:v", "12", rate="10")


@pytest.mark.parametrize("fps", ["7", "10", "25", "30000/1001"])
def test_a_mask_s_last_picture_stays_wherever_the_film_is_entered(short: Path, fps: str) -> None:
    whole, frame = reel(short, fps), torch.zeros(1, 3, 48, 64)
    shown = [whole(frame, index) for index in range(40)]
    numbers = [number_in(mask.expand(1, 3, 48, 64)) for mask in shown]
    assert sorted(numbers) == numbers and numbers[-1] == 11
    for first in range(0, 40, 3):
        entered = reel(short, fps)
        assert all(torch.equal(entered(frame, index), shown[index]) for index in range(first, min(40, first + 4)))


@pytest.mark.parametrize("stopped", [6, 10])
def test_a_film_with_a_shorter_mask_goes_on_to_the_same_bytes(tmp_path: Path, short: Path, stopped: int) -> None:
    preset = parse_preset(
        f"size: 64x48\nfps: 7\nduration: 14f\nseed: 1\nstages:\n  - stage: noise\n  - {{stage: dream, octaves: 1, "
        f"steps: 1, first_steps: 1, layer: blocks.1.0, engine: folded, mask: {{film: {short}}}}}\n"
        "  - {stage: encode, preset: ultrafast}\n"
    )
    whole = pipeline.render(preset, tmp_path / "whole")
    seen: list[int] = []
    stop = pipeline.Options(should_stop=lambda: len(seen) == stopped, on_frame=lambda f, _: seen.append(f.index))
    pipeline.render(preset, tmp_path / "run", options=stop)
    assert pipeline.resume(tmp_path / "run").path.read_bytes() == whole.path.read_bytes()


def test_a_mask_asked_for_every_third_frame_is_opened_once(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, honest = [], Film._frames

    def counted(self, seek_to, since):  # type: ignore[no-untyped-def]
        opened.append(seek_to)
        return honest(self, seek_to, since)

    monkeypatch.setattr(Film, "_frames", counted)
    masks, frame = reel(short, "10"), torch.zeros(1, 3, 48, 64)
    found = [number_in(masks(frame, index).expand(1, 3, 48, 64)) for index in range(0, 18, 3)]
    assert found == [0, 3, 6, 9, 11, 11] and opened == [None]
