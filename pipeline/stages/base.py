"""What a stage is: its config, and its life."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from fractions import Fraction
from typing import ClassVar, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from pipeline.media.sound import Soundtrack
from pipeline.stages.context import FrameContext
from pipeline.stages.shot import Shot
from pipeline.stages.spec import RunSpec


class Role(Enum):
    """Where a stage may stand: one source first, then any effects."""

    SOURCE = "source"
    EFFECT = "effect"


class EndOfFootage(Exception):
    """The source has no further frame; the film ends with the one before."""


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
    alternatives: ClassVar[frozenset[str]] = frozenset()
    """keys of which a preset has one: a change that sets one takes the others out"""

    @property
    def feeds_back(self) -> bool:
        """Whether the next frame is made from what the stage does; else only the film shows it."""
        return True

    @property
    def uses_motion(self) -> bool:
        """Whether the stage reads how the picture moves, so that finding it out is worth the time."""
        return False

    @property
    def builds_up(self) -> bool:
        """Whether the stage carries what was done to a frame along into the next; others may read the motion too."""
        return self.uses_motion

    @property
    def parallax(self) -> bool:
        """Whether the stage moves near and far parts of the picture differently."""
        return False

    @property
    def part(self) -> Shot | None:
        """Of a source: the shot that it shows, where the run is one of a longer film's."""
        return None

    @property
    def cut_into_shots(self) -> bool:
        """Of a source: whether the film is cut into shots, each rendered as a run of its own."""
        return False

    @property
    def guide(self) -> str | None:
        """The path of the picture that the stage is guided by, if it is."""
        return None

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

        On a sphere it is (4, 4), see `ops.sphere`. None for a stage that moves nothing.
        """
        return None

    def state_dict(self) -> dict[str, Tensor]:
        """What must survive a resume, beyond the previous frame."""
        return {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take back what `state_dict` gave."""
        assert not state, f"{type(self).__name__} holds no state"

    def fits(self, spec: RunSpec) -> bool:
        """Whether the stage, built as it is, can go on under another spec of the same film; else it is built anew."""
        return True

    def changed(self, config: ConfigT, spec: RunSpec, index: int) -> Self:
        """A stage with another config that takes this one's place from frame `index` on; this one stays as it is.

        It is what a new one would be with such state as a checkpoint holds: as far as that means the same to it.
        """
        successor = type(self)(config, spec)
        successor.load_state_dict({name: value.clone() for name, value in self.state_dict().items()})
        return successor

    def another(self, config: ConfigT, spec: RunSpec) -> Self:
        """A stage as if it were built by itself, which may share with this one, of another film, what never changes."""
        return type(self)(config, spec)

    def join(self, index: int) -> None:
        """Begin in a film whose next frame is `index`. Raises PipelineError where that is too late."""
        return None

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
