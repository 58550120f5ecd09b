"""Films whose pictures say which they are: eight blocks, black or white, are their number in binary."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from pipeline.media.ffmpeg import ffmpeg_program
from tests.clips import ffmpeg

WIDTH, HEIGHT = 64, 48
_ROWS, _COLUMNS = 2, 4


def write_pictures(path: Path, count: int) -> Path:
    """Raw grey pictures 0 to `count`, for `source`."""
    bits = (np.arange(count)[:, None] >> np.arange(_ROWS * _COLUMNS)) & 1
    blocks = (bits * 200 + 30).astype(np.uint8).reshape(count, _ROWS, _COLUMNS)
    blocks.repeat(HEIGHT // _ROWS, 1).repeat(WIDTH // _COLUMNS, 2).tofile(path)
    return path


def source(pictures: Path, rate: str = "25") -> tuple[str | Path, ...]:
    """Input options for them."""
    return ("-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{WIDTH}x{HEIGHT}", "-r", rate, "-i", pictures)


def number_in(frame: Tensor) -> int:
    """The number of a picture (1, 3, H, W)."""
    return _number(frame[0, 1].numpy() * 255)


def _number(grey: np.ndarray) -> int:
    height, width = grey.shape
    rows = [(2 * row + 1) * height // (2 * _ROWS) for row in range(_ROWS)]
    columns = [(2 * column + 1) * width // (2 * _COLUMNS) for column in range(_COLUMNS)]
    bits = (grey[np.ix_(rows, columns)] > 128).reshape(-1)
    return int((bits << np.arange(len(bits))).sum())


def as_ffmpeg_decodes(path: Path) -> list[int]:
    """The numbers of a film's pictures as ffmpeg itself gives them, one after the other, whatever their times."""
    command = [ffmpeg_program(), "-loglevel", "error", "-nostdin", "-i", str(path), "-map", "0:v:0"]
    command += ["-fps_mode", "passthrough", "-s", f"{WIDTH}x{HEIGHT}", "-pix_fmt", "gray", "-f", "rawvideo", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    return [_number(grey) for grey in np.frombuffer(done.stdout, np.uint8).reshape(-1, HEIGHT, WIDTH)]


X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "12")
REORDERED = (*X264, "-bf", "3", "-x264-params", "b-adapt=0:scenecut=0:keyint=12")
MPEG2 = ("-c:v", "mpeg2video", "-q:v", "2", "-bf", "2", "-g", "12")
TONE = ("-f", "lavfi", "-i", "sine=duration=2.4")
_MILLISECONDS = ("-fps_mode", "passthrough", "-enc_time_base", "1/1000")


def timed(expression: str) -> tuple[str, ...]:
    """Output options: picture N is shown at so many milliseconds."""
    return ("-vf", f"settb=1/1000,setpts='floor({expression})'", *_MILLISECONDS)


def gif_with_delays(path: Path, source: Path, delays: Sequence[int]) -> Path:
    """A GIF like `source` whose pictures have these delays, in hundredths of a second, again and again."""
    data, mark, place, count = bytearray(source.read_bytes()), b"\x21\xf9\x04", -1, 0
    while (place := data.find(mark, place + 1)) >= 0:
        data[place + 4 : place + 6] = delays[count % len(delays)].to_bytes(2, "little")
        count += 1
    path.write_bytes(data)
    return path


def make(path: Path, pictures: Path, *options: str | Path, rate: str = "25") -> Path:
    """A film of them."""
    ffmpeg(*source(pictures, rate), *options, path)
    return path
