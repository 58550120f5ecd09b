"""Folders and patterns as footage: what counts as a frame, in which order, and what is refused at once."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.errors import MediaError, PresetError, RunError
from pipeline.frame import Size, size_of
from pipeline.media import footage
from pipeline.media.footage import Stills, Timing, at_constant_rate, open_footage
from pipeline.preset import load_preset
from pipeline.run import render, resume
from tests.run.small import stop_after

FPS = Fraction(24)
SIZE = Size(48, 64)


def grey(path: Path, level: int, size: Size = SIZE) -> Path:
    cv2.imwrite(str(path), np.full((*size, 3), level, np.uint8))
    return path


def names(path: Path) -> list[str]:
    return [each.name for each in Stills(path, FPS).paths]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a folder of frames holds after a holiday."""
    (tmp_path / "frames").mkdir()
    for name in ("f10.png", "f2.png", "f1.png", "1²2.png", "1²10.png", "٣.png", "a\nb.png", "100%_f3.png"):
        grey(tmp_path / "frames" / name, 9)
    for name in ("._f1.png", ".DS_Store", "Thumbs.db", "notes.txt"):
        (tmp_path / "frames" / name).write_bytes(b"Mac OS X")
    (tmp_path / "frames/f3.png").mkdir()
    return tmp_path / "frames"


def test_pictures_alone_count_in_the_order_of_their_numbers(folder: Path) -> None:
    found = names(folder)
    assert len(found) == 8 and not [name for name in found if name.startswith(".")]
    assert [name for name in found if name.startswith("f")] == ["f1.png", "f2.png", "f10.png"]
    assert found.index("1²2.png") < found.index("1²10.png")


def test_names_that_are_not_utf8_are_frames_too(folder: Path) -> None:
    os.rename(folder / "f1.png", os.fsencode(folder) + b"/f\xff1.png")
    assert len(names(folder)) == 8
    assert open_footage(folder / "f*.png", FPS).info.size == (48, 64)


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("f%d.png", ["f1.png", "f2.png", "f10.png"]),
        ("f%04d.png", ["f1.png", "f2.png", "f10.png"]),
        ("*_f%d.png", ["100%_f3.png"]),
        ("100%_f?.png", ["100%_f3.png"]),
        ("f[12].p*", ["f1.png", "f2.png"]),
        ("f?.*", ["f1.png", "f2.png"]),
        ("a*", ["a\nb.png"]),
        (".*1.png", ["._f1.png"]),
    ],
)
def test_patterns(pattern: str, wanted: list[str], folder: Path) -> None:
    if pattern.startswith("."):
        grey(folder / "._f1.png", 9)
    assert names(folder / pattern) == wanted


@pytest.mark.parametrize("pattern", ["*_%04d.png", "%d%d%d.png", "[%04d.png", "x*", "**", "(*.png", "no/such_%04d.png"])
def test_patterns_without_pictures_are_refused_in_words(pattern: str, folder: Path) -> None:
    with pytest.raises(MediaError, match="give a folder of pictures"):
        open_footage(folder / pattern, FPS)


def test_a_tree_is_not_searched() -> None:
    with pytest.raises(MediaError, match="no trees are searched"):
        open_footage(Path("/usr/**"), FPS)


def test_folders_too_large_or_locked_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footage, "_MOST_ENTRIES", 5)
    with pytest.raises(MediaError, match="holds more than 5 files"):
        open_footage(folder, FPS)

    def locked(path: Path) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", locked)
    with pytest.raises(MediaError, match=r"can't list the pictures at .*: Permission denied"):
        open_footage(folder, FPS)


def test_pictures_of_other_sizes_are_each_fitted(tmp_path: Path) -> None:
    sizes = (Size(48, 64), Size(64, 48), Size(12, 700), Size(300, 400))
    for index, size in enumerate(sizes):
        grey(tmp_path / f"f{index}.png", 40 * index + 20, size)
    timing = Timing(Fraction(0), 4 / FPS, Fraction(1), FPS)
    frames = list(at_constant_rate(open_footage(tmp_path, FPS), Size(36, 64), "crop", timing))
    assert [size_of(frame) for frame in frames] == [Size(36, 64)] * 4
    assert [round(float(frame.mean()) * 255) for frame in frames] == [20, 60, 100, 140]


