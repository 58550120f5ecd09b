"""The sink: H.264 in mp4."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from pipeline.frame import Size
from pipeline.media.ffmpeg import VideoWriter
from pipeline.stages.base import Role, RunSpec, Stage, StageConfig

Speed = Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow"]


class EncodeConfig(StageConfig):
    """Write the film."""

    role: ClassVar[Role] = Role.SINK
    crf: int = Field(17, ge=0, le=51, description="quality: 0 is lossless, 17 looks so, 28 is small")
    preset: Speed = Field("medium", description="x264's speed; slower makes smaller files of the same quality")

    def problems(self, spec: RunSpec) -> Iterator[tuple[str, str]]:
        if spec.size.height % 2 or spec.size.width % 2:
            sizes = sorted({Size(h, w) for h in _evens(spec.size.height) for w in _evens(spec.size.width)})
            near = " or ".join(str(size) for size in sizes)
            yield "", f"can't store the size {spec.size}: both sides must be even; use {near}"


def _evens(side: int) -> tuple[int, ...]:
    return (side,) if side % 2 == 0 else (side - 1, side + 1)


class Encode(Stage[EncodeConfig]):
    """Opens films that hold the run's frames."""

    def open(self, path: Path) -> VideoWriter:
        """A writer of an mp4 at `path`: yuv420p, bt709, exact timestamps, its index at the front."""
        # The same frames must give the same bytes: x264's lookahead is deterministic, `bitexact` drops dates.
        return VideoWriter(
            path,
            self.spec.size,
            self.spec.fps,
            [
                *("-vf", "scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd+full_chroma_int"),
                *("-pix_fmt", "yuv420p", "-c:v", "libx264"),
                *("-crf", str(self.config.crf), "-preset", self.config.preset),
                *("-color_range", "tv", "-colorspace", "bt709"),
                *("-color_primaries", "bt709", "-color_trc", "bt709"),
                *("-video_track_timescale", str(self.spec.fps.numerator)),
                *("-fflags", "+bitexact", "-flags:v", "+bitexact", "-movflags", "+faststart", "-f", "mp4"),
            ],
        )
