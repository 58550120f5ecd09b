"""How long it takes to listen to an hour of sound, and how much memory: `python -m benchmarks.listening`.

The song that comes with dreamreel, sixty times over, as an MP3; the clock on the wall, this process's processor time
and its peak memory, decoding included.
"""

from __future__ import annotations

import resource
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks.common import report
from pipeline.listen.song import Pace, heard
from pipeline.listen.spectra import RATE, spectra
from pipeline.media.ffmpeg import ffmpeg_program
from pipeline.media.hearing import samples
from pipeline.media.sound import Soundtrack
from pipeline.preset import shelf


def main() -> None:
    """Make the hour, and hear it."""
    song = shelf()["pulse"].parent / "songs/glasshouse.m4a"
    with tempfile.TemporaryDirectory() as folder:
        hour = Path(folder) / "hour.mp3"
        command = [ffmpeg_program(), "-v", "error", "-stream_loop", "59", "-i", str(song), "-b:a", "128k", str(hour)]
        subprocess.run(command, check=True)
        before, clock, processor = _peak(), time.perf_counter(), time.process_time()
        found = heard("", spectra(samples(Soundtrack(hour), RATE)), {}, Pace())
        row = {
            "minutes": round(found.seconds / 60, 1),
            "seconds": round(time.perf_counter() - clock, 1),
            "processor": round(time.process_time() - processor, 1),
            "peak MB": _peak(),
            "before MB": before,
            "bpm": round(found.bpm, 3),
            "beats": len(found.beats),
        }
    report("listening", [row])


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000


if __name__ == "__main__":
    main()
