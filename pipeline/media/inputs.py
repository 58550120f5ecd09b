"""The files that a config names: found by their fields' mark, and known by what is in them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from pipeline.disk import digest_of, require_regular, state_of
from pipeline.errors import MediaError
from pipeline.media.footage import Stills
from pipeline.media.paths import NamesFile


@dataclass(frozen=True)
class Input:
    """A file, a folder of pictures or a pattern of their names that a config names, and where it does."""

    place: tuple[str | int, ...]
    path: Path
    first_only: bool
    """whether the first frame alone needs it"""
    prefix: str = ""
    """what stands before its path in the config, as in `onnx:FILE`"""

    @property
    def text(self) -> str:
        """As the config has it."""
        return f"{self.prefix}{self.path}"


@dataclass(frozen=True)
class Fingerprint:
    """What is in an input: the BLAKE2b digest of all its bytes, and how many there are."""

    digest: str
    size: int


def inputs_of(model: BaseModel, place: tuple[str | int, ...] = ()) -> Iterator[Input]:
    """Every input that a config, which stands at `place`, names, in the order of its keys."""
    for name, field in type(model).model_fields.items():
        mark = _mark(field.annotation)
        for each in field.metadata:
            mark = each if isinstance(each, NamesFile) else mark
        yield from _inputs_in(getattr(model, name), mark, (*place, field.alias or name))


def _inputs_in(value: object, mark: NamesFile | None, place: tuple[str | int, ...]) -> Iterator[Input]:
    if isinstance(value, BaseModel):
        yield from inputs_of(value, place)
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from _inputs_in(each, mark, (*place, index))
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _inputs_in(each, mark, (*place, key))
    elif isinstance(file := getattr(value, "file", None), str):  # a curve that stands in a file of its own
        yield Input((*place, "file"), Path(file), False)
    elif isinstance(value, str) and mark is not None and (named := mark.path_in(value)) is not None:
        yield Input(place, Path(named[1]), mark.first_only, named[0])


def _mark(annotation: Any) -> NamesFile | None:
    """The last mark anywhere in an annotation."""
    found = annotation if isinstance(annotation, NamesFile) else None
    for part in get_args(annotation):
        found = _mark(part) or found
    return found


def fingerprint(path: Path) -> Fingerprint | None:
    """What is in a file, or in a row of pictures one after the other; None when it can't be read.

    All bytes are read, about a gigabyte a second, but once a process for a file that nobody writes to.
    """
    try:
        if path.is_file():
            return _of_file(path)
        pictures = [_of_file(each) for each in Stills(path, Fraction(1)).paths]
    except (OSError, MediaError):
        return None
    whole = hashlib.blake2b("".join(each.digest for each in pictures).encode(), digest_size=16)
    return Fingerprint(whole.hexdigest(), sum(each.size for each in pictures))


def _of_file(path: Path) -> Fingerprint:
    require_regular(path)
    return Fingerprint(_digest(path, state_of(path)), path.stat().st_size)


@lru_cache(maxsize=65536)
def _digest(path: Path, state: tuple[int, ...]) -> str:
    return digest_of(path)
