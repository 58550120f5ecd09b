"""Pictures as cameras, phones, printers and scientists write them: right way up, right colours, or a clear refusal."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, TiffImagePlugin

from pipeline.errors import MediaError
from pipeline.frame import Size, size_of
from pipeline.media.picture import read_picture
from pipeline.media.still import read_still, write_still
from tests.conftest import photograph

# Four colours, one in each quarter; the picture is square, so that its size does not tell a turn.
QUARTERS = np.zeros((16, 16, 3), np.uint8)
QUARTERS[:8, :8], QUARTERS[:8, 8:], QUARTERS[8:, :8], QUARTERS[8:, 8:] = (
    *((200, 30, 30), (30, 180, 40), (20, 40, 220), (240, 230, 90)),
)
LOSSLESS: dict[str, dict[str, Any]] = {
    "PNG": {},
    "WEBP": {"lossless": True},
    "TIFF": {},
    "JPEG": {"quality": 100, "subsampling": 0},
}


def shown(path: Path) -> NDArray[np.float32]:
    """(H, W, 3) from 0 to 255."""
    return np.asarray(read_picture(path)[0].permute(1, 2, 0) * 255)


def saved(path: Path, image: Image.Image, kind: str, **options: Any) -> Path:
    image.save(path, kind, **options)
    return path


def tiff(path: Path, pixels: NDArray[Any], photometric: int, extra: int | None = None, orientation: int = 1) -> Path:
    """An uncompressed TIFF of any depth, in any of its colour spaces."""
    named = TiffImagePlugin
    height, width = pixels.shape[:2]
    samples = 1 if pixels.ndim == 2 else pixels.shape[2]
    tags = named.ImageFileDirectory_v2(prefix=b"II")
    tags[named.IMAGEWIDTH], tags[named.IMAGELENGTH], tags[named.ROWSPERSTRIP] = width, height, height
    tags[named.BITSPERSAMPLE], tags[named.SAMPLESPERPIXEL] = (8 * pixels.itemsize,) * samples, samples
    tags[named.COMPRESSION], tags[named.PHOTOMETRIC_INTERPRETATION], tags[named.PLANAR_CONFIGURATION] = (
        1,
        photometric,
        1,
    )
    tags[named.SAMPLEFORMAT] = (3 if pixels.dtype.kind == "f" else 1,) * samples
    tags[named.STRIPBYTECOUNTS], tags[named.STRIPOFFSETS], tags[0x0112] = pixels.nbytes, 0, orientation
    if extra is not None:
        tags[named.EXTRASAMPLES] = extra
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + tags.tobytes(8) + pixels.tobytes())
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P"])
@pytest.mark.parametrize("kind", LOSSLESS)
def test_upright_and_opacity_kept(kind: str, mode: str, orientation: int, tmp_path: Path) -> None:
    image = Image.fromarray(QUARTERS[:, :12])
    image = image.quantize(8) if mode == "P" else image.convert(mode)
    if mode.endswith("A"):
        image.putalpha(Image.fromarray(np.repeat(np.arange(0, 240, 15, dtype=np.uint8)[:, None], 12, 1)))
    if kind == "JPEG" and mode not in ("RGB", "L"):
        pytest.skip("JPEG has no such pictures")
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / f"a.{kind.lower()}", image, kind, exif=exif, **LOSSLESS[kind])
    image.getexif()[0x0112] = orientation
    wanted = np.asarray(ImageOps.exif_transpose(image).convert("RGBA"), np.float32)
    wanted = wanted[..., :3] * wanted[..., 3:] / 255
    assert shown(path).shape == wanted.shape
    assert np.abs(shown(path) - wanted).max() < (12 if kind == "JPEG" else 1.1)


def test_square_pictures_turn_too_and_late_exif_counts(tmp_path: Path) -> None:
    image, exif = Image.fromarray(QUARTERS).convert("RGBA"), Image.Exif()
    image.putpixel((0, 0), (0, 0, 0, 0))
    exif[0x0112] = 6
    data = saved(tmp_path / "a.png", image, "PNG", exif=exif).read_bytes()
    chunk = data.index(b"eXIf") - 4
    length = 12 + int.from_bytes(data[chunk : chunk + 4], "big")
    late = data[:chunk] + data[chunk + length : -12] + data[chunk : chunk + length] + data[-12:]
    (tmp_path / "late.png").write_bytes(late)
    for name in ("a.png", "late.png"):
        found = shown(tmp_path / name)
        assert np.abs(found[2, 2] - (20, 40, 220)).max() < 1 and found[0, 15].max() == 0


@pytest.mark.parametrize("alpha", [None, 1, 2])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_tiff_opacity_is_applied_once(alpha: int | None, depth: Any, tmp_path: Path) -> None:
    top = np.iinfo(depth).max
    colour = np.array([0.8, 0.4, 0.2]) * (0.5 if alpha == 1 else 1)
    values = [*colour, 0.5] if alpha is not None else [*colour]
    pixels = np.full((3, 4, len(values)), np.rint(np.array(values) * top), depth)
    wanted = np.array([0.8, 0.4, 0.2]) * (1 if alpha is None else 0.5) * 255
    assert np.abs(shown(tiff(tmp_path / "a.tif", pixels, 2, alpha)) - wanted).max() < 1.1


@pytest.mark.parametrize("depth", [np.uint8, np.uint16, np.float32])
def test_a_tiff_is_turned_once_and_its_white_may_be_zero(depth: Any, tmp_path: Path) -> None:
    top = 1 if depth is np.float32 else np.iinfo(depth).max
    pixels = np.zeros((4, 6), depth)
    pixels[0, 0] = top
    found = shown(tiff(tmp_path / "a.tif", pixels, 1, orientation=6))
    assert found.shape[:2] == (6, 4) and found[0, 3, 0] == 255 and found.sum() == 3 * 255
    inverted = shown(tiff(tmp_path / "b.tif", pixels, 0))
    assert inverted[0, 0].max() == 0 and inverted[1:].min() == 255


def test_cmyk_with_and_without_adobes_marker(tmp_path: Path) -> None:
    cmyk = Image.fromarray(QUARTERS).convert("CMYK")
    for kind, options in (
        ("JPEG", {"quality": 100, "subsampling": 0}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ):
        found = shown(saved(tmp_path / "a", cmyk, kind, **options))
        assert np.abs(found - QUARTERS).max() < 8


def test_lab_palette_and_transparent_gif(tmp_path: Path) -> None:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    image = Image.fromarray(QUARTERS)
    assert (
        np.abs(
            shown(saved(tmp_path / "lab.tif", ImageCms.profileToProfile(image, srgb, lab, outputMode="LAB"), "TIFF"))
            - QUARTERS
        ).max()
        < 8
    )
    for kind in ("PNG", "GIF", "BMP", "TIFF"):
        assert np.abs(shown(saved(tmp_path / f"p.{kind}", image.quantize(8), kind)) - QUARTERS).max() < 2
    clear = shown(
        saved(tmp_path / "clear.gif", image.quantize(8), "GIF", transparency=image.quantize(8).getpixel((0, 0)))
    )
    assert clear[2, 2].max() == 0 and np.abs(clear[2, 12] - QUARTERS[2, 12]).max() < 2


@pytest.mark.parametrize("header", [b"P5 2 1 1023\n", b"P5\n# scanner\n2 1\n1023\n"])
def test_white_as_netpbm_says_it(header: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.pgm").write_bytes(header + struct.pack(">2H", 1023, 512))
    assert np.allclose(shown(tmp_path / "a.pgm")[0, :, 0], [255, 512 / 1023 * 255])


def test_deep_tiffs_that_would_be_read_wrong_are_refused(tmp_path: Path) -> None:
    pixels = np.full((2, 3, 3), 20000, np.uint16)
    for photometric, values in ((8, pixels), (1, pixels[..., :2])):
        with pytest.raises(MediaError, match="colour space that is not read at that depth; save it as RGB"):
            read_picture(tiff(tmp_path / "a.tif", values, photometric, 2 if photometric == 1 else None))
    with pytest.raises(MediaError, match="holds uint32 values"):
        read_picture(tiff(tmp_path / "b.tif", pixels[..., 0].astype(np.uint32), 1))


def test_values_that_are_no_numbers_are_refused_with_their_place(tmp_path: Path) -> None:
    pixels = np.full((8, 10, 3), 0.5, np.float32)
    pixels[3, 7, 1], pixels[5, 0] = np.nan, np.inf
    for suffix in ("tiff", "pfm"):
        cv2.imwrite(str(tmp_path / f"a.{suffix}"), pixels)
        with pytest.raises(MediaError, match=r"2 of its 80 pixels hold no numbers .*, the first at x=7, y=3"):
            read_picture(tmp_path / f"a.{suffix}")


def test_float_values_are_cut_off_and_radiance_is_linear_light(tmp_path: Path) -> None:
    pixels = np.full((8, 10, 3), 0.5, np.float32)
    pixels[0, 0], pixels[0, 1] = 7, -3
    cv2.imwrite(str(tmp_path / "a.tiff"), pixels)
    found = read_picture(tmp_path / "a.tiff")[0, 0]
    assert found[0, 0] == 1 and found[0, 1] == 0 and found[1, 1] == 0.5
    cv2.imwrite(str(tmp_path / "a.hdr"), pixels)
    assert abs(float(read_picture(tmp_path / "a.hdr")[0, 0, 1, 1]) - 0.7354) < 0.002  # sRGB's middle grey


MOTION = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 400


@pytest.mark.parametrize("kind", LOSSLESS)
def test_what_phones_append_does_not_matter_and_a_lost_end_does(kind: str, tmp_path: Path) -> None:
    with Image.open(photograph("chelsea.png")) as whole:
        small = whole.convert("RGB").resize((90, 60))
    exif = Image.Exif()
    exif[0x010F] = "Acme" + "\xff\xd9" * 20
    data = saved(tmp_path / "a", small, kind, exif=exif, **LOSSLESS[kind]).read_bytes()
    wanted = read_picture(tmp_path / "a")
    (tmp_path / "motion").write_bytes(data + MOTION)
    assert torch.equal(read_picture(tmp_path / "motion"), wanted)
    for kept in (len(data) // 4, len(data) // 2, len(data) - 40):
        (tmp_path / "cut").write_bytes(data[:kept])
        with pytest.raises(MediaError, match=r"ends early|can't be decoded|not a picture"):
            read_picture(tmp_path / "cut")
    if kind in ("PNG", "JPEG"):
        (tmp_path / "cut").write_bytes(data[: len(data) - 14])
        with pytest.raises(MediaError, match="ends early"):
            read_picture(tmp_path / "cut")


def test_progressive_jpegs_with_thumbnail_and_restarts_reach_their_end(tmp_path: Path) -> None:
    thumbnail = io.BytesIO()
    Image.fromarray(QUARTERS).save(thumbnail, "JPEG")
    with Image.open(photograph("coffee.png")) as coffee:
        exif = b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0" + thumbnail.getvalue()
        saved(tmp_path / "a.jpg", coffee.convert("RGB"), "JPEG", progressive=True, restart_marker_rows=1, exif=exif)
    data = (tmp_path / "a.jpg").read_bytes()
    assert size_of(read_picture(tmp_path / "a.jpg")) == Size(400, 600)
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(MediaError, match="ends early"):
        read_picture(tmp_path / "cut.jpg")


def curve_profile(space: str, gamma: float) -> bytes:
    """A grey ICC profile with a gamma of its own, written by hand: Pillow makes none."""
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"grey\0" + b"\0" * 78
    parts, place, table = [(b"desc", text), (b"wtpt", white), (b"kTRC", curve)], 128 + 4 + 36, b""
    for name, body in parts:
        table += name + struct.pack(">II", place, len(body))
        place += len(body) + -len(body) % 4
    bodies = b"".join(body + b"\0" * (-len(body) % 4) for _, body in parts)
    head = struct.pack(">I4sI4s4s4s", place, b"lcms", 0x02400000, b"mntr", space.encode().ljust(4), b"XYZ ")
    head += b"\0" * 12 + b"acsp" + b"\0" * 28 + struct.pack(">3i", 63190, 65536, 54061) + b"\0" * 48
    return head + struct.pack(">I", len(parts)) + table + bodies


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "deep.png"])
def test_grey_with_a_profile_of_its_own_becomes_srgb(name: str, tmp_path: Path) -> None:
    profile = curve_profile("GRAY", 1.0)  # linear light: a half is sRGB's 188
    path = tmp_path / name
    if name.startswith("deep"):
        write_still(torch.full((1, 3, 20, 30), 0.5), path, deep=True)
        data = cv2.imencode(".png", np.full((20, 30), 32768, np.uint16))[1].tobytes()
        import zlib

        from pipeline.media.still import _chunk  # the same file with the profile

        path.write_bytes(data[:33] + _chunk(b"iCCP", b"grey\0\0" + zlib.compress(profile)) + data[33:])
    else:
        Image.new("L", (30, 20), 128).save(path, icc_profile=profile, **({"quality": 100} if name == "a.jpg" else {}))
    still = read_still(path)
    assert still.profile is None and abs(float(still.frame.mean()) * 255 - 188) < 1.5
    write_still(still.frame, tmp_path / "out.jpg", still)
    with Image.open(tmp_path / "out.jpg") as out:
        assert out.mode == "RGB" and "icc_profile" not in out.info


def test_only_a_profile_that_fits_is_written(tmp_path: Path) -> None:
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    grey = curve_profile("GRAY", 2.2)
    for mode, profile, kept in (
        *(("RGB", srgb, True), ("L", srgb, True), ("RGB", grey, False), ("CMYK", srgb, False), ("CMYK", grey, False)),
        *(("RGB", b"rubbish", False), ("L", b"rubbish", False), ("RGB", srgb[:200], False)),
    ):
        path = saved(
            tmp_path / "a.jpg", Image.fromarray(QUARTERS).convert(mode), "JPEG", quality=100, icc_profile=profile
        )
        still = read_still(path)
        assert (still.profile == srgb) is kept and (still.profile is None) is not kept, mode
        for suffix in (".jpg", ".png", ".tif", ".webp"):
            write_still(still.frame, tmp_path / f"out{suffix}", still)
            with Image.open(tmp_path / f"out{suffix}") as out:
                assert out.info.get("icc_profile") == still.profile
