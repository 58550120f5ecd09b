"""What safety costs: a render with its run folder, against the bare loop piped into one ffmpeg.

    python -m benchmarks.run_folder [--frames 72] [--rounds 3]

Processor time of the process and of ffmpeg, in turn. Checkpoints come every 5 seconds here, six times as often as by
default; spools, digests, segments, joining, log and pictures are all counted.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.common import report, threads, time_in_turn
from pipeline.frame import to_uint8
from pipeline.loop import frames
from pipeline.media.ffmpeg import ffmpeg_program
from pipeline.preset import Override, Preset, find_preset, load_preset
from pipeline.run import Options, render


def whole_processor_seconds() -> float:
    """Processor time of all threads of this process and of the programs it has run."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def bare(preset: Preset, folder: Path) -> None:
    """The loop's frames through a pipe into one ffmpeg, as every other tool does it."""
    command = [ffmpeg_program(), "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24"]
    command += ["-s", str(preset.size), "-r", str(preset.fps), "-i", "pipe:0", "-pix_fmt", "yuv420p"]
    command += ["-c:v", "libx264", "-crf", "17", "-preset", "medium", str(folder / "bare.mp4")]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as ffmpeg:
        assert ffmpeg.stdin is not None
        for frame in frames(preset):
            ffmpeg.stdin.write(to_uint8(frame.image).data)
        ffmpeg.stdin.close()


def measure(size: str, count: int, rounds: int) -> dict[str, Any]:
    """Seconds of both ways, and how much longer the safe one takes."""
    overrides = [Override("size", size), Override("duration", f"{count}f")]
    preset = load_preset(find_preset("first-light"), overrides)
    with tempfile.TemporaryDirectory() as folder:
        numbers = itertools.count()
        ways = {
            "bare": lambda: bare(preset, Path(folder)),
            "run folder": lambda: render(
                preset, Path(folder) / str(next(numbers)), options=Options(checkpoint_seconds=5)
            ),
        }
        with threads(1):
            seconds = time_in_turn(ways, rounds, whole_processor_seconds)
    return {"size": size, "frames": count, **seconds, "overhead": seconds["run folder"] / seconds["bare"] - 1}


def main() -> None:
    """One size, the demo's by default."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    given, _ = parser.parse_known_args()
    report("run_folder", [measure(given.size, given.frames, given.rounds)])


if __name__ == "__main__":
    main()
