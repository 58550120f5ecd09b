"""Files that are either whole or not there, whenever the power goes."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

PARTIAL = ".part"  # stands in a file's name until the file is whole


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` so that `path` holds all of it or what it held before. Raises OSError."""
    with replacing(path) as partial, partial.open("wb") as file:
        file.write(data)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to, which becomes `path`, synced, when the block ends well and is removed when it does not."""
    # With the process's number: an ffmpeg that outlives a killed render must not write into its successor's file.
    partial = path.with_name(f"{path.stem}{PARTIAL}-{os.getpid()}{path.suffix}")
    try:
        yield partial
        sync(partial)
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows has no such call for folders
    descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def digest_of(data: bytes | Path, length: int | None = None) -> str:
    """The BLAKE2b digest (32 hex digits) of bytes, or of a file's first `length` bytes. Raises OSError."""
    state = hashlib.blake2b(digest_size=16)
    if isinstance(data, bytes):
        state.update(data)
        return state.hexdigest()
    left = data.stat().st_size if length is None else length
    with data.open("rb") as file:
        while left > 0 and (block := file.read(min(left, 1 << 20))):
            state.update(block)
            left -= len(block)
    return state.hexdigest()