WITH_IMAGE = """\
size: 64x48
fps: 12
duration: 6f
device: cpu
stages:
  - {stage: image, path: 'PICTURE'}
  - {stage: dream, octaves: 1, steps: 1, first_steps: 1, engine: folded, precision: float32, layer: blocks.2.1, OTHER}
"""


@pytest.mark.parametrize("path", ["/dev/zero", "pipe", "/proc/self/pagemap", "."])
@pytest.mark.parametrize("key", ["path", "mask.image", "mask.film", "guide", "weights"])
def test_a_preset_opens_regular_files_only(
    path: str, key: str, tmp_path: Path, write_preset: Callable[[str], Path]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    picture = grey(tmp_path / "a.png", 90)
    other = {
        "mask.image": f"mask: {{image: '{path}'}}",
        "mask.film": f"mask: {{film: '{path}'}}" if path != "." else "mask: {film: ./none}",
        "guide": f"objective: {{layer: blocks.2.1, guide: '{path}'}}",
        "weights": f"weights: '{path}'",
    }.get(key, "memory: auto")
    text = WITH_IMAGE.replace("PICTURE", path if key == "path" else str(picture)).replace("OTHER", other)
    with pytest.raises(PresetError) as refused:
        load_preset(write_preset(text.replace(", layer: blocks.2.1", "", 1) if key == "guide" else text))
    assert re.search("regular file|is empty|must be a file|no such file|is no picture but footage", str(refused.value))


def test_a_guide_that_would_be_endless_is_refused(tmp_path: Path, write_preset: Callable[[str], Path]) -> None:
    grey(tmp_path / "line.png", 90, Size(1, 60000))
    text = WITH_IMAGE.replace("PICTURE", str(grey(tmp_path / "a.png", 90))).replace(", layer: blocks.2.1", "")
    with pytest.raises(PresetError, match="would be enlarged to 1920000x32; crop it first"):
        load_preset(write_preset(text.replace("OTHER", "objective: {layer: blocks.5.0, guide: line.png}")))


def test_resume_without_the_masks_picture_says_so(tmp_path: Path, write_preset: Callable[[str], Path]) -> None:
    text = WITH_IMAGE.replace("PICTURE", str(grey(tmp_path / "a.png", 90)))
    preset = load_preset(write_preset(text.replace("OTHER", f"mask: {{image: {grey(tmp_path / 'm.png', 255)}}}")))
    render(preset, tmp_path / "run", options=stop_after(2))
    (tmp_path / "m.png").unlink()
    with pytest.raises((MediaError, RunError), match=r"m\.png"):
        resume(tmp_path / "run")


WITHOUT_NUMBERS = """\
size: 64x48
fps: 12
duration: 6f
device: cpu
stages:
  - stage: noise
  - {stage: tone, gamma: 1.1}
  - stage: palette
"""


def test_no_stage_lets_values_go_round_that_are_no_numbers(
    tmp_path: Path, write_preset: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.stages import STAGES

    stage = STAGES["tone"].build
    plain = stage.__call__

    def wrong(self: object, frame: object, ctx: object) -> object:
        shown = plain(self, frame, ctx).clone()
        if ctx.index == 3:  # type: ignore[attr-defined]
            shown[0, 1, 5, 7] = float("inf")
        return shown

    monkeypatch.setattr(stage, "__call__", wrong)
    preset = load_preset(write_preset(WITHOUT_NUMBERS))
    with pytest.raises(RunError, match=r"frame 3: tone gives values that are no numbers"):
        render(preset, tmp_path / "run")
    monkeypatch.undo()
    assert resume(tmp_path / "run").frames == 6
