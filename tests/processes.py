"""dreamreel in processes of its own, as a stranger starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def dreamreel(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.Popen[str]:
    """Start it; its output is piped."""
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", *arguments],
        cwd=cwd,
        env=os.environ | {"COLUMNS": "200", "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it to its end, whatever that is."""
    process = dreamreel(*arguments, cwd=cwd, **environment)
    out, errors = process.communicate()
    return subprocess.CompletedProcess(process.args, process.returncode, out, errors)


def run_dreamreel(*arguments: str, cwd: Path = ROOT, **environment: str) -> str:
    """Run it to a good end; returns what it printed."""
    done = finished(*arguments, cwd=cwd, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout
