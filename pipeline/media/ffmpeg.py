"""The ffmpeg program that imageio-ffmpeg ships.

imageio-ffmpeg's own writer rounds the frame rate, pads sizes to 16 and ignores ffmpeg's exit status.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import imageio_ffmpeg

from pipeline.errors import MediaError

_LINES_SHOWN = 12
_VARIABLE = "IMAGEIO_FFMPEG_EXE"
_ENCODER = "libx264"
# Bounds on what a program says that may not be ffmpeg at all.
_PROBE_SECONDS, _PROBE_BYTES = 20.0, 1 << 20


class _Program(NamedTuple):
    path: str
    version: str
    encoders: frozenset[str]


def ffmpeg_program() -> str:
    """The path of ffmpeg, which can write H.264: tried once. Raises MediaError when there is none."""
    return _program(os.environ.get(_VARIABLE)).path


def ffmpeg_version() -> str:
    """What ffmpeg calls its version. Raises MediaError when there is none."""
    return _program(os.environ.get(_VARIABLE)).version


def has_encoder(name: str) -> bool:
    """Whether ffmpeg was built with an encoder. Raises MediaError when there is no ffmpeg."""
    return name in _program(os.environ.get(_VARIABLE)).encoders


@cache
def _program(named: str | None) -> _Program:
    remedy = f"set {_VARIABLE} to the path of one that is whole, such as a newer one"
    if named:
        remedy = f"unset {_VARIABLE}, which takes the one that came with dreamreel, or set it to another ffmpeg"
    try:
        found = str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        again = "pip install --force-reinstall imageio-ffmpeg"
        raise MediaError(f"no ffmpeg program was found: {again}, or set {_VARIABLE} to the path of one") from error
    # Absolute, because it may be started in another folder.
    path = os.path.abspath(shutil.which(found) or found)
    called = f"{_VARIABLE} is {found}, which" if named else f"the ffmpeg program {path}"
    try:
        said = _encoders(path)
    except OSError as error:
        raise MediaError(f"{called} can't be started: {error.strerror}; {remedy}") from error
    version = re.search(r"^ffmpeg version (\S+)", said, re.MULTILINE)
    if version is None:
        raise MediaError(f"{called} is no ffmpeg: it does not say so when asked for its encoders; {remedy}")
    encoders = frozenset(re.findall(r"^\s*V\S*\s+(\S+)\s", said, re.MULTILINE))
    if _ENCODER not in encoders:
        raise MediaError(f"{called} is ffmpeg {version[1]} without {_ENCODER}: it can't write H.264; {remedy}")
    return _Program(path, version[1], encoders)


def _encoders(program: str) -> str:
    """What `ffmpeg -encoders` says of itself and of what it can write. Raises OSError when it can't be started."""
    with subprocess.Popen(
        [program, "-encoders"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        timer = threading.Timer(_PROBE_SECONDS, _kill, [process])
        timer.start()
        try:
            return process.stdout.read(_PROBE_BYTES).decode(errors="replace")
        finally:
            timer.cancel()
            _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End it and what it started, which would keep the pipe open."""
    with contextlib.suppress(OSError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()


def run_ffmpeg(
    arguments: Sequence[str], what: str, folder: Path | None = None, fed: Iterable[bytes] | None = None
) -> None:
    """Run ffmpeg to its end, in a `folder` that relative names begin at; what it is `fed` is its standard input.

    Raises MediaError saying that `what` failed, with ffmpeg's last lines.
    """
    command = [ffmpeg_program(), "-hide_banner", "-loglevel", "warning", "-nostdin", "-y", *arguments]
    with tempfile.TemporaryFile() as said:  # no pipe, which would fill while ffmpeg is fed
        try:
            # A session of its own: Ctrl-C reaches dreamreel, which lets a segment be finished in good order.
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL if fed is None else subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
                cwd=folder,
            )
        except OSError as error:
            raise MediaError(f"ffmpeg can't be started ({command[0]}: {error.strerror})") from error
        with process:
            try:
                _feed(process, fed)
                status = process.wait()
            except BaseException:
                process.kill()
                raise
        if status != 0:
            said.seek(0)
            lines = said.read().decode(errors="replace").splitlines()[-_LINES_SHOWN:]
            heard = "\n  ".join(lines) or "(nothing)"
            raise MediaError(f"ffmpeg failed {what} (exit status {status}). It said:\n  {heard}")


def _feed(process: subprocess.Popen[bytes], fed: Iterable[bytes] | None) -> None:
    """Write to a process's standard input; one that ends early says why by its exit status."""
    if fed is None or process.stdin is None:
        return
    try:
        for block in fed:
            process.stdin.write(block)
        process.stdin.close()
    except BrokenPipeError:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
