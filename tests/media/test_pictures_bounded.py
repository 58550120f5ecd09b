"""Pictures too large, too long, of no kind that is read, or no regular files."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from pipeline.errors import MediaError
from pipeline.frame import Size, size_of
from pipeline.media import decoding
from pipeline.media.picture import fit_to, read_picture
from tests.conftest import photograph
from tests.media.test_pictures_real import tiff


@pytest.mark.parametrize("width", [12000, 12001])
def test_a_long_picture_is_cut_before_it_is_enlarged(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    row = torch.linspace(0, 1, width).expand(1, 3, 8, width)
    sizes: list[int] = []
    plain = torch.nn.functional.interpolate

    def noted(frame: torch.Tensor, size: Size, **options: Any) -> torch.Tensor:
        sizes.append(size.height * size.width)
        return plain(frame, size, **options)

    monkeypatch.setattr(torch.nn.functional, "interpolate", noted)
    fitted = fit_to(row, Size(360, 640), "crop")
    assert max(sizes) < 2 * 360 * 640
    assert abs(float(fitted.mean()) - 0.5) < 1e-4  # the middle stays the middle
    assert abs(float(fitted[0, 0, 0, -1] - fitted[0, 0, 0, 0]) - 640 / 45 / width) < 1e-4


@pytest.mark.parametrize("size", [Size(1000, 1600), Size(900, 500), Size(333, 777)])
def test_cutting_first_changes_nothing(size: Size) -> None:
    photo = read_picture(photograph("chelsea.png"))
    old = size_of(photo)
    ratio = max(size.height / old.height, size.width / old.width)
    whole = torch.nn.functional.interpolate(
        photo, (round(old.height * ratio), round(old.width * ratio)), mode="bicubic", antialias=True
    )
    top, left = -((size.height - whole.shape[2]) // 2), -((size.width - whole.shape[3]) // 2)
    plain = whole[..., top : top + size.height, left : left + size.width].clamp(0, 1)
    assert float((fit_to(photo, size, "crop") - plain).abs().mean()) < 0.004


def huge_png(path: Path, width: int, height: int) -> Path:
    small = io.BytesIO()
    Image.new("L", (1, 1)).save(small, "PNG")
    data = bytearray(small.getvalue())
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", __import__("zlib").crc32(bytes(data[12:29])))
    path.write_bytes(data)
    return path


def test_a_picture_too_large_is_told_by_its_header(tmp_path: Path) -> None:
    for width, height in ((20000, 10000), (2**31 - 1, 2**31 - 1)):
        with pytest.raises(MediaError, match=r"million pixels"):
            read_picture(huge_png(tmp_path / "a.png", width, height))
    (tmp_path / "a.hdr").write_bytes(b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 90000 +X 90000\n")
    with pytest.raises(MediaError, match="is 90000x90000: at most 120 million pixels are read; scale it down first"):
        read_picture(tmp_path / "a.hdr")
    with pytest.raises(MediaError, match="million pixels"):
        tags = tiff(tmp_path / "a.tif", np.zeros((1, 1), np.uint16), 1).read_bytes()
        (tmp_path / "b.tif").write_bytes(
            tags.replace(struct.pack("<HHII", 256, 4, 1, 1), struct.pack("<HHII", 256, 4, 1, 1 << 30))
        )
        read_picture(tmp_path / "b.tif")


def test_only_regular_files_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for path in (Path("/dev/zero"), tmp_path / "pipe.png"):
        with pytest.raises(MediaError, match="is a device or a pipe, must be a regular file"):
            read_picture(path)
    with pytest.raises(MediaError, match="is a folder, must be a file"):
        read_picture(tmp_path)
    with pytest.raises(MediaError, match="is empty"):
        read_picture(Path("/proc/self/pagemap"))  # says that it is empty, and never ends
    monkeypatch.setattr(decoding, "MAX_BYTES", 10)
    with pytest.raises(MediaError, match="at most 0 MB are read"):
        read_picture(photograph("chelsea.png"))


def test_a_heic_picture_is_named_and_decoders_are_quiet(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    with pytest.raises(MediaError, match=r"is a HEIC picture, which can't be read; .* save it there as PNG or JPEG"):
        read_picture(tmp_path / "phone.heic")
    whole = cv2.imencode(".hdr", np.ones((24, 32, 3), np.float32))[1].tobytes()
    (tmp_path / "half.hdr").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MediaError, match=r"half.hdr can't be decoded"):
        read_picture(tmp_path / "half.hdr")
    assert capfd.readouterr() == ("", "")
