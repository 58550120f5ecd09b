"""What a branch knows of the run that it began as."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from pipeline.disk import read_regular, write_whole

_MOST_BYTES = 1 << 24


@dataclass(frozen=True)
class Ancestry:
    """Where a branch comes from; for people, no frame depends on it."""

    parent: str
    """the folder of the run"""
    at: str
    """the instant, as it was given"""
    frame: int
    """the first that the two do not share"""
    set: dict[str, str]
    """what was changed there, by key, as YAML"""

    def write(self, path: Path) -> None:
        """Write it to a file. Raises OSError."""
        write_whole(path, json.dumps(asdict(self), indent=1).encode())


def read_ancestry(path: Path) -> Ancestry | None:
    """What `write` wrote; None where there is no such file, or it can't be read."""
    try:
        return TypeAdapter(Ancestry).validate_json(read_regular(path, _MOST_BYTES))
    except (OSError, ValidationError):
        return None
