"""The command line: `dreamreel`. Exit status 0 done, 1 a user's mistake, 2 wrong usage, 3 our bug, 130 stopped.

What is imported here is light, and the commands come later: a signal in the first moment finds somebody who listens.
"""

from __future__ import annotations

import os
import sys

from pipeline.cli import stopping, streams

DONE, MISTAKE, BUG = 0, 1, 3


def main() -> None:
    """Run the command line; every outcome has its exit status."""
    stopping.obey()
    streams.take_over()
    try:
        status = _status()
    except KeyboardInterrupt:  # while an error was told
        status = stopping.STOPPED
    stopping.obey_by_default()
    sys.exit(status)


def _status() -> int:
    try:
        os.getcwd()
    except OSError:
        print("dreamreel: the current folder is gone, or may not be looked at; cd to another one", file=sys.stderr)
        return MISTAKE
    try:
        from pipeline.cli.commands import run_command

        return run_command(sys.argv[1:])
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return stopping.STOPPED
    except Exception:
        import traceback

        traceback.print_exc()
        print("This is a bug in dreamreel: please report the lines above with your preset.", file=sys.stderr)
        return BUG
