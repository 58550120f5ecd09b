"""The film as an output: frames are spooled, full spools become segments, checkpoints count both.

Two threads work one after the other. The run's thread for the film calls everything here, in the loop's order; the
recorder's own encodes full spools. A spool is removed once its segment is verified and synced and no kept checkpoint
needs it, so at any moment every frame that a checkpoint counts lies in a whole segment or a synced spool.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Any

from torch import Tensor

from pipeline import checkpoint
from pipeline.checkpoint import Checkpoint
from pipeline.errors import MediaError, TroubleError
from pipeline.frame import Frame
from pipeline.media.behind import Behind
from pipeline.ops.measure import look
from pipeline.outputs import Output
from pipeline.run.folder import RunFolder
from pipeline.run.log import RunLog
from pipeline.run.piece_files import Piece
from pipeline.run.pieces import Pieces
from pipeline.run.space import require_space


class Recorder(Output):
    """Takes the film's frames in order from `start` on. Methods raise TroubleError for the disk and for ffmpeg."""

    def __init__(self, folder: RunFolder, pieces: Pieces, log: RunLog, start: int) -> None:
        self._folder, self._pieces, self._log = folder, pieces, log
        self._next = start
        self.seconds = 0.0  # spent in both threads
        self._adding = threading.Lock()
        self._encoder = Behind("encoder", depth=2)

    @property
    def deep(self) -> bool:
        """Whether it takes frames with sixteen bits a value."""
        return self._pieces.deep

    def put(self, frame: Frame) -> None:
        assert frame.index == self._next
        with self._timed():
            times = {name: round(seconds, 5) for name, seconds in frame.times.items()}
            self._log.frame(frame.index, {"times": times, **look(frame.pixels)._asdict()})
            full = self._pieces.append(frame.index, frame.deep_pixels if self.deep else frame.pixels)
            self._next += 1
        self._encode(full)

    def finish(self) -> None:
        """The film ends here: make a segment of the last frames."""
        with self._timed():
            self._pieces.close()
        self._encode(self._pieces.last(self._next))

    def save(self, frame: int, tensors: dict[str, Tensor], facts: dict[str, Any], kept: bool = False) -> None:
        """Save a checkpoint that counts `frame` frames, once they are safe; below 0 it lies within the lead-in.

        One that is `kept` stays when newer ones come.
        """
        with self._timed():
            require_space(self._folder)
            saved = Checkpoint(frame, tensors, {**facts, "spools": self._pieces.secure(frame)})
            checkpoint.save(self._folder.state, saved)
            if kept:
                checkpoint.keep(self._folder.state, frame, self._folder.kept)
            self._log.event("checkpoint", frame=frame)
            self._drop_spools()

    def close(self) -> None:
        with self._folder.writing():
            self._pieces.close()

    def _encode(self, piece: Piece | None) -> None:
        if piece is not None:
            self._encoder.put(partial(self._make_segment, piece))

    def _make_segment(self, piece: Piece) -> None:
        with self._timed():
            try:
                self._pieces.encode(piece)
            except MediaError as error:  # of frames that we made: it is the disk or the encoder, not the preset
                raise TroubleError(str(error)) from error
            self._log.event("segment", **piece._asdict())

    def _drop_spools(self) -> None:
        self._pieces.drop(min(checkpoint.frames_kept(self._folder.state), default=0))

    @contextmanager
    def _timed(self) -> Iterator[None]:
        start = time.perf_counter()
        with self._folder.writing():
            yield
        with self._adding:
            self.seconds += time.perf_counter() - start

    def __enter__(self) -> Recorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the last segments, which may come after the last checkpoint."""
        try:
            self._encoder.__exit__(kind, error, trace)
        finally:
            self.close()
        if kind is None:
            with self._folder.writing():
                self._drop_spools()
