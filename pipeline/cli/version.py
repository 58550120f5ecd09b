"""`dreamreel --version`: what computes here, for bug reports; torch is imported only where it may have a GPU."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import runpy
from pathlib import Path

from pipeline.cli.console import print_table
from pipeline.errors import MediaError


def print_version() -> None:
    """Print the versions of dreamreel, Python, torch and ffmpeg, and the device that `auto` takes."""
    rows = [
        ("dreamreel", _version("dreamreel")),
        ("python", f"{platform.python_version()}, {platform.system()} {platform.machine()}"),
        ("torch", _version("torch")),
        ("ffmpeg", _ffmpeg()),
        ("device", _device()),
    ]
    print_table(rows)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed as a package"


def _ffmpeg() -> str:
    from pipeline.media.ffmpeg import ffmpeg_program, ffmpeg_version

    try:
        return f"{ffmpeg_version()}, {ffmpeg_program()}"
    except MediaError as error:
        return str(error)


def _device() -> str:
    if _built_for_cuda():
        import torch

        if torch.cuda.is_available():
            return f"cuda, {torch.cuda.get_device_name()}"
    return f"cpu, {os.cpu_count()} cores"


def _built_for_cuda() -> bool:
    """Whether torch was built for CUDA, read from a small file of its own: importing it takes seconds."""
    found = importlib.util.find_spec("torch")
    if found is None or not found.submodule_search_locations:
        return False
    file = Path(found.submodule_search_locations[0]) / "version.py"
    return not file.is_file() or runpy.run_path(str(file)).get("cuda") is not None
