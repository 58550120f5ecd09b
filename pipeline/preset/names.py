"""What a film may be called, since its folder and its files are called so too."""

from __future__ import annotations

import re
import unicodedata

from pipeline.disk import PARTIAL

MAX_LETTERS, MAX_BYTES = 100, 200
ALLOWED = "letters, digits, blanks and . + - _"


def require_name(name: str) -> str:
    """The name, if a film can have it. Raises ValueError."""
    wrong = next((letter for letter in name if not _is_allowed(letter)), None)
    if wrong is not None:
        raise ValueError(f"may hold {ALLOWED}, not {wrong!r}")
    if not name or not _may_begin(name[0]):
        raise ValueError("must begin with a letter or a digit")
    if len(name.encode()) > MAX_BYTES:
        raise ValueError(f"takes {len(name.encode())} bytes, a file's name has room for {MAX_BYTES}; shorten it")
    if len(name) > MAX_LETTERS:
        raise ValueError(f"is {len(name)} letters long, may have {MAX_LETTERS}; shorten it")
    if PARTIAL in name:
        raise ValueError(f"must not hold {PARTIAL!r}, which marks files that are not whole; rename it")
    return name


def name_from(stem: str) -> str:
    """The nearest name a film can have to that of a preset's file: `mine (1)` gives `mine-1`."""
    letters = "".join(letter if _is_allowed(letter) else "\0" for letter in unicodedata.normalize("NFC", stem))
    name = re.sub(" *\0+", "-", letters).replace(PARTIAL, "-part")
    while name and not _may_begin(name[0]):
        name = name[1:]
    name = name.encode()[:MAX_BYTES].decode(errors="ignore")[:MAX_LETTERS].rstrip(" -.")
    return name or "film"


def _is_allowed(letter: str) -> bool:
    # Marks belong to letters in many scripts.
    return letter in " .+-_" or unicodedata.category(letter)[0] in "LMN"


def _may_begin(letter: str) -> bool:
    return letter == "_" or unicodedata.category(letter)[0] in "LN"
