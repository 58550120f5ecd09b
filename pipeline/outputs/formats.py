"""What a film can be written as: codecs, the containers that hold them, their depths, and how ffmpeg is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

FormatName = Literal[
    "h264", "hevc", "av1", "vp9", "prores", "prores-4444", "ffv1", "png", "tiff", "gif", "webp", "apng"
]
Container = Literal["mp4", "mov", "mkv", "webm"]
Kind = Literal["film", "pictures", "animation"]
Speed = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"]


@dataclass(frozen=True)
class PixelFormat:
    """How ffmpeg calls the pixels of one depth, without transparency and, where there is such a thing, with it."""

    opaque: str
    transparent: str | None = None


@dataclass(frozen=True)
class Format:
    """One way to write a film."""

    about: str
    pixels: Mapping[int, PixelFormat]
    """by bits for each of red, green and blue, the usual depth first"""
    suffixes: tuple[str, ...]
    """of the files, the usual one first: for films, the containers that hold the codec"""
    kind: Kind = "film"
    encoder: str = ""
    """ffmpeg's"""
    options: tuple[str, ...] = ()
    crf: tuple[int, int] | None = None
    """the usual one and the largest, where the codec has such a thing"""
    speeds: Mapping[Speed, tuple[str, ...]] = field(default_factory=dict)
    """options by x264's name for the speed, where there is a choice"""
    steps: tuple[int, int] = (1, 1)
    """what (height, width) must be a multiple of"""
    share: float = 2.0
    """bytes of a frame at most, as a share of those of an 8-bit one that is not compressed"""

    @property
    def bits(self) -> int:
        """The usual depth."""
        return next(iter(self.pixels))

    @property
    def has_alpha(self) -> bool:
        """Whether it can be transparent."""
        return any(each.transparent is not None for each in self.pixels.values())


_X26: dict[Speed, tuple[str, ...]] = {speed: ("-preset", speed) for speed in get_args(Speed)}


def _numbered(option: str, *numbers: int) -> dict[Speed, tuple[str, ...]]:
    return {speed: (option, str(number)) for speed, number in zip(_X26, numbers, strict=True)}


_YUV420 = {8: PixelFormat("yuv420p")}
_DEEP_YUV420 = {10: PixelFormat("yuv420p10le"), **_YUV420}
_RGB = PixelFormat("rgb24", "rgba")

# Nothing here may depend on the number of processors: slices and threads that change bytes are set.
FORMATS: Mapping[FormatName, Format] = {
    "h264": Format(
        "plays everywhere",
        _YUV420,
        ("mp4", "mov", "mkv"),
        encoder="libx264",
        crf=(17, 51),
        speeds=_X26,
        steps=(2, 2),
        share=0.1,
    ),
    "hevc": Format(
        "ten bits, for newer players and Apple's; smaller than H.264",
        _DEEP_YUV420,
        ("mp4", "mov", "mkv"),
        encoder="libx265",
        options=("-tag:v", "hvc1", "-x265-params", "log-level=error:info=0:frame-threads=2"),
        crf=(19, 51),
        speeds=_X26,
        steps=(2, 2),
        share=0.1,
    ),
    "av1": Format(
        "ten bits, smallest, for newer browsers",
        _DEEP_YUV420,
        ("mp4", "webm", "mkv"),
        encoder="libsvtav1",
        crf=(24, 63),
        speeds=_numbered("-preset", 12, 11, 10, 9, 8, 6, 4, 3, 2),
        steps=(2, 2),
        share=0.1,
    ),
    "vp9": Format(
        "for browsers; the one that plays with transparency there",
        {8: PixelFormat("yuv420p", "yuva420p"), 10: PixelFormat("yuv420p10le")},
        ("webm", "mp4", "mkv"),
        encoder="libvpx-vp9",
        options=("-b:v", "0", "-deadline", "good", "-threads", "4", "-auto-alt-ref", "0"),
        crf=(24, 63),
        speeds=_numbered("-cpu-used", 5, 5, 5, 4, 4, 3, 2, 1, 0),
        steps=(2, 2),
        share=0.1,
    ),
    "prores": Format(
        "ProRes 422 HQ, for editing",
        {10: PixelFormat("yuv422p10le")},
        ("mov", "mkv"),
        encoder="prores_ks",
        options=("-profile:v", "hq"),
        steps=(1, 2),
        share=0.7,
    ),
    "prores-4444": Format(
        "ProRes 4444, for compositing",
        {10: PixelFormat("yuv444p10le", "yuva444p10le")},
        ("mov", "mkv"),
        encoder="prores_ks",
        options=("-profile:v", "4444", "-alpha_bits", "16"),
        share=1.5,
    ),
    "ffv1": Format(
        "lossless, for archives",
        {
            10: PixelFormat("gbrp10le", "gbrap10le"),
            8: PixelFormat("bgr0", "bgra"),
            16: PixelFormat("gbrp16le", "gbrap16le"),
        },
        ("mkv",),
        encoder="ffv1",
        options=("-level", "3", "-g", "1", "-slices", "4", "-slicecrc", "1"),
    ),
    "png": Format(
        "a folder of pictures",
        {8: _RGB, 16: PixelFormat("rgb48be", "rgba64be")},
        ("png",),
        "pictures",
        "png",
    ),
    "tiff": Format(
        "a folder of pictures",
        {16: PixelFormat("rgb48le", "rgba64le"), 8: _RGB},
        ("tiff",),
        "pictures",
        "tiff",
        ("-compression_algo", "deflate"),
        share=3.0,
    ),
    "gif": Format("an animation of 256 colours", {8: _RGB}, ("gif",), "animation"),
    "webp": Format("an animation for browsers", {8: _RGB}, ("webp",), "animation"),
    "apng": Format("a lossless animation", {8: _RGB, 16: PixelFormat("rgb48be", "rgba64be")}, ("apng",), "animation"),
}
KEPT = FORMATS["ffv1"]
"""what animations are kept in, without loss, until all of their frames are there"""
SEGMENTS: Mapping[FormatName, str] = {
    "h264": "mp4",
    "hevc": "mp4",
    "av1": "mp4",
    "vp9": "mkv",  # mp4 has no place for the transparency
    "prores": "mov",
    "prores-4444": "mov",
    "png": "nut",
    "tiff": "mov",
}
"""the suffix of pieces, each two seconds of the film; FFV1's where it is not here"""
