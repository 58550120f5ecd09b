"""What a stage is: its config, what it is told about the run and about each frame, and its life."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import ClassVar, Generic, TypeVar

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from pipeline.activity import report
from pipeline.curves import Curve, Moment, Moments, curves_of, looked_at, range_problem
from pipeline.errors import mishap
from pipeline.frame import Size
from pipeline.media.sound import Soundtrack
from pipeline.ops.motion import Motion, under_camera
from pipeline.ops.warp import warp_matrix

MOST_LOOKS = 100_000
ENDLESS_SECONDS = 600


class Role(Enum):
    """Where a stage may stand: one source first, then any effects."""

    SOURCE = "source"
    EFFECT = "effect"


@dataclass(frozen=True)
class RunSpec:
    """What every stage may know about the run it is in."""

    size: Size
    fps: Fraction
    frames: int | None
    """None for a film without end"""
    seed: int
    device: torch.device
    wants_motion: bool = True
    """whether any stage reads the motion of frames, so that it is worth estimating"""
    continues: bool = True
    """whether the source goes on from the previous output; footage is fresh in every frame"""
    lead_in: int = 0
    """frames that are rendered before the first one and not shown; they have negative indices"""
    looks: int = MOST_LOOKS
    """how many of a film's frames a check of its curves looks at, keyframes not counted"""
    guide: str | None = None
    """the picture that a stage is guided by, the first where there are more"""

    @property
    def feeds_back(self) -> bool:
        """Whether what a stage does to one frame is still there in the next."""
        return self.continues or self.wants_motion

    @property
    def checked_frames(self) -> int:
        """The frames of the film; of one without end, those of ten minutes."""
        return max(1, round(ENDLESS_SECONDS * self.fps)) if self.frames is None else self.frames

    def timeline(self, curve: Curve) -> Moments:
        """The frames that a check of the curve looks at: all, or of a long film ends, keyframes and a sample."""
        index = looked_at(self.checked_frames, self.looks, curve.knots(self.fps) * float(self.fps))
        return Moments.at_frames(index, self.frames, self.seed, self.fps)


class EndOfFootage(Exception):
    """The source has no further frame; the film ends with the one before."""


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


class Entry(BaseModel):
    """The keys of one entry of `stages:` in a preset; every field says its unit, range and meaning."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    id: str = Field(
        "",
        max_length=64,
        pattern=r"^[\w .-]+$",
        description="a name of its own, to tell two stages of one kind apart: letters, digits, blanks and . - _ "
        "(the stage's name if left out)",
    )

    def problems(self, spec: RunSpec) -> Iterator[tuple[str, str]]:
        """What is wrong with the config in this run, as (key, message); found without loading anything big."""
        return iter(())


class StageConfig(Entry):
    """The keys of one stage in a preset."""

    role: ClassVar[Role] = Role.EFFECT
    continues: ClassVar[bool] = True
    """of a source: whether its frames go on from the previous output"""
    closes: ClassVar[bool] = False
    """whether no stage behind it may feed back"""

    @property
    def feeds_back(self) -> bool:
        """Whether the next frame is made from what the stage does; else only the film shows it."""
        return True

    @property
    def uses_motion(self) -> bool:
        """Whether the stage reads how the picture moves, so that finding it out is worth the time."""
        return False

    @property
    def guide(self) -> str | None:
        """The path of the picture that the stage is guided by, if it is."""
        return None

    def curve_problems(self, spec: RunSpec) -> Iterator[tuple[str, str]]:
        """What is wrong with the curves anywhere in the film, as (key, message): the first thing of each."""
        for key, place, curve, bounds in curves_of(self):
            report(f"checking {key}")
            if curve.constant is not None:
                continue  # its number was looked at when it was read
            try:
                moments = spec.timeline(curve)
                message = curve.problem(moments)
                if message is None and bounds is not None:
                    message = range_problem(curve.values(moments), moments, bounds.ge, bounds.le)
            except Exception as error:  # nothing that a preset says may end in a traceback
                message = mishap(error)
            if message is not None:
                yield key, place + message

    def natural(self, given: Mapping[str, object]) -> dict[str, object]:
        """What a source says about `size`, `fps` and `duration` where the preset, whose keys are `given`, does not.

        Raises PipelineError when it can't be found out.
        """
        return {}

    def notes(self) -> list[str]:
        """What the user should hear about the files that the config names, one sentence each; nothing is wrong.

        Raises PipelineError when they can't be read.
        """
        return []

    def sound(self, fps: Fraction) -> Soundtrack | None:
        """The sound that belongs to a source in a film of so many frames a second, from its first frame on."""
        return None


ConfigT = TypeVar("ConfigT", bound=StageConfig)


class Stage(Generic[ConfigT]):
    """The part of a stage's life that all kinds share; every method but `__init__` may be left as it is."""

    def __init__(self, config: ConfigT, spec: RunSpec) -> None:
        self.config = config
        self.spec = spec

    def camera(self, index: int) -> Tensor | None:
        """The backward (3, 3) float64 pixel matrix of the stage's camera from frame `index` to the one before.

        None for a stage that moves nothing.
        """
        return None

    def state_dict(self) -> dict[str, Tensor]:
        """What must survive a resume, beyond the previous frame."""
        return {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take back what `state_dict` gave."""
        assert not state, f"{type(self).__name__} holds no state"

    def fingerprints(self) -> dict[str, str]:
        """What tells the stage's work beside its config and the files that names, by key: a network's numbers' digest.

        A run that goes on wants the same ones. Files have theirs without the stage's doing (`NamesFile`).
        """
        return {}

    def pinned(self) -> dict[str, str]:
        """Keys of the config whose `auto` was decided when the stage was built, with what was taken.

        Told as it is, not as it was asked for: a resumed run is refused when that differs.
        """
        return {}

    def report(self) -> list[str]:
        """What the user should hear about when the film is done; one sentence each."""
        return []

    def close(self) -> None:
        """Release files, processes and threads."""


class Source(Stage[ConfigT]):
    """Makes frame n: a fresh picture, or the previous output to be worked on again."""

    def __call__(self, ctx: FrameContext) -> Tensor:
        """The frame (1, 3, H, W) that the effects start from, on the run's device. Raises EndOfFootage."""
        raise NotImplementedError


class Effect(Stage[ConfigT]):
    """Changes a frame."""

    def __call__(self, frame: Tensor, ctx: FrameContext) -> Tensor:
        """The changed frame; the one given is not written to. (1, 3, H, W) in [0, 1] both ways."""
        raise NotImplementedError


class GradeConfig(StageConfig):
    """What stages that colour the picture share."""

    shown_only: bool = Field(
        False,
        description="true: only the film shows it, and the dream goes on without; false: it goes round with the "
        "picture, and its values say what it does in a second of film",
    )

    @property
    def feeds_back(self) -> bool:
        return not self.shown_only


GradeT = TypeVar("GradeT", bound=GradeConfig)


class Grade(Effect[GradeT]):
    """Colours a picture: by a rate per second where that goes round with it, at once where it does not."""

    @property
    def seconds(self) -> float:
        """How much of a second's work a frame gets."""
        return float(1 / self.spec.fps) if self.config.feeds_back and self.spec.feeds_back else 1.0
