"""What happens behind the loop: frames are spooled, full spools become segments, checkpoints count both.

Two threads work one after the other. The first spools each frame and saves checkpoints, in the loop's order; the
second encodes full spools. A spool is removed once its segment is verified and synced and no kept checkpoint needs
it, so at any moment every frame that a checkpoint counts lies in a whole segment or a synced spool.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline import checkpoint
from pipeline.checkpoint import Checkpoint
from pipeline.device import HostCopies
from pipeline.disk import digest_of, replacing, sync
from pipeline.errors import MediaError, RunError
from pipeline.loop import Pass
from pipeline.media.behind import Behind, Work
from pipeline.media.joining import count_frames
from pipeline.ops.measure import look
from pipeline.run.folder import RunFolder
from pipeline.run.log import RunLog

Encoder = Callable[[Path, Path], None]
RESERVE_BYTES = 64 << 20  # a render stops before the disk is fuller than this


class Recorder:
    """Takes the film's frames in order from `start` on; leaving its context waits until all are safe.

    `encode` makes a film from a file of raw frames, which come from `device`. Errors of either thread come out of the
    next call: RunError for the disk, MediaError for ffmpeg.
    """

    def __init__(
        self, folder: RunFolder, log: RunLog, encode: Encoder, segment_length: int, start: int, device: torch.device
    ) -> None:
        self._folder, self._log, self._encode = folder, log, encode
        self._copies = HostCopies(device)
        self._length = segment_length
        self._next = start
        self._spool: BinaryIO | None = None
        self.seconds = 0.0  # spent behind the loop, in both threads
        self._adding = threading.Lock()
        self._encoder = Behind("encoder", depth=2)
        self._writer = Behind("recorder", depth=4)

    def put(self, frame: Pass) -> None:
        """Record a frame."""
        # The loop goes on adding to a frame's times.
        work = partial(self._record, frame.index, dict(frame.times), self._copies(frame.image))
        self._writer.put(self._timed(work))

    def save(self, frame: int, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Save a checkpoint that counts `frame` frames, once they are safe; below 0 it lies within the lead-in."""
        self._writer.put(self._timed(partial(self._save, frame, tensors, facts)))

    def finish(self) -> None:
        """The film ends here: close the open segment."""
        self._writer.put(self._timed(self._finish_segment))

    def _timed(self, work: Work) -> Work:
        def timed() -> None:
            start = time.perf_counter()
            with self._folder.writing():
                work()
            with self._adding:
                self.seconds += time.perf_counter() - start

        return timed

    def _record(self, index: int, times: dict[str, float], arrived: Callable[[], NDArray[np.uint8]]) -> None:
        assert index == self._next
        pixels = arrived()
        times = {name: round(seconds, 5) for name, seconds in times.items()}
        self._log.frame(index, {"times": times, **look(pixels)._asdict()})
        if self._spool is None:
            self._spool = self._folder.spool(index // self._length).open("ab")
        self._spool.write(pixels.data)
        self._next += 1
        if self._next % self._length == 0:
            self._finish_segment()

    def _finish_segment(self) -> None:
        if self._spool is None and self._next % self._length == 0:
            return
        if self._spool is not None:
            self._spool.close()
            self._spool = None
        number, frames = (self._next - 1) // self._length, (self._next - 1) % self._length + 1
        self._encoder.put(self._timed(partial(self._encode_segment, number, frames)))

    def _encode_segment(self, number: int, frames: int) -> None:
        encode_spool(self._folder, number, frames, self._encode)
        self._log.event("segment", number=number, frames=frames)

    def _save(self, frame: int, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        require_space(self._folder, RESERVE_BYTES)
        if self._spool is not None:
            self._spool.flush()
        spools = dict(self._uncounted_spools())
        sync(self._folder.segments)  # the segments just seen are there for good
        checkpoint.save(self._folder.state, Checkpoint(frame, tensors, {**facts, "spools": spools}))
        self._log.event("checkpoint", frame=frame)
        self.drop_spools()

    def _uncounted_spools(self) -> Iterator[tuple[str, str]]:
        """The digest of every spool that no whole segment stands for, by number; each is synced."""
        for number, path in self._folder.pieces(".rgb24").items():
            whole = number < self._next // self._length
            if not (whole and self._folder.segment(number).exists()):
                sync(path)
                yield str(number), digest_of(path)

    def drop_spools(self) -> None:
        """Remove the spools that no kept checkpoint needs, because their segments are there."""
        oldest = min(checkpoint.frames_kept(self._folder.state), default=0)
        for number, path in self._folder.pieces(".rgb24").items():
            if number < oldest // self._length and self._folder.segment(number).exists():
                path.unlink()

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.ExitStack() as stack:
            stack.callback(self._close_spool)
            stack.push(self._encoder)
            stack.push(self._writer)
            stack.pop_all().__exit__(kind, error, trace)

    def _close_spool(self) -> None:
        if self._spool is not None:
            self._spool.close()


def encode_spool(folder: RunFolder, number: int, frames: int, encode: Encoder) -> None:
    """Make a segment from its spool, read back its frame count, and put it in place, synced.

    Raises MediaError when ffmpeg fails or a frame is missing; OSError when the disk refuses.
    """
    with replacing(folder.segment(number)) as partial_file:
        encode(folder.spool(number), partial_file)
        found = count_frames(partial_file)
        if found != frames:
            raise MediaError(f"segment {number} came out with {found} of {frames} frames; is the disk full?")


def require_space(folder: RunFolder, needed: int) -> None:
    """Raises RunError when the folder's disk has fewer than `needed` bytes free."""
    free = shutil.disk_usage(folder.lock_file.parent).free
    if free < needed:
        raise RunError(
            f"the disk of {folder.path} has {free / 1e6:.0f} MB free, the render needs {needed / 1e6:.0f} MB; "
            "free some space, or choose another disk with --out"
        )
