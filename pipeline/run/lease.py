"""Who works in a run's folder, beside the kernel's lock: a frozen process keeps that, and not every disk carries it.

The file `.lease` names its owner and is never written to; once a second the owner sets its time, the sign of life. Who
wants the folder while somebody has it watches for twenty of these by its own clock, and compares no two clocks. It is
made so that it fails where there is one, and taken away by a rename: of two takers, one has it. An owner that does not
find its own lease has lost the run, and looks before everything that it writes. docs/clusters.md goes through all of
that, write by write.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.activity import report
from pipeline.disk import remove_if
from pipeline.errors import RunError, StoppedWaiting, TroubleError, shell_word

BEAT_SECONDS = 1.0
MOST_BEAT_SECONDS = 10.0  # that a lease may ask for: twenty of them are waited
MISSED_BEATS = 20
_LOOKS_A_BEAT = 2
_SHOWN_SECONDS = 60.0
_MOST_BYTES = 1 << 16
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # nobody waits for a pipe
_STATE, _STARTED = 0, 19  # of the fields in /proc/PID/stat past the name: proc(5) counts them as 3 and 22


class Owner(BaseModel):
    """What a lease says."""

    model_config = ConfigDict(frozen=True, strict=True)

    number: int = Field(ge=1)
    """rises by one with each owner that was not let go first"""
    token: str = Field(min_length=1)
    host: str
    pid: int
    machine: str
    """what `pid` counts in"""
    started: int | None
    """when that process began, in ticks of its machine; None where the system does not tell"""
    beat_seconds: float = Field(gt=0, le=MOST_BEAT_SECONDS)
    displaces: bool = False
    """whether one before may come back, and may not have been provided for yet"""

    def is_dead(self) -> bool:
        """Whether it is no living process of this machine; asked by who has the lock that a living one would have."""
        return self.machine == _machine() and (self.started is None or _started(self.pid) != self.started)


class Seen(NamedTuple):
    """A lease at a moment: when nothing of it changes, its owner shows no sign of life."""

    data: bytes
    set_ns: int


class Lease:
    """A folder that is one's own, until it is released or another takes it."""

    def __init__(self, path: Path, owner: Owner, displaced: Owner | None) -> None:
        self.owner, self.displaced = owner, displaced
        """the latter may come back: what it appends to is to be made anew, by one who has the lease"""
        self._path, self._data = path, owner.model_dump_json().encode()
        self._ended = threading.Event()
        self._beating = threading.Thread(target=self._beat, name="dreamreel-lease", daemon=True)
        try:
            with path.open("xb") as file:
                file.write(self._data)
        except FileExistsError:
            raise taken(path) from None
        except OSError:
            path.unlink(missing_ok=True)
            raise
        self._beating.start()

    def _beat(self) -> None:
        while not self._ended.wait(self.owner.beat_seconds):
            with contextlib.suppress(OSError):
                if self._is_ours():
                    os.utime(self._path)

    def _is_ours(self) -> bool:
        seen = look(self._path)
        return seen is not None and seen.data == self._data

    def require(self) -> None:
        """Raises TroubleError where another has taken the folder over; OSError where that can't be told."""
        if self._is_ours():
            return
        seen, folder = look(self._path), self._path.parent
        owner = None if seen is None else _owner(self._path, seen.data)
        whom = "another process, which has ended since" if owner is None else f"{owner.host} (process {owner.pid})"
        raise TroubleError(
            f"the run in {folder} was taken over by {whom}, for this process showed no sign of life; "
            f"`dreamreel info {shell_word(str(folder))}` tells how it stands"
        )

    def release(self) -> None:
        """Let the folder go, or leave what is still to be made anew to whoever takes it over."""
        self._ended.set()
        self._beating.join()
        with contextlib.suppress(OSError):
            if self.displaced is None and self._is_ours():
                remove_if(self._path, lambda path: path.read_bytes() == self._data)


