"""What a stage is: its config, what it is told about the run and about each frame, and its life."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import ClassVar, Generic, TypeVar

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from pipeline.frame import Size


class Role(Enum):
    """Where a stage may stand: one source first, then any effects, at most one sink last."""

    SOURCE = "source"
    EFFECT = "effect"
    SINK = "sink"


@dataclass(frozen=True)
class RunSpec:
    """What every stage may know about the run it is in."""

    size: Size
    fps: Fraction
    frames: int | None
    """None for a film without end"""
    seed: int
    device: torch.device


@dataclass(frozen=True)
class FrameContext:
    """What every stage may know about the frame it is asked for.

    `previous` is the output of frame `index - 1`, (1, 3, H, W) float32 on the device, or None at the start.
    """

    index: int
    spec: RunSpec
    previous: Tensor | None

    @property
    def seconds(self) -> float:
        """The time the frame is shown at."""
        return float(self.index / self.spec.fps)

    def generator(self, stage_id: str) -> torch.Generator:
        """A CPU generator that depends on the seed, the frame and the stage, and on nothing else."""
        words = np.random.SeedSequence([self.spec.seed, self.index, zlib.crc32(stage_id.encode())])
        return torch.Generator().manual_seed(int(words.generate_state(1, np.uint64)[0]))


class StageConfig(BaseModel):
    """The keys of one stage in a preset; every field says its unit, range and meaning."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
    role: ClassVar[Role] = Role.EFFECT

    id: str = Field(
        "",
        max_length=64,
        description="a name of its own, to tell two stages of one kind apart; the stage's name if left out",
    )

    def problems(self, spec: RunSpec) -> Iterator[tuple[str, str]]:
        """What is wrong with the config in this run, as (key, message); found without loading anything big."""
        return iter(())


ConfigT = TypeVar("ConfigT", bound=StageConfig)


class Stage(Generic[ConfigT]):
    """The part of a stage's life that all kinds share; every method but `__init__` may be left as it is."""

    def __init__(self, config: ConfigT, spec: RunSpec) -> None:
        self.config = config
        self.spec = spec

    def state_dict(self) -> dict[str, Tensor]:
        """What must survive a resume, beyond the previous frame."""
        return {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Take back what `state_dict` gave."""
        assert not state, f"{type(self).__name__} holds no state"

    def fingerprints(self) -> dict[str, str]:
        """Digests of the files the stage works with; a run that goes on wants the same ones."""
        return {}

    def close(self) -> None:
        """Release files, processes and threads."""


class Source(Stage[ConfigT]):
    """Makes frame n: a fresh picture, or the previous output to be worked on again."""

    def __call__(self, ctx: FrameContext) -> Tensor:
        """The frame (1, 3, H, W) that the effects start from, on the run's device."""
        raise NotImplementedError


class Effect(Stage[ConfigT]):
    """Changes a frame."""

    def __call__(self, frame: Tensor, ctx: FrameContext) -> Tensor:
        """The changed frame; the one given is not written to. (1, 3, H, W) in [0, 1] both ways."""
        raise NotImplementedError
