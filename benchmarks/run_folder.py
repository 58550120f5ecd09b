"""What safety costs: a render with its run folder, against the bare loop piped into one ffmpeg.

    python -m benchmarks.run_folder [--frames 96] [--rounds 3] [--checkpoint-seconds 30]

Processor time of the process and of ffmpeg, in turn, without that of the loop's own steps, which are the same in both
and scatter more than the difference; the overhead is a share of all. Checkpoints come as often as by default; spools,
digests, segments, joining, log and pictures are all counted.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import subprocess
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

from torch import Tensor

from benchmarks.common import processor_seconds, report, threads, time_in_turn
from pipeline.chain import Chain, frames
from pipeline.frame import Pass, to_uint8
from pipeline.media.ffmpeg import ffmpeg_program
from pipeline.preset import Override, Preset, find_preset, load_preset
from pipeline.run import Options, render


def whole_processor_seconds() -> float:
    """Processor time of all threads of this process and of the programs it has run."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


class Steps:
    """Processor seconds that the loop's thread has spent in its steps."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._step = Chain.step

    def timed(self, chain: Chain, index: int, previous: Tensor | None) -> Pass:
        """In the place of `Chain.step`."""
        start = processor_seconds()
        frame = self._step(chain, index, previous)
        self.seconds += processor_seconds() - start
        return frame


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


def measure(size: str, count: int, rounds: int, checkpoint_seconds: float) -> dict[str, Any]:
    """Seconds of the loop and of what both ways take beside it, and how much longer the safe one takes in all."""
    overrides = [Override("size", size), Override("duration", f"{count}f")]
    preset = load_preset(find_preset("first-light"), overrides)
    with tempfile.TemporaryDirectory() as folder:
        numbers = itertools.count()
        ways = {
            "bare": lambda: bare(preset, Path(folder)),
            "run folder": lambda: render(
                preset, Path(folder) / str(next(numbers)), options=Options(checkpoint_seconds=checkpoint_seconds)
            ),
        }
        steps = Steps()
        with threads(1), patch.object(Chain, "step", lambda *given: steps.timed(*given)):
            beside = time_in_turn(ways, rounds, lambda: whole_processor_seconds() - steps.seconds)
    loop = steps.seconds / (2 * rounds + 2)
    overhead = (beside["run folder"] - beside["bare"]) / (loop + beside["bare"])
    return {"size": size, "frames": count, "loop": loop, **beside, "overhead": overhead}


def main() -> None:
    """One size, the demo's by default."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--checkpoint-seconds", type=float, default=Options().checkpoint_seconds)
    given, _ = parser.parse_known_args()
    report("run_folder", [measure(given.size, given.frames, given.rounds, given.checkpoint_seconds)])


if __name__ == "__main__":
    main()