def take(path: Path, locked: bool, should_stop: Callable[[], bool] = lambda: False) -> Lease:
    """The lease at `path`; waits for signs of life where there is one. `locked`: the caller has the kernel's lock.

    Raises TroubleError where the folder is another's who lives, StoppedWaiting where `should_stop` ended it, RunError
    for a file that is no lease, OSError.
    """
    number = 1
    displaced: Owner | None = None
    while (seen := look(path)) is not None:
        owner = _owner(path, seen.data)
        dead = owner is not None and owner.is_dead()
        # Where the owner is dead and somebody has the lock all the same, that is one who writes no leases.
        if (dead and not locked) or not (dead or _is_silent(path, seen, owner, should_stop)):
            raise taken(path)
        if remove_if(path, lambda aside, seen=seen: look(aside) == seen):  # type: ignore[misc]
            number = 1 if owner is None else owner.number + 1
            displaced = owner if owner is not None and (owner.displaces or not dead) else None
            break
    else:
        if not locked:
            raise taken(path)
    return Lease(path, _here(number, displaced is not None), displaced)


def look(path: Path) -> Seen | None:
    """The lease as it is now; None where there is none. Opened anew, which a shared disk takes for asking anew."""
    try:
        descriptor = os.open(path, _FLAGS)
    except FileNotFoundError:
        return None
    try:
        return Seen(os.read(descriptor, _MOST_BYTES), os.fstat(descriptor).st_mtime_ns)
    finally:
        os.close(descriptor)


def was_beating(path: Path) -> bool:
    """Whether another machine's process seems to be at work; by two clocks, so only to be shown."""
    with contextlib.suppress(OSError, RunError):
        seen = look(path)
        owner = None if seen is None else _owner(path, seen.data)
        if seen is not None and owner is not None and owner.machine != _machine():
            return abs(time.time() - seen.set_ns / 1e9) < _SHOWN_SECONDS
    return False


def taken(path: Path) -> TroubleError:
    """What is said to whoever wants a folder that is another's."""
    return TroubleError(f"another process is rendering in {path.parent}; wait for it, or use --out")


def _is_silent(path: Path, seen: Seen, owner: Owner | None, should_stop: Callable[[], bool]) -> bool:
    """Whether a lease stays as it was seen for twenty beats.

    Looks are counted, not seconds: while a disk does not answer, its owner can't show that it lives.
    """
    beat = BEAT_SECONDS if owner is None else owner.beat_seconds
    whose = "its last process" if owner is None else f"{owner.host} (process {owner.pid})"
    looks = MISSED_BEATS * _LOOKS_A_BEAT
    for count in range(looks):
        report(f"waiting to see whether {whose} still works in {path.parent}", count, looks)
        if should_stop():
            said = f"stopped while it was waited whether {whose} still works in {path.parent}"
            raise StoppedWaiting(f"{said}; nothing was changed there")
        time.sleep(beat / _LOOKS_A_BEAT)
        if look(path) != seen:
            return False
    report("")
    return True


def _owner(path: Path, data: bytes) -> Owner | None:
    """Whose a lease is; None for one that is empty, as a crash may leave it. Raises RunError for anything else."""
    if not data:
        return None
    try:
        return Owner.model_validate_json(data)
    except ValidationError:
        raise RunError(f"{path} is there already and is no lease of dreamreel's; move it away") from None


def _here(number: int, displaces: bool) -> Owner:
    return Owner(
        number=number,
        token=secrets.token_hex(16),
        host=socket.gethostname(),
        pid=os.getpid(),
        machine=_machine(),
        started=_started(os.getpid()),
        beat_seconds=BEAT_SECONDS,
        displaces=displaces,
    )


def _machine() -> str:
    """What the numbers of processes count in: one boot of a kernel, and a container on it."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return f"{uuid.getnode():x}"


def _started(pid: int) -> int | None:
    """When a process began: numbers are used again. None where there is none, or the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return None if fields[_STATE] in (b"Z", b"X") else int(fields[_STARTED])
    except (OSError, ValueError, IndexError):
        return None
