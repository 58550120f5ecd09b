"""Sound as samples, from the moment and at the pace that the film has it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from pipeline.activity import report
from pipeline.disk import require_regular
from pipeline.errors import MediaError, reason_of
from pipeline.media.resound import decoded, filtered, tempo
from pipeline.media.sound import Soundtrack, find_sound
from pipeline.media.soundclock import seams, timed

_FOR_EVER = Fraction(10**7)


def beginning(path: Path) -> Fraction:
    """When a file's clock begins, in seconds. Raises MediaError."""
    try:
        require_regular(path)
        with av.open(str(path)) as container:
            return Fraction(container.start_time or 0, av.time_base)
    except (OSError, av.error.FFmpegError) as error:
        raise MediaError(f"can't read {path}: {reason_of(error)}; give a file with sound") from error


def samples(sound: Soundtrack, rate: int, seconds: Fraction | None = None) -> Iterator[NDArray[np.float32]]:
    """A sound, mixed down to one channel at `rate` samples a second, in blocks (N,); sample 0 is heard with frame 0.

    At most `seconds` of it. Silence stands where the file's clock has gaps. Raises MediaError for a file without
    sound, or one that can't be read.
    """
    number = find_sound(sound.path)
    if number is None:
        raise MediaError(f"{sound.path} has no sound; name a file that has")
    try:
        with av.open(str(sound.path)) as container:
            stream = container.streams[number]
            assert isinstance(stream, av.AudioStream)
            since = beginning(sound.path) if sound.since is None else sound.since
            until = since + (_FOR_EVER if seconds is None else seconds * sound.speed)
            total = (container.duration or 0) / av.time_base
            frames = decoded(timed(container, stream, seams(sound.path)), since, until)
            first = next(frames, None)
            if first is None:
                raise MediaError(f"{sound.path} has no sound in the part that is asked for")
            steps = (
                ("aresample", "async=1:first_pts=0:min_hard_comp=0.03"),
                *(() if seconds is None else (("atrim", f"end={float(seconds * sound.speed):.6f}"),)),
                *tempo(sound.speed, first.sample_rate),
                ("aformat", f"sample_fmts=flt:sample_rates={rate}:channel_layouts=mono"),
            )
            done = 0
            for frame in filtered(chain((first,), frames), steps):
                done += frame.samples
                report(f"listening to {sound.path.name}", done, max(done, int(total * rate)))
                yield frame.to_ndarray()[0]
    except (OSError, av.error.FFmpegError) as error:
        raise MediaError(f"can't read the sound of {sound.path}: {reason_of(error)}; give another") from error
