"""What stages are told about the frame they are asked for, and what they tell those behind them."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from pipeline.curves import Moments
from pipeline.errors import StageError
from pipeline.ops.camera import seen_from
from pipeline.ops.motion import Motion, under_camera
from pipeline.ops.relief import Relief, Sight, under_parallax
from pipeline.ops.symmetry import Symmetry
from pipeline.ops.warp import sample_at, warp_matrix
from pipeline.stages.spec import RunSpec

_ORDER = ("show", "move", "fold", "reveal")


@dataclass
class _Told:
    """What the stages have told so far about one frame."""

    source: Tensor | None = None
    previous_source: Tensor | None = None
    motion: Motion | None = None
    cut: bool = False
    symmetry: Symmetry | None = None
    revealed: Tensor | None = None
    turns: int = 0
    teller: str = "a stage"
    this_turn: str | None = None
    """the last thing that the stage whose turn it is has told"""


@dataclass(frozen=True, eq=False)
class FrameContext:
    """What every stage may know about the frame it is asked for.

    `previous` is the output of frame `index - 1`, (1, 3, H, W) float32 on the device, or None at the start.
    The rest is told by the stage that knows it and read by any that stands behind; nobody sets it by hand. A source
    over footage calls `show`; one that feeds back does not, since its picture is the previous output. A camera calls
    `move`, `fold` if it shows a symmetric picture, and then, where it uncovers something, `reveal`. Each tells a thing
    once and in this order: else StageError.
    """

    index: int
    spec: RunSpec
    previous: Tensor | None
    camera: Callable[[int], Tensor] = lambda index: torch.eye(3, dtype=torch.float64)
    """the camera's backward float64 matrix from this frame to a later one, by that one's index"""
    _told: _Told = field(default_factory=_Told, init=False, repr=False)

    @property
    def source(self) -> Tensor | None:
        """Footage's own picture (1, 3, H, W) for this frame, as the camera sees it; None when the source feeds back."""
        return self._told.source

    @property
    def previous_source(self) -> Tensor | None:
        """The same for the frame before."""
        return self._told.previous_source

    @property
    def motion(self) -> Motion | None:
        """How the picture moved since the frame before; None: it stands still."""
        return self._told.motion

    @property
    def cut(self) -> bool:
        """Whether a scene begins here."""
        return self._told.cut

    @property
    def symmetry(self) -> Symmetry | None:
        """What the frame is like; the loop makes it so again when all stages that feed back are done."""
        return self._told.symmetry

    @property
    def revealed(self) -> Tensor | None:
        """(1, 1, H, W) in [0, 1]: where a camera shows what no frame did before; None: nowhere."""
        return self._told.revealed

    @property
    def fresh(self) -> bool:
        """Whether the frame has no past to build on: the first one, or the first after a cut."""
        return self.previous is None or self.cut

    def hand_to(self, stage_id: str) -> None:
        """The turn of a stage begins, the source's first; the loop says so."""
        self._told.turns += 1
        self._told.teller, self._told.this_turn = stage_id, None

    def show(self, source: Tensor, previous: Tensor | None, motion: Motion | None, cut: bool) -> None:
        """Tell of footage: this frame's picture, the one before, the motion between them, and a cut."""
        if self._told.turns > 1:
            raise StageError(f"{self._told.teller}: shows footage, which only the source may, before all other stages")
        self._require_turn("show")
        told = self._told
        told.source, told.previous_source, told.motion, told.cut = source, previous, motion, cut

    def move(self, now: Tensor, before: Tensor) -> None:
        """Tell of a camera, by its backward matrices for this frame and the one before: (3, 3), on a sphere (4, 4).

        A source that feeds back shows the previous output, so `before` is the identity there.
        """
        self._require_turn("move")
        told = self._told
        like = told.source if told.source is not None else self.previous
        if like is None:
            return
        if not self.fresh and self.spec.wants_motion:
            told.motion = under_camera(told.motion, now, before, like)
        if told.source is not None:
            told.source = _seen(told.source, now)
        if told.previous_source is not None:
            told.previous_source = _seen(told.previous_source, before)

    def look(self, now: Sight, before: tuple[Relief, Sight] | None) -> None:
        """Tell, instead of `move`, of a camera that sees depth: its view now, and the last frame's scene and view.

        A source that feeds back shows the previous output, so `before` is None there.
        """
        self._require_turn("move")
        told = self._told
        if not self.fresh and self.spec.wants_motion:
            told.motion = under_parallax(told.motion, now, before)
        if told.source is not None:
            told.source = _looked_at(told.source, now)
        if told.previous_source is not None and before is not None:
            told.previous_source = _looked_at(told.previous_source, before[1])

    def fold(self, symmetry: Symmetry) -> None:
        """Tell of a symmetry that the camera shows its picture in."""
        self._require_turn("fold")
        told, footage = self._told, self._told.source is not None
        told.symmetry = symmetry
        if told.motion is not None:
            told.motion = symmetry.moved(told.motion, hidden=footage)
        if told.source is not None:
            told.source = symmetry.imposed(told.source).clamp(0, 1)
        if told.previous_source is not None:
            told.previous_source = symmetry.imposed(told.previous_source).clamp(0, 1)

    def reveal(self, where: Tensor) -> None:
        """Tell what no frame showed before, (1, 1, H, W) in [0, 1], in the picture as the camera sees it now."""
        self._require_turn("reveal")
        revealed = self._told.revealed
        self._told.revealed = where if revealed is None else torch.maximum(revealed, where)

    def _require_turn(self, what: str) -> None:
        """Each thing once in a stage's turn, and in their order."""
        last = self._told.this_turn
        if last is not None and _ORDER.index(what) <= _ORDER.index(last):
            order = "twice for one frame" if what == last else f"after `{last}`"
            raise StageError(
                f"{self._told.teller}: calls `{what}` {order}; the order is {', '.join(_ORDER)}, each once"
            )
        self._told.this_turn = what

    def within_frame(self) -> FrameContext:
        """The same for a stage that sees only what the film shows: without the margin."""
        spec = self.spec
        if not any(spec.margin):
            return self

        def cut(picture: Tensor | None) -> Tensor | None:
            return None if picture is None else spec.cut(picture)

        def camera(index: int) -> Tensor:
            return seen_from(self.camera(index), spec.margin)

        told, told_here = replace(self._told), FrameContext(self.index, spec.shown, cut(self.previous), camera)
        told.source, told.previous_source, told.revealed = map(cut, (told.source, told.previous_source, told.revealed))
        if told.motion is not None:
            told.motion = Motion(spec.cut(told.motion.flow), spec.cut(told.motion.trust))
        object.__setattr__(told_here, "_told", told)
        return told_here

    @property
    def seconds(self) -> float:
        """The time the frame is shown at."""
        return float(self.index / self.spec.fps)

    @property
    def moment(self) -> Moments:
        """The frame's moment in the film, for curves; a lead-in stays at its beginning."""
        return self.spec.at_frame(max(0, self.index))

    def generator(self, stage_id: str, index: int | None = None) -> torch.Generator:
        """A CPU generator that depends on the seed, the frame (or `index`) and the stage, and on nothing else."""
        # A lead-in counts up to the first frame from below 0.
        index = (self.index if index is None else index) % 2**64
        words = np.random.SeedSequence([self.spec.seed, index, zlib.crc32(stage_id.encode())])
        return torch.Generator().manual_seed(int(words.generate_state(1, np.uint64)[0]))


def _seen(picture: Tensor, matrix: Tensor) -> Tensor:
    return warp_matrix(picture, matrix).clamp(0, 1)


def _looked_at(picture: Tensor, sight: Sight) -> Tensor:
    x, y = sight.positions[0]
    return sample_at(picture, x, y).clamp(0, 1)
