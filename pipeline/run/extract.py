"""The preset back out of a film, and what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from pipeline.disk import require_regular
from pipeline.errors import MediaError, PresetError
from pipeline.media.inputs import fingerprint
from pipeline.media.paths import resolve
from pipeline.preset import parse_preset, plain_yaml
from pipeline.preset.yaml12 import read_document


@dataclass(frozen=True)
class Wanted:
    """A file that a film was made from."""

    key: str
    """of the preset, which names it"""
    file: str
    """its path, from the preset's folder on"""
    size: int | None
    """bytes; None for a film that does not say"""
    digest: str | None
    """BLAKE2b of all its bytes, likewise"""

    def found_in(self, folder: Path) -> str:
        """How it stands with it in a folder: `there`, `missing`, or `another file`."""
        try:
            here = fingerprint(resolve(self.file, folder))
        except ValueError:
            here = None
        if here is None:
            return "missing"
        return "there" if self.digest in (None, here.digest) else "another file"


@dataclass(frozen=True)
class Extract:
    """What a film says about itself."""

    preset: str
    """YAML that renders it again"""
    wanted: tuple[Wanted, ...]
    made_with: Mapping[str, str]
    """versions, by name"""


def extract(film: str | Path) -> Extract:
    """The preset that a film was rendered from, as its metadata holds it. Raises MediaError when there is none."""
    path = Path(film)
    try:
        about = read_document(_comment(path).encode(), str(path)).data
    except PresetError as error:
        raise MediaError(f"{path} holds no preset that can be read: {error}") from None
    if not isinstance(about, dict) or not isinstance(about.get("preset", about), dict):
        raise _none_in(path)
    if "stages" in about:  # an earlier film: its comment is the preset, with its maker's paths
        return Extract(plain_yaml(about), _named_by(about), {})
    if "stages" not in about.get("preset", {}):
        raise _none_in(path)
    inputs, made_with = _mapping(about.get("inputs")), _mapping(about.get("made_with"))
    wanted = tuple(_wanted(key, _mapping(facts)) for key, facts in inputs.items())
    return Extract(plain_yaml(about["preset"]), wanted, {str(name): str(text) for name, text in made_with.items()})


def _comment(path: Path) -> str:
    try:
        require_regular(path)
        with av.open(str(path)) as container:
            comment = container.metadata.get("comment", container.metadata.get("COMMENT"))  # as Matroska spells it
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise MediaError(f"{path} can't be read: {reason}; give a film that dreamreel made") from None
    if comment is None:
        raise _none_in(path)
    return str(comment)


def _none_in(path: Path) -> MediaError:
    return MediaError(f"{path} holds no preset: it is none of dreamreel's films, or another program rewrote it")


def _mapping(value: object) -> dict[str, Any]:
    return {str(key): each for key, each in value.items()} if isinstance(value, dict) else {}


def _wanted(key: str, facts: dict[str, Any]) -> Wanted:
    size, digest = facts.get("bytes"), facts.get("blake2b")
    return Wanted(
        key, str(facts.get("file")), size if type(size) is int else None, None if digest is None else str(digest)
    )


def _named_by(preset: dict[str, Any]) -> tuple[Wanted, ...]:
    try:
        inputs = parse_preset(plain_yaml(preset), checked=False).inputs()
    except PresetError:  # of a version whose keys are others by now
        return ()
    return tuple(Wanted(key, str(each.path), None, None) for key, each in inputs.items())
