"""The presets that come with dreamreel."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import PresetError, Problem, shortened
from pipeline.media.paths import expand
from pipeline.preset.explain import unknown

_PACKAGE = Path(__file__).resolve().parent.parent


def shelf() -> dict[str, Path]:
    """The path of every preset that comes with dreamreel, by name."""
    installed, checkout = _PACKAGE / "presets", _PACKAGE.parent / "presets"
    folder = installed if installed.is_dir() else checkout
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def find_preset(text: str, folder: Path = Path()) -> Path:
    """The file a user means in a folder: a path, or the name of a preset on the shelf. Raises PresetError."""
    try:
        path = folder / expand(text)
        there = path.exists()
    except (ValueError, OSError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise PresetError(
            [Problem(shortened(text), (), f"{reason}; give a file, or a name on `dreamreel presets`")]
        ) from None
    if there or path.suffix in (".yaml", ".yml") or Path(text).name != text:
        return path
    presets = shelf()
    if text in presets:
        return presets[text]
    raise PresetError([Problem("", (), unknown("preset", text, presets) + "; or give a file's path")])
