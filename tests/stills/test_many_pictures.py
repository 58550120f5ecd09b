"""Many pictures in one line: each its own dream, and none stops another."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.errors import DeviceError, MediaError, PresetError
from pipeline.media.still import read_still, write_still
from pipeline.stills import StillDreamer, plan
from tests.conftest import photograph
from tests.processes import finished

CPU = torch.device("cpu")
QUICK = ("--layer", "blocks.2.1", "--steps", "1", "--device", "cpu")


def small(name: str, path: Path) -> Path:
    with Image.open(photograph(name)) as whole:
        whole.convert("RGB").resize((72, 48)).save(path)
    return path


@pytest.mark.parametrize("channel", ["strongest", "weakest"])
def test_each_picture_is_dreamt_as_if_alone(channel: object, tmp_path: Path) -> None:
    names = ("chelsea.png", "coffee.png")
    frames = [read_still(small(name, tmp_path / name)).frame for name in names]
    terms = [{"layer": "blocks.4.1", "channel": channel}, {"layer": "blocks.2.1", "channel": "strongest", "count": 3}]
    keys = {"objective": terms, "first_steps": 2, "octaves": 1, "engine": "folded", "precision": "float32"}
    together = StillDreamer(keys, 0, CPU)
    dreams = [together(frame) for frame in frames]
    for frame, dream in zip(frames, dreams, strict=True):
        assert torch.equal(StillDreamer(keys, 0, CPU)(frame), dream)


def test_a_chosen_tensor_keeps_its_place() -> None:
    keys = {"objective": [{"layer": "blocks.4.1", "channel": "strongest"}], "first_steps": 1, "octaves": 1}
    dreamer = StillDreamer({**keys, "engine": "folded", "precision": "float32"}, 0, CPU)
    dreamer(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    assert dreamer._stage is not None
    ((_, term),) = dreamer._stage.dreamer.objective._choosing()
    before = term.state_dict()["channels"]
    first = int(before)
    dreamer(torch.zeros(1, 3, 64, 64))
    assert term.state_dict()["channels"] is before and int(before) != first  # a captured graph reads it there


def test_whatever_fails_is_named_and_the_others_are_done(tmp_path: Path) -> None:
    small("chelsea.png", tmp_path / "a.png")
    cv2.imwrite(str(tmp_path / "dot.png"), np.zeros((1, 1, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "nan.tif"), np.full((48, 64, 3), np.nan, np.float32))
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    (tmp_path / "._a.png").write_bytes(b"Mac OS X")
    small("coffee.png", tmp_path / "z.png")
    os.makedirs(tmp_path / "out/z.png")  # in the way of z
    done = finished("dream", str(tmp_path), "-o", str(tmp_path / "out"), "--overwrite", *QUICK)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    _, _, listed = done.stderr.partition("4 of 5 pictures failed:\n")
    for line, name, words in zip(
        listed.splitlines(),
        ("broken.png", "dot.png", "nan.tif", "z.png"),
        ("ends early", "the picture is 1x1", "hold no numbers", "can't write the picture"),
        strict=True,
    ):
        assert name in line and words in line
    assert (tmp_path / "out/a.png").is_file() and not (tmp_path / "out/dot.png").exists()


def test_what_is_wrong_for_all_is_said_once_and_before(tmp_path: Path) -> None:
    with pytest.raises(PresetError, match="has no layer"):
        StillDreamer({"layer": "blocks.2.99"}, 0, CPU)
    with pytest.raises(PresetError, match="no such file"):
        StillDreamer({"weights": str(tmp_path / "none.pth")}, 0, CPU)


def test_running_out_of_memory_is_one_pictures_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    dreamer = StillDreamer({"layer": "blocks.2.1", "first_steps": 1}, 0, CPU)
    frame = torch.rand(1, 3, 64, 64)
    dreamer(frame)

    def full(*_: object) -> torch.Tensor:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(dreamer._stage, "_detail", full)
    with pytest.raises(DeviceError, match="smaller picture"):
        dreamer(frame)


def test_folders_that_can_not_be_read_and_patterns_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for index in range(4):
        shutil.copy(small("chelsea.png", tmp_path / "a.png"), tmp_path / f"b{index}.png")
    monkeypatch.setattr("pipeline.stills._MOST_PICTURES", 3)
    for text in (str(tmp_path), str(tmp_path / "**")):
        with pytest.raises(MediaError, match="names more than 3 files"):
            plan([text], None, False)

    def locked(self: Path) -> object:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "iterdir", locked)
    with pytest.raises(MediaError, match="can't be listed: Permission denied"):
        plan([str(tmp_path)], None, False)


def test_a_picture_that_is_no_picture_of_numbers_is_not_written(tmp_path: Path) -> None:
    frame = torch.full((1, 3, 8, 8), 0.5)
    frame[0, 0, 2, 2] = torch.nan
    for deep in (False, True):
        with pytest.raises(MediaError, match="values that are no numbers"):
            write_still(frame, tmp_path / "a.png", deep=deep)
    assert not (tmp_path / "a.png").exists()
    with pytest.raises(MediaError, match="can't write the picture"):
        write_still(torch.zeros(1, 3, 2, 20000), tmp_path / "a.webp")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes by name here")
def test_a_pipe_is_refused_by_what_it_is(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (job,) = plan([str(tmp_path / "pipe.png")], None, False)
    with pytest.raises(MediaError, match=r"pipe.png: is a device or a pipe, must be a regular file"):
        read_still(job.source)
