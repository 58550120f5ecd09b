"""Sound that can be told apart: a click every second, and when each is heard in a film."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np

from pipeline.media.ffmpeg import ffmpeg_program
from tests.clips import ffmpeg, pattern

SECONDS = 4
_RATE = 48000


def click_input(rate: int = _RATE, seconds: int = SECONDS) -> tuple[str, ...]:
    """Input options for a click of 10 ms at every whole second."""
    return ("-f", "lavfi", "-i", f"aevalsrc='if(lt(mod(t,1),0.01),0.9*sin(2*PI*1000*t),0)':s={rate}:d={seconds}")


def clicking(path: Path, *options: str, pictures: bool = True, rate: int = _RATE) -> Path:
    """A film, or sound alone, that clicks."""
    ffmpeg(*(pattern(SECONDS) if pictures else ()), *click_input(rate), *options, path)
    return path


def clicks_heard(film: Path) -> list[float]:
    """When clicks begin, in seconds on the film's clock, as ffmpeg plays it."""
    command = [ffmpeg_program(), "-v", "error", "-nostdin", "-i", str(film), "-map", "0:a:0"]
    # Gaps and a late beginning are silence, as a player has it.
    command += ["-af", "aresample=async=1:first_pts=0", "-ac", "1", "-ar", str(_RATE), "-f", "f32le", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    loud = np.flatnonzero(np.abs(np.frombuffer(done.stdout, np.float32)) > 0.1) / _RATE
    return [float(time) for n, time in enumerate(loud) if n == 0 or time - loud[n - 1] > 0.1]
