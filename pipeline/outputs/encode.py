"""The film's own output, as presets set it: H.264 in mp4."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Literal

from pydantic import Field

from pipeline.frame import Size
from pipeline.media.ffmpeg import run_ffmpeg
from pipeline.stages import Entry, RunSpec

Speed = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"]


class EncodeConfig(Entry):
    """Write the film."""

    crf: int = Field(17, ge=0, le=51, description="quality: 0 is lossless, 17 looks lossless, 28 makes a small file")
    preset: Speed = Field("medium", description="x264's speed; slower makes smaller files of the same quality")

    def problems(self, spec: RunSpec) -> Iterator[tuple[str, str]]:
        if spec.size.height % 2 or spec.size.width % 2:
            sizes = sorted({Size(h, w) for h in _evens(spec.size.height) for w in _evens(spec.size.width)})
            near = " or ".join(str(size) for size in sizes)
            yield "", f"can't store the size {spec.size}: both sides must be even; use {near}"


def _evens(side: int) -> tuple[int, ...]:
    return (side,) if side % 2 == 0 else (side - 1, side + 1)


def encode(frames: Path, film: Path, size: Size, fps: Fraction, config: EncodeConfig, count: int | None = None) -> None:
    """Encode raw (H, W, 3) uint8 RGB frames in a file, or the first `count` of them, to an mp4.

    yuv420p, bt709, frame n at exactly n/fps. The same frames give the same bytes: x264 is deterministic for one number
    of threads, and `bitexact` leaves out dates and versions. Raises MediaError with ffmpeg's last lines.
    """
    run_ffmpeg(
        [
            *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", str(size), "-r", str(fps)),
            *("-i", str(frames)),
            *(("-frames:v", str(count)) if count is not None else ()),
            *("-vf", "scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd+full_chroma_int"),
            *("-pix_fmt", "yuv420p", "-c:v", "libx264"),
            *("-crf", str(config.crf), "-preset", config.preset),
            *("-color_range", "tv", "-colorspace", "bt709"),
            *("-color_primaries", "bt709", "-color_trc", "bt709"),
            *("-video_track_timescale", str(fps.numerator)),
            *("-fflags", "+bitexact", "-flags:v", "+bitexact", "-f", "mp4"),
            str(film),
        ],
        f"encoding {film}",
    )
