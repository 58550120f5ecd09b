"""Packages that bring stages, as pip installs them: the example, and small ones made for a test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.processes import ROOT, finished

EXAMPLE = ROOT / "examples/dreamreel-kaleidoscope"
BROKEN = "raise ImportError('no module named fairy_dust')"


def install(package: Path, site: Path) -> None:
    """What `pip install PACKAGE` does, into a folder of its own; nothing is downloaded."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-build-isolation", "--no-index", "--target", str(site), str(package)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def made_up(site: Path, package: str, stages: dict[str, str], code: str, version: str = "1.0") -> None:
    """An installed package as it lies on the path: its module, and its stages' names with what they stand for."""
    site.mkdir(exist_ok=True)
    (site / f"{package}.py").write_text(code)
    info = site / f"{package}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    entries = "".join(f"{name} = {value}\n" for name, value in stages.items())
    (info / "entry_points.txt").write_text(f"[dreamreel.stages]\n{entries}")


def on_path(*sites: Path) -> str:
    """The PYTHONPATH of a process that sees the packages."""
    return os.pathsep.join(map(str, (*sites, ROOT)))


def run_with(site: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """dreamreel with the packages in `site`."""
    return finished(*arguments, cwd=cwd, PYTHONPATH=on_path(site))
