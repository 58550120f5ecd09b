"""Files that are either whole or not there, whenever the power goes."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

PARTIAL = ".part"  # stands in a file's name until the file is whole
OUT_OF_REACH = "lies elsewhere, and is opened only by a render"
_REACH: ContextVar[Reach | None] = ContextVar("reach", default=None)
_GUARD: ContextVar[Callable[[], None] | None] = ContextVar("guard", default=None)
_PROCESS = secrets.randbelow(10**9)  # containers on two machines give their processes the same small numbers


@dataclass(frozen=True)
class Reach:
    """Which files may be opened, and which were not because of that."""

    folders: tuple[Path, ...]
    refused: list[Path] = field(default_factory=list)

    def holds(self, path: Path) -> bool:
        """Whether a file lies in one of the folders, wherever links lead."""
        real = path.resolve()
        return any(real.is_relative_to(folder.resolve()) for folder in self.folders)


@contextlib.contextmanager
def within(folders: Sequence[Path]) -> Iterator[Reach]:
    """In the block, `require_regular` and all that opens a preset's files refuses those that lie elsewhere."""
    reach = Reach(tuple(folders))
    token = _REACH.set(reach)
    try:
        yield reach
    finally:
        _REACH.reset(token)


@contextlib.contextmanager
def guarded(require: Callable[[], None]) -> Iterator[None]:
    """In the block, `require` is called right before anything is put in place or removed here: it raises to stop that.

    So it is in threads that have the block's context, and, by `require_guard`, before what others append. A guard that
    is there already is asked too.
    """
    before = _GUARD.get()

    def both() -> None:
        if before is not None:
            before()
        require()

    token = _GUARD.set(both)
    try:
        yield
    finally:
        _GUARD.reset(token)


