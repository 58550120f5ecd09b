"""Sound for a finished film: the source's own or another, from the right moment on."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.error

from pipeline.errors import MediaError
from pipeline.media.ffmpeg import run_ffmpeg

# What an mp4 holds and players play; anything else becomes AAC.
_COPIED = {"aac", "mp3", "ac3", "eac3", "alac"}


@dataclass(frozen=True)
class Soundtrack:
    """The sound in a file, from `since` seconds on that file's own clock, at `speed` times its pace."""

    path: Path
    since: Fraction = Fraction(0)
    speed: Fraction = Fraction(1)


def add_sound(film: Path, sound: Soundtrack, seconds: Fraction, fps: Fraction, out: Path) -> bool:
    """Write `film` (H.264 in mp4, `seconds` long at `fps`) to `out` with `sound`; whether the file has any.

    Pictures are copied bit for bit, and sound too where mp4 can hold it and its pace stays; the same files give the
    same bytes. The offset is exact: what begins within a packet of sound is told by the film's edit list. Raises
    MediaError when the sound can't be read or ffmpeg fails.
    """
    found = first_sound(sound.path)
    if found is None:
        return False
    codec, begins = found
    copied = codec in _COPIED and sound.speed == 1
    arguments = [
        *("-i", str(film)),
        *("-ss", _decimal(max(Fraction(0), sound.since - begins)), "-t", _decimal(seconds * sound.speed)),
        *("-i", str(sound.path)),
        *("-map", "0:v:0", "-map", "1:a:0", "-map_metadata", "0", "-c:v", "copy"),
        *(("-c:a", "copy") if copied else ("-af", _tempo(sound.speed), "-c:a", "aac", "-b:a", "192k")),
        *("-video_track_timescale", str(fps.numerator)),
        *("-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact"),
        *("-movflags", "+faststart", "-f", "mp4", str(out)),
    ]
    run_ffmpeg(arguments, f"adding the sound of {sound.path} (`audio: none` leaves it out)")
    return True


def first_sound(path: Path) -> tuple[str, Fraction] | None:
    """The codec of a file's first sound, and when the file's clock begins, in seconds; None where it is silent.

    Raises MediaError when it can't be read.
    """
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                return None
            begins = Fraction(container.start_time or 0, av.time_base)
            return container.streams.audio[0].codec_context.name, begins
    except (OSError, av.error.FFmpegError) as error:
        raise MediaError(f"can't read the sound of {path}: {error}; give another as `audio`, or none") from error


def _decimal(seconds: Fraction) -> str:
    return f"{float(seconds):.6f}"


def _tempo(speed: Fraction) -> str:
    """ffmpeg's tempo filter, several where one does not reach; the pitch stays."""
    factors = []
    while speed > 2:
        factors.append(Fraction(2))
        speed /= 2
    while speed < Fraction(1, 2):
        factors.append(Fraction(1, 2))
        speed *= 2
    return ",".join(f"atempo={float(factor):.9g}" for factor in (*factors, speed))
