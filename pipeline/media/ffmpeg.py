"""The ffmpeg program that imageio-ffmpeg ships.

imageio-ffmpeg's own writer rounds the frame rate, pads sizes to 16 and ignores ffmpeg's exit status.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

import imageio_ffmpeg

from pipeline.errors import MediaError

_LINES_SHOWN = 12


def ffmpeg_program() -> str:
    """The path of ffmpeg. Raises MediaError when there is none."""
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise MediaError(
            "no ffmpeg program was found: pip install --force-reinstall imageio-ffmpeg, "
            "or set IMAGEIO_FFMPEG_EXE to the path of one"
        ) from error


def run_ffmpeg(arguments: Sequence[str], what: str) -> None:
    """Run ffmpeg to its end. Raises MediaError saying that `what` failed, with ffmpeg's last lines."""
    command = [ffmpeg_program(), "-hide_banner", "-loglevel", "warning", "-nostdin", "-y", *arguments]
    try:
        # A session of its own: Ctrl-C reaches dreamreel, which lets a segment be finished in good order.
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
        )
    except OSError as error:
        raise MediaError(f"ffmpeg can't be started ({command[0]}: {error.strerror})") from error
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").splitlines()[-_LINES_SHOWN:]
        said = "\n  ".join(lines) or "(nothing)"
        raise MediaError(f"ffmpeg failed {what} (exit status {done.returncode}). It said:\n  {said}")
