"""The kernel's lock and the lease of a run's folder, taken together."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import filelock

from pipeline.disk import renew
from pipeline.run.lease import Lease, take, taken
from pipeline.run.log import RunLog

_PATIENCE_SECONDS = 1.0  # `info` holds the lock for a moment
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


@contextlib.contextmanager
def held(
    lock_file: Path, lease_file: Path, others: Sequence[Path], should_stop: Callable[[], bool] = lambda: False
) -> Iterator[Lease]:
    """The lease of a folder, in the block, and its lock. `others` are locks that a process gets within that one.

    Raises TroubleError where it is another's who lives, or `should_stop` ends the waiting for that; OSError.
    """
    lock = filelock.FileLock(lock_file)
    locked = acquired(lock)
    try:
        lease = take(lease_file, locked, should_stop)
        try:
            if not locked:  # who has it is frozen, and has what nobody will ask for again
                for path in (lock_file, *others):
                    path.unlink(missing_ok=True)
                if not acquired(lock):
                    raise taken(lease_file)
            yield lease
        finally:
            lease.release()
    finally:
        lock.release()


def acquired(lock: filelock.BaseFileLock) -> bool:
    """Whether a lock is to be had within a second; so it is on a disk that has none. Raises OSError."""
    try:
        lock.acquire(timeout=_PATIENCE_SECONDS)
    except filelock.Timeout:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return True


def make_anew(lease: Lease, log_file: Path, segments: Path) -> None:
    """Have what is appended to be other files than those that a process has open which may come back. Raises OSError.

    Earlier spools than the last are full.
    """
    if lease.displaced is None:
        return
    spools = [path for path in segments.glob("*.rgb*") if path.stem.isdecimal()]
    for path in (log_file, *sorted(spools, key=lambda path: int(path.stem))[-1:]):
        if path.exists():
            renew(path)
    if log_file.exists():
        with contextlib.closing(RunLog(log_file)) as log:
            log.event("taken over", host=lease.displaced.host, number=lease.owner.number)
    lease.displaced = None
