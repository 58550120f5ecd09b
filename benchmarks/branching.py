"""What a branch at two thirds of a film costs beside the film: frames, seconds, and bytes on the disk.

python -m benchmarks.branching [--preset first-light] [--size 256x144] [--seconds 9]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import pipeline


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="first-light")
    parser.add_argument("--size", default="256x144")
    parser.add_argument("--seconds", type=int, default=9)
    arguments = parser.parse_args()
    length = arguments.seconds
    keys = {"size": arguments.size, "duration": f"{length}s", "fps": 8, "dream.octaves": 2, "keep": "2s"}
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        began = time.process_time()
        whole = pipeline.render(pipeline.load_preset(arguments.preset, keys), folder / "whole")
        seconds, disk = time.process_time() - began, size_of(folder)
        print(f"film of {length}s: {whole.rendered} frames, {seconds:.1f} processor seconds, {disk / 1e6:.2f} MB")
        for third in (2, 1):
            at = f"{length * third // 3}s"
            began, before = time.process_time(), size_of(folder)
            made = pipeline.branch(folder / "whole", at, {"palette.contrast": 0.3}, folder / f"branch-{third}")
            seconds, disk = time.process_time() - began, size_of(folder) - before
            print(f"branch at {at}: {made.rendered} frames, {seconds:.1f} processor seconds, {disk / 1e6:.2f} MB more")
            began = time.process_time()
            anew = pipeline.render(pipeline.load_preset(made.folder / "preset.yaml"), folder / "anew", overwrite=True)
            same = "the same bytes" if anew.path.read_bytes() == made.path.read_bytes() else "OTHER BYTES"
            print(
                f"  from nothing: {anew.rendered} frames, {time.process_time() - began:.1f} processor seconds, {same}"
            )


def size_of(folder: Path) -> int:
    """Bytes of all segments and kept states in a folder; a file with two names counts once."""
    files = [path.stat() for path in (*folder.rglob("segments/*.mp4"), *folder.rglob("kept/*.safetensors"))]
    return sum({status.st_ino: status.st_size for status in files}.values())


if __name__ == "__main__":
    main()
