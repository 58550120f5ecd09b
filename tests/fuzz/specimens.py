"""One small file of every container and picture format, made by real programs."""

from __future__ import annotations

import io
import tempfile
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from tests.clips import ffmpeg, pattern

_TONE = ("-f", "lavfi", "-i", "sine=frequency=440:duration=0.5")
_X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "4")
_FILMS: dict[str, tuple[str, ...]] = {
    "h264.mp4": (*_X264, "-c:a", "aac"),
    "fragmented.mp4": (*_X264, "-c:a", "aac", "-movflags", "frag_keyframe+empty_moov"),
    "prores.mov": ("-c:v", "prores_ks", "-c:a", "pcm_s16le"),
    "h264.mkv": (*_X264, "-bf", "2", "-c:a", "libvorbis", "-ac", "2"),
    "vp9.webm": ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"),
    "mpeg4.avi": ("-c:v", "mpeg4", "-c:a", "mp3"),
    "h264.ts": (*_X264, "-c:a", "aac"),
    "mpeg2.mpg": ("-c:v", "mpeg2video", "-c:a", "mp2"),
    "flv1.flv": ("-c:v", "flv", "-c:a", "mp3", "-ar", "44100"),
    "wmv2.wmv": ("-c:v", "wmv2", "-c:a", "wmav2"),
    "theora.ogv": ("-c:v", "libtheora", "-c:a", "libvorbis", "-ac", "2"),
    "film.gif": ("-an",),
    "film.apng": ("-an", "-f", "apng"),
    "film.webp": ("-an", "-c:v", "libwebp_anim"),
    "raw.h264": (*_X264, "-an"),
    "mjpeg.mov": ("-c:v", "mjpeg", "-an"),
}
_SOUNDS: dict[str, tuple[str, ...]] = {
    "sound.wav": (),
    "sound.mp3": ("-c:a", "mp3"),
    "sound.flac": (),
    "sound.ogg": ("-c:a", "libvorbis", "-ac", "2"),
    "sound.m4a": ("-c:a", "aac"),
}
SUBTITLES = b"1\n00:00:00,000 --> 00:00:02,000\nHello\n\n2\n00:00:02,500 --> 00:00:04,000\nthere\n"


@cache
def films() -> dict[str, bytes]:
    """Half a second of moving pictures and sound in every container."""
    return {name: _made(name, *pattern(0.4, "10", "48x32"), *_TONE, *options) for name, options in _FILMS.items()}


@cache
def sounds() -> dict[str, bytes]:
    """Half a second of a tone."""
    return {name: _made(name, *_TONE, *options) for name, options in _SOUNDS.items()}


@cache
def pictures() -> dict[str, bytes]:
    """A small picture in every format and depth."""
    y, x = np.mgrid[0:24, 0:32]
    shallow = np.stack([x * 8, y * 10, (x + y) * 4], axis=-1).astype(np.uint8)
    clear = np.dstack([shallow, x.astype(np.uint8) * 8])
    deep, real = shallow.astype(np.uint16) * 257, shallow.astype(np.float32) / 255
    made = {
        "rgb.png": shallow, "alpha.png": clear, "grey.png": shallow[..., 0], "deep.png": deep, "rgb.jpg": shallow,
        "rgb.bmp": shallow, "rgb.webp": shallow, "alpha.webp": clear, "rgb.tiff": shallow, "deep.tiff": deep,
        "float.tiff": real, "rgb.ppm": shallow, "real.hdr": real,
    }  # fmt: skip
    files = {name: cv2.imencode(Path(name).suffix, pixels)[1].tobytes() for name, pixels in made.items()}
    image = Image.fromarray(shallow)
    exif = Image.Exif()
    exif[0x0112] = 6
    files["turned.jpg"] = _saved(image, "JPEG", exif=exif)
    files["turned.png"] = _saved(Image.fromarray(clear), "PNG", exif=exif)
    files["cmyk.tiff"], files["cmyk.jpg"] = _saved(image.convert("CMYK"), "TIFF"), _saved(image.convert("CMYK"), "JPEG")
    files["palette.gif"], files["palette.png"] = _saved(image.convert("P"), "GIF"), _saved(image.convert("P"), "PNG")
    files["bits.tiff"] = _saved(image.convert("1"), "TIFF", compression="group4")
    return files


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _made(name: str, *options: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        ffmpeg(*options, path)
        return path.read_bytes()
