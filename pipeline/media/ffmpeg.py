"""The ffmpeg program that imageio-ffmpeg ships, driven through a pipe of our own.

imageio-ffmpeg's own writer rounds the frame rate, pads sizes to 16 and ignores ffmpeg's exit status.
"""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections import deque
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import imageio_ffmpeg
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import MediaError
from pipeline.frame import Size


def ffmpeg_program() -> str:
    """The path of ffmpeg. Raises MediaError when there is none."""
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise MediaError(
            "no ffmpeg program was found: pip install --force-reinstall imageio-ffmpeg, "
            "or set IMAGEIO_FFMPEG_EXE to the path of one"
        ) from error


class VideoWriter:
    """Writes raw RGB frames to a film through one ffmpeg process.

    Frames are (H, W, 3) uint8. Frame n is shown at exactly n/fps. Close it, or use it as a context; leaving the
    context by an exception stops ffmpeg and keeps what it had written. Raises MediaError with ffmpeg's last
    lines when it can't be started, dies, or ends with an error.
    """

    def __init__(self, path: Path, size: Size, fps: Fraction, output_options: Sequence[str]) -> None:
        self.path = path
        self._last_lines: deque[str] = deque(maxlen=12)
        command = [
            *(ffmpeg_program(), "-hide_banner", "-loglevel", "warning", "-nostdin", "-y"),
            *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", str(size), "-r", str(fps), "-i", "pipe:0"),
            *output_options,
            str(path),
        ]
        try:
            # A process group of its own: Ctrl-C reaches dreamreel, which closes the film in good order.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise MediaError(f"ffmpeg can't be started ({command[0]}: {error.strerror})") from error
        self._listener = threading.Thread(target=self._listen, name="ffmpeg-stderr", daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                self._last_lines.append(line.decode(errors="replace").rstrip())

    def write(self, pixels: NDArray[np.uint8]) -> None:
        """Hand over one frame; blocks while ffmpeg is busy."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(pixels.data)
        except OSError as error:
            self.abort()
            raise self._failure() from error

    def close(self) -> None:
        """Finish the film and wait for ffmpeg."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except OSError as error:
            self.abort()
            raise self._failure() from error
        self._process.wait()
        self._listener.join()
        if self._process.returncode != 0:
            raise self._failure()

    def abort(self) -> None:
        """Stop ffmpeg at once; the film stays as far as it was written."""
        assert self._process.stdin is not None
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._listener.join()
        with contextlib.suppress(OSError):  # the pipe broke with the process, which is what is being reported
            self._process.stdin.close()

    def _failure(self) -> MediaError:
        said = "\n  ".join(self._last_lines) or "(nothing)"
        status = self._process.returncode
        return MediaError(f"ffmpeg failed writing {self.path} (exit status {status}). It said:\n  {said}")

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()
