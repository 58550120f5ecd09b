"""What the shell completes words to: found without importing torch, because somebody has pressed the tab key."""

from __future__ import annotations

import ast
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
    """What `stages:` may list: dreamreel's own, read from the registry without importing it, and packages' stages."""
    from pipeline.plugins import offers

    found = sorted({*_registered(), "encode", *offers()})
    return [name for name in found if name.startswith(incomplete)]


def _registered() -> Iterator[str]:
    """The keys of the one literal dict."""
    for statement in ast.parse((_PACKAGE / "stages/__init__.py").read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.AnnAssign) and ast.unparse(statement.target) == "STAGES":
            keys = statement.value.keys if isinstance(statement.value, ast.Dict) else []
            yield from (str(key.value) for key in keys if isinstance(key, ast.Constant))


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
