"""dreamreel as strangers have it: its wheel in an environment of its own, with what it depends on and nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
import zipfile
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from tests.processes import ROOT

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_STAND_INS = {"opencv-python": "opencv-python-headless"}  # where a machine has no desktop


def stranger(folder: Path) -> Path:
    """The Python of such an environment, made in `folder`; it takes a second or two."""
    python = folder / "venv/bin/python"
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    site = next((folder / "venv").glob("lib/python*/site-packages"))
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(site)
    installed = next(site.glob("dreamreel-*.dist-info"))
    for name in _needed(Distribution.at(installed), set()):
        _link(_found(name), site)
    return python


def run_as_stranger(python: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run that Python in an empty home."""
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    home = {"HOME": str(cwd), "XDG_CACHE_HOME": str(cwd / "cache"), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    return subprocess.run(
        [str(python), *arguments], cwd=cwd, env=kept | home, capture_output=True, text=True, check=False
    )


def _found(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return distribution(_STAND_INS[name])


def _needed(package: Distribution, known: set[str]) -> set[str]:
    """The names of what a package needs without extras, and what that needs."""
    for requirement in package.requires or ():
        name = _NAME.match(requirement)
        if name is None or "extra ==" in requirement or name[0] in known:
            continue
        try:
            found = _found(name[0])
        except (PackageNotFoundError, KeyError):
            continue  # for another system or another Python
        known.add(name[0])
        _needed(found, known)
    return known


def _link(package: Distribution, site: Path) -> None:
    """Put links to a package's files into `site`."""
    for top in {file.parts[0] for file in package.files or () if file.parts[0] not in ("..", "__pycache__")}:
        here, there = site / top, Path(str(package.locate_file(top)))
        if not here.exists():
            here.symlink_to(there)
