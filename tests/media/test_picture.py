from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from pipeline.errors import MediaError
from pipeline.frame import Size, size_of
from pipeline.media.picture import Fit, fit_to, read_picture, write_png
from tests.conftest import photograph


def test_a_photograph_is_read_in_rgb() -> None:
    coffee = read_picture(photograph("coffee.png"))
    assert coffee.shape == (1, 3, 400, 600) and coffee.dtype == torch.float32
    assert coffee[0, 0].mean() > coffee[0, 2].mean()  # brown, not blue


def test_png_round_trip(tmp_path: Path) -> None:
    chelsea = read_picture(photograph("chelsea.png"))
    write_png(chelsea, tmp_path / "again.png")
    assert torch.equal(read_picture(tmp_path / "again.png"), chelsea)


@pytest.mark.parametrize("suffix", [".jpg", ".bmp", ".webp", ".tiff", ".ppm"])
def test_common_formats(tmp_path: Path, suffix: str) -> None:
    pixels = cv2.imread(str(photograph("chelsea.png")))
    assert cv2.imwrite(str(tmp_path / f"cat{suffix}"), pixels)
    cat = read_picture(tmp_path / f"cat{suffix}")
    assert (cat - read_picture(photograph("chelsea.png"))).abs().mean() < 0.02


def test_grey_sixteen_bits_and_alpha(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((20, 30), 51, np.uint8))
    assert torch.allclose(read_picture(tmp_path / "grey.png"), torch.full((1, 3, 20, 30), 0.2))
    cv2.imwrite(str(tmp_path / "deep.png"), np.full((20, 30, 3), 32768, np.uint16))
    assert torch.allclose(read_picture(tmp_path / "deep.png"), torch.tensor(32768 / 65535))
    glass = np.full((20, 30, 4), 255, np.uint8)
    glass[:, :15, 3] = 0
    cv2.imwrite(str(tmp_path / "glass.png"), glass)
    frame = read_picture(tmp_path / "glass.png")
    assert frame[..., :15].max() == 0 and frame[..., 15:].min() == 1


def test_exif_orientation_is_honoured(tmp_path: Path) -> None:
    from PIL import Image

    pixels = np.zeros((20, 40, 3), np.uint8)
    pixels[:, :20] = 255  # white on the left
    exif = Image.Exif()
    exif[0x0112] = 6  # turned a quarter clockwise to be upright
    Image.fromarray(pixels).save(tmp_path / "turned.jpg", exif=exif)
    frame = read_picture(tmp_path / "turned.jpg")
    assert size_of(frame) == Size(40, 20)
    assert frame[..., :10, :].mean() > 0.95 and frame[..., 30:, :].mean() < 0.05  # white at the top


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("size", [Size(48, 64), Size(64, 48), Size(900, 20), Size(1000, 1600)])
def test_fits_fill_the_frame(fit: Fit, size: Size) -> None:
    fitted = fit_to(read_picture(photograph("chelsea.png")), size, fit)
    assert size_of(fitted) == size
    assert fitted.min() >= 0 and fitted.max() <= 1
    assert fitted.std() > 0.05


def test_padding_mirrors_and_keeps_the_middle() -> None:
    frame = torch.rand(1, 3, 40, 20)
    padded = fit_to(frame, Size(40, 40), "pad")
    assert torch.equal(padded[..., 10:30], frame)
    assert torch.equal(padded[..., 9], frame[..., 0]) and torch.equal(padded[..., 30], frame[..., 19])


def test_missing_pictures_are_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="No such file"):
        read_picture(tmp_path / "none.png")
