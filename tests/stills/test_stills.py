"""Stills in one line: every format, what belongs to a file, many files, and no file lost."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import ExifTags, Image, ImageCms

from pipeline.engines.packed import PackedEngine
from pipeline.errors import MediaError, PresetError
from pipeline.frame import size_of
from pipeline.media.still import read_still, write_still
from pipeline.stills import StillDreamer, plan
from tests.conftest import photograph
from tests.processes import finished, run_dreamreel

CPU = torch.device("cpu")
QUICK = ("--layer", "blocks.2.1", "--steps", "2", "--device", "cpu")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A small photograph with EXIF, a place, a turn to the right, and a colour profile."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Orientation] = "Acme", 6
    exif[ExifTags.IFD.Exif] = {ExifTags.Base.ExposureTime: (1, 125)}
    exif[ExifTags.IFD.GPSInfo] = {1: "N", 2: (52.0, 30.0, 0.0)}
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with Image.open(photograph("chelsea.png")) as whole:
        whole.convert("RGB").resize((90, 60)).save(tmp_path / "photo.jpg", exif=exif, icc_profile=profile)
    return tmp_path / "photo.jpg"


@pytest.mark.parametrize(
    ("name", "deep"),
    [("a.png", False), ("a.jpg", False), ("a.tiff", False), ("a.webp", False), ("a.png", True), ("a.tif", True)],
)
def test_what_a_file_says_goes_with_the_picture(photo: Path, tmp_path: Path, name: str, deep: bool) -> None:
    still = read_still(photo)
    assert size_of(still.frame) == (90, 60)  # upright
    write_still(still.frame, tmp_path / name, still, deep)
    again = read_still(tmp_path / name)
    assert again.exif[ExifTags.Base.Make] == "Acme" and again.profile == still.profile and again.deep == deep
    assert again.exif[ExifTags.IFD.GPSInfo][1] == "N"
    assert ExifTags.Base.Orientation not in again.exif  # it has been turned already
    lossy = name.endswith(("jpg", "webp"))
    assert float((again.frame - still.frame).abs().max()) <= (0.1 if lossy else 1e-6)


def test_sixteen_bits_stay_sixteen(tmp_path: Path) -> None:
    fine = torch.linspace(0.2, 0.21, 3 * 40 * 50).view(1, 3, 40, 50)
    for name in ("a.png", "a.tiff"):
        write_still(fine, tmp_path / name, deep=True)
        assert cv2.imread(str(tmp_path / name), cv2.IMREAD_UNCHANGED).dtype == np.uint16
        assert float((read_still(tmp_path / name).frame - fine).abs().max()) < 1 / 65535
    with pytest.raises(MediaError, match="16 bits are written as"):
        write_still(fine, tmp_path / "a.jpg", deep=True)


def test_one_line_makes_one_dream_and_never_overwrites(photo: Path) -> None:
    said = run_dreamreel("dream", str(photo), *QUICK)
    target = photo.with_name("photo-dream.jpg")
    assert str(target) in said and "60x90" in said
    still = read_still(target)
    assert size_of(still.frame) == (90, 60) and still.exif[ExifTags.Base.Make] == "Acme"
    assert 0.005 < float((still.frame - read_still(photo).frame).abs().mean()) < 0.2
    before = target.read_bytes()
    refused = finished("dream", str(photo), *QUICK)
    assert refused.returncode == 1 and "--overwrite" in refused.stderr and target.read_bytes() == before
    run_dreamreel("dream", str(photo), *QUICK, "--overwrite", "--seed", "2")
    assert target.read_bytes() != before


def test_folders_and_patterns_and_a_broken_picture_among_them(photo: Path, tmp_path: Path) -> None:
    fine = (np.random.default_rng(0).random((48, 64, 3)) * 65535).astype(np.uint16)
    cv2.imwrite(str(tmp_path / "deep.png"), fine)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    (tmp_path / "notes.txt").write_text("no picture")
    done = finished("dream", str(tmp_path), "-o", str(tmp_path / "out"), *QUICK)
    assert done.returncode == 1 and "broken.png ends early" in done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["deep.png", "photo.jpg"]
    assert read_still(tmp_path / "out/deep.png").deep
    jobs = plan([str(tmp_path / "*.png"), str(photo)], None, False)
    assert [job.target.name for job in jobs] == ["broken-dream.png", "deep-dream.png", "photo-dream.jpg"]


def test_plans_that_do_not_fit_are_refused(photo: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other/photo.jpg").write_bytes(photo.read_bytes())
    both = [str(photo), str(tmp_path / "other/photo.jpg")]
    with pytest.raises(MediaError, match="written twice"):
        plan(both, tmp_path / "out", False)
    with pytest.raises(MediaError, match="is one file, and there are 2 pictures"):
        plan(both, tmp_path / "one.png", False)
    with pytest.raises(MediaError, match="the picture itself"):
        plan([str(photo)], photo, True)
    with pytest.raises(MediaError, match="no file matches"):
        plan([str(tmp_path / "nothing*.png")], None, False)


def test_the_network_serves_every_size_and_octaves_fit(photo: Path) -> None:
    dreamer = StillDreamer({"layer": "blocks.2.1", "first_steps": 1}, 0, CPU)
    for height, width in ((64, 48), (33, 70)):
        frame = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
        assert dreamer(frame).shape == frame.shape
    with pytest.raises(PresetError, match=r"needs 32x32, the picture is 30x20; take a larger picture"):
        StillDreamer({"layer": "blocks.5.0"}, 0, CPU)(torch.rand(1, 3, 20, 30))


def test_what_was_planned_for_one_size_is_forgotten_at_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten: list[int] = []
    forget = PackedEngine.forget

    def counted(engine: PackedEngine) -> None:
        forgotten.append(len(engine._chains))
        forget(engine)

    monkeypatch.setattr(PackedEngine, "forget", counted)
    keys = {"layer": "blocks.2.1", "first_steps": 1, "octaves": 2, "engine": "packed", "precision": "float32"}
    dreamer = StillDreamer(keys, 0, CPU)
    for size in ((64, 96), (64, 96), (72, 80)):
        dreamer(torch.rand(1, 3, *size))
    assert forgotten == [0, 2]


def test_memory_is_given_in_the_command_line(tmp_path: Path) -> None:
    arguments = ("dream", str(photograph("coffee.png")), "-o", str(tmp_path / "dreamt.png"), *QUICK)
    run_dreamreel(*arguments, "--memory", "40MB")
    with Image.open(tmp_path / "dreamt.png") as dreamt:
        assert dreamt.size == (600, 400)
    refused = finished(*arguments, "--overwrite", "--memory", "5XB")
    assert refused.returncode != 0 and "such as 4GB or 800MB" in refused.stderr


def test_out_of_nothing_and_mistakes(tmp_path: Path) -> None:
    said = run_dreamreel("visualise", "--class", "banana", "--steps", "2", "--size", "48x64", cwd=tmp_path)
    assert "banana.png" in said and size_of(read_still(tmp_path / "banana.png").frame) == (64, 48)
    for arguments, words in (
        (("visualise", "--class", "bananna", "-o", "x.png"), "near: banana"),
        (("visualise", "--class", "banana"), "--overwrite"),
        (("dream",), "needs a picture"),
        (("dream", "--class", "banana", "--octaves", "3"), "for dreams over pictures"),
        (("visualise", "--channel", "7"), "must be LAYER:NUMBER"),
        (("visualise", "--class", "banana", "--size", "big", "-o", "x.png"), "WIDTHxHEIGHT"),
    ):
        done = finished(*arguments, cwd=tmp_path)
        assert done.returncode == 1 and words in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_several_classes_go_to_a_folder(tmp_path: Path) -> None:
    quick = ("--steps", "1", "--size", "48x64")
    said = run_dreamreel("visualise", "--class", "palace", "--class", "954", "-o", "new", *quick, cwd=tmp_path)
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"palace.png", "954.png"}
    assert "new/palace.png" in said and "new/954.png" in said
