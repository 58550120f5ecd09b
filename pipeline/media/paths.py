"""Paths as presets write them: relative to the preset, with `~`, or inside an installed package."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo


def resolve(text: str, folder: Path) -> Path:
    """The absolute path `text` means in a preset that lies in `folder`.

    `package:NAME/inside/it.png` is a file inside an installed Python package, found without importing it.
    Raises ValueError when that package is not installed.
    """
    if text.startswith("package:"):
        package, _, inside = text.removeprefix("package:").partition("/")
        spec = importlib.util.find_spec(package) if package.isidentifier() else None
        if spec is None or not spec.submodule_search_locations:
            raise ValueError(f"the Python package {package!r} is not installed; name a file of your own")
        return Path(spec.submodule_search_locations[0]) / inside
    return (folder / Path(text).expanduser()).resolve()


def _absolute(text: str, info: ValidationInfo) -> str:
    folder = (info.context or {}).get("folder", Path.cwd())
    return str(resolve(text, folder))


MediaPath = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_absolute)]
"""A path in a preset; validated to an absolute path as text. Validation context: `folder`."""


def _absolute_sound(text: str, info: ValidationInfo) -> str:
    if text in ("none", "source"):
        return text
    path = _absolute(text, info)
    if not Path(path).is_file():
        raise ValueError("must be none, source (the footage's own sound), or a file with sound; there is no such file")
    return path


AudioField = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_absolute_sound)]
"""Which sound a film gets: none, source, or a path, validated to an absolute one."""
