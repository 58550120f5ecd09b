"""What the shell completes words to: found without importing torch, because somebody has pressed the tab key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent
_DEVICES = ("auto", "cpu", "cuda")


def preset_names(incomplete: str) -> list[str]:
    """Presets that come with dreamreel, and the preset files and folders of the user's."""
    installed, checkout = _PACKAGE / "presets", _PACKAGE.parent / "presets"
    shelf = sorted(path.stem for path in (installed if installed.is_dir() else checkout).glob("*.yaml"))
    files = [path for path in files_and_folders(incomplete) if path.endswith(("/", ".yaml", ".yml"))]
    return [name for name in shelf if name.startswith(incomplete)] + files


def stage_names(incomplete: str) -> list[str]:
    """Stages, which are called as their files are, and what a chain ends with."""
    found = sorted(path.stem for path in (_PACKAGE / "stages").iterdir() if not path.name.startswith(("_", "base.")))
    return [name for name in [*found, "encode"] if name.startswith(incomplete)]


def device_names(incomplete: str) -> list[str]:
    """What `--device` takes."""
    return [name for name in _DEVICES if name.startswith(incomplete)]


def files_and_folders(incomplete: str) -> list[str]:
    """Files as typed so far; folders end in a slash."""
    return list(_matching(incomplete))


def folders(incomplete: str) -> list[str]:
    """Folders as typed so far."""
    return [path for path in _matching(incomplete) if path.endswith("/")]


def _matching(incomplete: str) -> Iterator[str]:
    typed, slash, name = incomplete.rpartition("/")
    try:
        for path in sorted(Path(typed + slash).expanduser().iterdir()):
            if path.name.startswith(name) and (name.startswith(".") or not path.name.startswith(".")):
                yield typed + slash + path.name + ("/" if path.is_dir() else "")
    except (OSError, RuntimeError):  # there is nothing like that to be completed
        return