def require_guard() -> None:
    """Raises what the guard of the block raises, if there is one. To be called once a file is open, before a write."""
    guard = _GUARD.get()
    if guard is not None:
        guard()


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` so that `path` holds all of it or what it held before. Raises OSError."""
    with replacing(path) as partial, partial.open("wb") as file:
        file.write(data)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to, which becomes `path`, synced, when the block ends well and is removed when it does not."""
    partial = partial_path(path, path.suffix)
    try:
        yield partial
        sync(partial)
        require_guard()
        os.replace(partial, path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    sync(path.parent)


def remove(path: Path) -> None:
    """Remove a file, if it is there, where the guard lets that be. Raises OSError, and what the guard raises."""
    if _GUARD.get() is None:
        path.unlink(missing_ok=True)
        return
    require_guard()
    remove_if(path, _may_go)


def _may_go(aside: Path) -> bool:
    require_guard()
    return True


def remove_if(path: Path, is_right: Callable[[Path], bool]) -> bool:
    """Remove a file if it is the right one; whether it was. Raises OSError, and what `is_right` raises.

    It is asked of the file under a name that nobody else uses, so that it is removed as it was looked at. A wrong one
    is back in its place in a moment, unless that has another by then.
    """
    aside = partial_path(path, path.suffix)
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        return False
    right = False
    try:
        right = is_right(aside)
    finally:
        if not right:
            _put_back(aside, path)
        aside.unlink(missing_ok=True)
    return right


def _put_back(aside: Path, path: Path) -> None:
    try:
        os.link(aside, path)
    except FileExistsError:
        return
    except OSError:  # a disk that gives no file two names
        os.rename(aside, path)


def renew(path: Path) -> None:
    """Make a file of the same bytes in the place of this: who has it open writes into nothing. Raises OSError."""
    with replacing(path) as partial:
        shutil.copyfile(path, partial)


def share(path: Path, other: Path) -> None:
    """Give a file that is never written to again a second name; where the disk can't do that, a copy. Raises OSError.

    Either may be deleted, and the other is still there.
    """
    remove(other)
    require_guard()
    try:
        os.link(path, other)
    except FileNotFoundError:
        raise
    except OSError:
        with replacing(other) as partial:
            shutil.copyfile(path, partial)


def partial_path(path: Path, suffix: str) -> Path:
    """Where a process of its own writes what belongs to `path` and is not whole yet: `NAME.part-NUMBER.SUFFIX`."""
    # With the process's number: an ffmpeg that outlives a killed render must not write into its successor's file.
    return path.with_name(f"{path.stem}{PARTIAL}-{os.getpid()}{_PROCESS:09d}{suffix}")


def is_partial_of(path: Path, stems: set[str]) -> bool:
    """Whether a file is what some process left of one of the files called so."""
    stem, mark, rest = path.name.rpartition(f"{PARTIAL}-")
    return bool(mark) and stem in stems and rest.partition(".")[0].isdigit()


def make_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing, each on the disk in the one above. Raises OSError."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    path.mkdir(parents=True, exist_ok=True)
    for each in reversed(missing):
        with contextlib.suppress(PermissionError):  # one may make folders where one may not look
            sync(each.parent)


def sync(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on the disk."""
    if path.is_dir() and os.name == "nt":
        return  # Windows has no such call for folders
    descriptor = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def require_regular(path: Path, at_most: int | None = None) -> None:
    """Raises OSError, whose `strerror` says why, unless `path` is a regular file of at most so many bytes.

    A device or a pipe may never end, or never begin: nothing that a preset names is opened before this.
    """
    reach = _REACH.get()
    if reach is not None and not reach.holds(path):
        reach.refused.append(path)
        raise PermissionError(errno.EACCES, OUT_OF_REACH, str(path))
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder, must be a file", str(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "is a device or a pipe, must be a regular file", str(path))
    if at_most is not None and status.st_size > at_most:
        said = f"holds {status.st_size / 1e6:.0f} MB, at most {at_most / 1e6:.0f} MB are read"
        raise OSError(errno.EFBIG, said, str(path))


def state_of(path: Path) -> tuple[int, ...]:
    """Numbers that change when a file does: what is remembered of a file is remembered by them too. Raises OSError."""
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def open_regular(path: Path, at_most: int | None = None) -> BinaryIO:
    """A regular file, opened to be read; the caller closes it. Raises OSError as `require_regular` does."""
    require_regular(path, at_most)
    return path.open("rb")


def read_regular(path: Path, at_most: int) -> bytes:
    """All bytes of a regular file. Raises OSError as `require_regular` does."""
    with open_regular(path, at_most) as file:
        # Not to its end: what the kernel shows under /proc says that it is empty, and may never end.
        return file.read(os.fstat(file.fileno()).st_size)


def digest_of(data: bytes | Path, length: int | None = None) -> str:
    """The BLAKE2b digest (32 hex digits) of bytes, or of a file's first `length` bytes. Raises OSError."""
    state = hashlib.blake2b(digest_size=16)
    if isinstance(data, bytes):
        state.update(data)
        return state.hexdigest()
    left = data.stat().st_size if length is None else length
    with open_regular(data) as file:
        while left > 0 and (block := file.read(min(left, 1 << 20))):
            state.update(block)
            left -= len(block)
    return state.hexdigest()


class GrowingDigest:
    """`digest_of` a file that is only ever appended to: what was read once is not read again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._state, self._length = hashlib.blake2b(digest_size=16), 0

    def __call__(self) -> str:
        """The digest of what is there now. Raises OSError."""
        with open_regular(self._path) as file:
            file.seek(self._length)
            while block := file.read(1 << 20):
                self._state.update(block)
                self._length += len(block)
        return self._state.hexdigest()


def cache_folder() -> Path:
    """What is only there to save time lies here: $XDG_CACHE_HOME, by default ~/.cache; without a home, /tmp."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        folder = Path(base) if base else Path.home() / ".cache"
    except RuntimeError:
        folder = Path(tempfile.gettempdir())
    return folder / "dreamreel"
