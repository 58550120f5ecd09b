"""What stages are told about the frame they are asked for, and what they tell those behind them."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipeline.curves import Moment
from pipeline.ops.motion import Motion, under_camera
from pipeline.ops.warp import warp_matrix
from pipeline.stages.spec import RunSpec


@dataclass
class FrameContext:
    """What every stage may know about the frame it is asked for.

    `previous` is the output of frame `index - 1`, (1, 3, H, W) float32 on the device, or None at the start.
    The rest is written by the stage that knows it and read by any that stands behind: a source over footage calls
    `show`, a camera `move`. A source that feeds back leaves it, since its picture is the previous output.
    """

    index: int
    spec: RunSpec
    previous: Tensor | None
    source: Tensor | None = None
    """footage's own picture for this frame, as the camera sees it; None when the source feeds back"""
    previous_source: Tensor | None = None
    """the same for the frame before"""
    motion: Motion | None = None
    """how the picture moved since the frame before; None: it stands still"""
    cut: bool = False
    """whether a scene begins here"""
    camera: Callable[[int], Tensor] = lambda index: torch.eye(3, dtype=torch.float64)
    """the camera's backward (3, 3) float64 pixel matrix from this frame to a later one, by that one's index"""
    revealed: Tensor | None = None
    """(1, 1, H, W) in [0, 1]: where a camera shows what no frame did before; None: nowhere"""

    @property
    def fresh(self) -> bool:
        """Whether the frame has no past to build on: the first one, or the first after a cut."""
        return self.previous is None or self.cut

    def show(self, source: Tensor, previous: Tensor | None, motion: Motion | None, cut: bool) -> None:
        """Take note of footage: this frame's picture, the one before, the motion between them, and a cut."""
        self.source, self.previous_source, self.motion, self.cut = source, previous, motion, cut

    def move(self, now: Tensor, before: Tensor) -> None:
        """Take note of a camera, by its backward (3, 3) matrices for this frame and the one before.

        A source that feeds back shows the previous output, so `before` is the identity there.
        """
        like = self.source if self.source is not None else self.previous
        if like is None:
            return
        if not self.fresh and self.spec.wants_motion:
            self.motion = under_camera(self.motion, now, before, like)
        if self.source is not None:
            self.source = _seen(self.source, now)
        if self.previous_source is not None:
            self.previous_source = _seen(self.previous_source, before)

    @property
    def seconds(self) -> float:
        """The time the frame is shown at."""
        return float(self.index / self.spec.fps)

    @property
    def moment(self) -> Moment:
        """The frame's moment, for curves; a lead-in stays at the film's beginning."""
        return Moment(max(0.0, self.seconds), max(0, self.index), self.spec.frames, self.spec.seed, self.spec.fps)

    def generator(self, stage_id: str, index: int | None = None) -> torch.Generator:
        """A CPU generator that depends on the seed, the frame (or `index`) and the stage, and on nothing else."""
        # A lead-in counts up to the first frame from below 0.
        index = (self.index if index is None else index) % 2**64
        words = np.random.SeedSequence([self.spec.seed, index, zlib.crc32(stage_id.encode())])
        return torch.Generator().manual_seed(int(words.generate_state(1, np.uint64)[0]))


def _seen(picture: Tensor, matrix: Tensor) -> Tensor:
    return warp_matrix(picture, matrix).clamp(0, 1)
