"""Every format, read back: pixels, depth, rate, count, times, transparency, and the same bytes again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageSequence

from pipeline.frame import Size, narrowed
from pipeline.outputs import Master, Rendition, count_finished
from pipeline.outputs.formats import FORMATS, FormatName
from tests.outputs.written import COMMENT, FPS, SIZE, ramps, rendition, written

FRAMES = 13  # a full piece, and a short one
FAST = {"preset": "ultrafast"}
FILMS: dict[str, tuple[dict[str, Any], str, str]] = {
    # keys, the codec and the pixel format that are read back
    "h264": (FAST, "h264", "yuv420p"),
    "hevc": (FAST, "hevc", "yuv420p10le"),
    "hevc of 8 bits": ({**FAST, "format": "hevc", "bits": 8}, "hevc", "yuv420p"),
    "av1": (FAST, "av1", "yuv420p10le"),
    "av1 in webm": ({**FAST, "format": "av1", "container": "webm"}, "av1", "yuv420p10le"),
    "vp9": (FAST, "vp9", "yuv420p"),
    "vp9 of 10 bits": ({**FAST, "format": "vp9", "bits": 10}, "vp9", "yuv420p10le"),
    "prores": ({}, "prores", "yuv422p10le"),
    "prores-4444": ({}, "prores", "yuv444p10le"),
    "ffv1": ({}, "ffv1", "gbrp10le"),
    "ffv1 of 8 bits": ({"format": "ffv1", "bits": 8}, "ffv1", "bgr0"),
    "archive": ({"for": "archive"}, "ffv1", "gbrp16le"),
    "h264 in mov": ({**FAST, "format": "h264", "container": "mov"}, "h264", "yuv420p"),
    "h264 in mkv": ({**FAST, "format": "h264", "container": "mkv"}, "h264", "yuv420p"),
}
EXACT = {"png": 8, "apng": 8, "tiff": 16}


def keys_of(name: str, keys: dict[str, Any]) -> dict[str, Any]:
    return keys if "format" in keys or "for" in keys else {"format": name, **keys}


@pytest.mark.parametrize("name", FILMS)
def test_a_film(name: str, tmp_path: Path) -> None:
    keys, codec, pixel_format = FILMS[name]
    output, frames = rendition(keys_of(name, keys)), ramps(FRAMES)
    film = written(tmp_path, output, frames)
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.codec.canonical_name, stream.format.name) == (codec, pixel_format)
        assert stream.average_rate is not None and float(stream.average_rate) == pytest.approx(float(FPS), rel=1e-3)
        assert container.metadata.get("comment", container.metadata.get("COMMENT")) == COMMENT
        shown = [
            (frame.pts * frame.time_base, frame.to_ndarray(format="rgb48le")) for frame in container.decode(stream)
        ]
    assert len(shown) == FRAMES == count_finished(film, output)
    slack = Fraction(0) if film.suffix in (".mp4", ".mov") else Fraction(1, 2000)
    assert all(abs(time - number / FPS) <= slack for number, (time, _) in enumerate(shown))
    for (_, found), wanted in zip(shown, frames, strict=True):
        assert np.abs(found.astype(int) - wanted).mean() < 0.02 * 65535
    levels = len(np.unique(shown[0][1][SIZE.height // 2, :, 0]))
    assert levels > 256 if output.is_deep else levels <= 256


@pytest.mark.parametrize("bits", [8, 10, 16])
def test_ffv1_loses_nothing_but_by_rounding(bits: int, tmp_path: Path) -> None:
    frames = ramps(2)
    film = written(tmp_path, rendition({"format": "ffv1", "bits": bits}), frames)
    with av.open(str(film)) as container:
        found = next(container.decode(video=0)).to_ndarray(**({"format": "rgb24"} if bits == 8 else {}))
    most = 2**bits - 1
    assert np.array_equal(found, (frames[0].astype(np.int64) * most + 32767) // 65535)


def pictures(path: Path) -> list[NDArray[Any]]:
    """(H, W, C) RGB of each picture in a folder, or frame of an animation."""
    if path.is_dir():
        read = [cv2.imread(str(each), cv2.IMREAD_UNCHANGED) for each in sorted(path.iterdir())]
        return [each[..., [2, 1, 0, 3][: each.shape[2]]] for each in read if each is not None]
    with Image.open(path) as animation:
        return [np.asarray(frame.convert("RGBA")) for frame in ImageSequence.Iterator(animation)]


@pytest.mark.parametrize("name", ["png", "tiff", "gif", "webp", "apng"])
def test_pictures_and_animations(name: str, tmp_path: Path) -> None:
    output, frames = rendition({"format": name}), ramps(FRAMES)
    target = written(tmp_path, output, frames)
    found = pictures(target)
    assert len(found) == FRAMES == count_finished(target, output)
    wanted = frames if output.is_deep else narrowed(frames)
    most = np.iinfo(wanted.dtype).max
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == wanted.dtype
        if name in EXACT:
            assert np.array_equal(one[..., :3], other)
        else:
            assert np.abs(one[..., :3].astype(int) - other).mean() < 0.06 * most
    if not target.is_dir():
        with Image.open(target) as animation:
            lasts = [(frame.load(), frame.info["duration"])[1] for frame in ImageSequence.Iterator(animation)]
            assert animation.info.get("loop") == 0
        assert sum(lasts) == pytest.approx(float(1000 * FRAMES / FPS), abs=1000 / 24)


@pytest.mark.parametrize("name", ["png", "apng"])
def test_sixteen_bits_where_asked(name: str, tmp_path: Path) -> None:
    target = written(tmp_path, rendition({"format": name, "bits": 16}), ramps(2))
    path = min(target.iterdir()) if target.is_dir() else target
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)  # an apng is a png to who knows no better
    assert picture is not None and np.array_equal(picture[..., 2::-1], ramps(1)[0])


@pytest.mark.parametrize("keys", [{"format": each} for each in get_args(FormatName)], ids=str)
def test_the_same_frames_give_the_same_bytes(keys: dict[str, Any], tmp_path: Path) -> None:
    output = rendition({**keys, **(FAST if FORMATS[keys["format"]].speeds else {})})
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        made.append(written(tmp_path / name, output, ramps(10)))
    files = [sorted(each.iterdir()) if each.is_dir() else [each] for each in made]
    assert all(one.read_bytes() == two.read_bytes() for one, two in zip(*files, strict=True))


TRANSPARENT: list[dict[str, Any]] = [
    {"format": "prores-4444"},
    {"format": "vp9", **FAST},
    {"format": "ffv1"},
    {"format": "ffv1", "bits": 8},
    {"format": "ffv1", "bits": 16},
    {"format": "png"},
    {"format": "png", "bits": 16},
    {"format": "tiff"},
    {"format": "gif"},
    {"format": "webp"},
    {"format": "webp", "quality": 100},
    {"format": "apng"},
]


def alphas(path: Path, output: Rendition) -> Iterator[NDArray[np.float64]]:
    """(H, W) from 0 to 1 of each frame."""
    if output.config.form.kind != "film":
        for picture in pictures(path):
            yield picture[..., 3] / np.iinfo(picture.dtype).max
        return
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        if output.config.format == "vp9":  # ffmpeg's own decoder leaves it out
            decoder = av.CodecContext.create("libvpx-vp9", "r")
            decoded = [frame for packet in container.demux(stream) for frame in decoder.decode(packet)]  # type: ignore[attr-defined]
        else:
            decoded = list(container.decode(stream))
    for frame in decoded:
        yield frame.to_ndarray(format="rgba64le")[..., 3] / 65535


@pytest.mark.parametrize("keys", TRANSPARENT, ids=str)
def test_a_mask_becomes_transparency(keys: dict[str, Any], tmp_path: Path) -> None:
    output = rendition({**keys, "mask": {"radial": 0.4, "centre": [0.25, 0.5]}})
    found = list(alphas(written(tmp_path, output, ramps(10)), output))
    assert len(found) == 10
    for alpha in found:
        assert alpha.shape == SIZE
        assert alpha[32, 128] > 0.98 and alpha[32, 384] < 0.02  # within the disc, and far from it
        assert 0.02 < alpha[:, 96:160].mean() < 0.98


@pytest.mark.parametrize("keys", [{"format": "png"}, {"format": "h264", **FAST}], ids=str)
def test_a_mask_is_written_out(keys: dict[str, Any], tmp_path: Path) -> None:
    output = rendition({**keys, "writes": "mask", "mask": {"radial": 0.4, "centre": [0.25, 0.5]}})
    target = written(tmp_path, output, ramps(2))
    if target.is_dir():
        picture = pictures(target)[0]
    else:
        with av.open(str(target)) as container:
            picture = next(container.decode(video=0)).to_ndarray(format="rgb24")
    assert picture.shape == (*SIZE, 3) and np.ptp(picture.astype(int), axis=2).max() <= 3
    assert picture[32, 128].min() > 250 and picture[32, 384].max() < 5


def test_an_eight_bit_output_beside_a_deep_one_is_rounded(tmp_path: Path) -> None:
    frames = ramps(2)
    target = written(tmp_path, rendition({"format": "png"}), frames, deep=True)
    assert np.array_equal(pictures(target)[1], narrowed(frames[1]))


@pytest.mark.parametrize(
    "keys",
    [
        {"format": "h264", **FAST},
        {"format": "hevc", **FAST},
        {"format": "av1", **FAST},
        {"format": "vp9", "container": "mp4", **FAST},
        {"format": "prores"},
        {"format": "prores-4444"},
    ],
    ids=str,
)
def test_a_sphere_is_marked_as_one(keys: dict[str, Any], tmp_path: Path) -> None:
    size = Size(64, 128)
    output = replace(rendition(keys, size), master=Master(size, FPS, on_sphere=True))
    with av.open(str(written(tmp_path, output, ramps(3, size)))) as film:
        frames = list(film.decode(video=0))
    assert len(frames) == 3 and all("SPHERICAL" in {side.type.name for side in frame.side_data} for frame in frames)
