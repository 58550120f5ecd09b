"""What a checkpoint says about its run, beside the tensors: read back, it is checked like anything from outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from torch import Tensor

from pipeline import checkpoint
from pipeline.chain import Film
from pipeline.errors import RunError, reason_of
from pipeline.frame import Size
from pipeline.preset import Preset
from pipeline.run.environment import environment
from pipeline.run.settings import Settings
from pipeline.times import parse_duration

PREVIOUS = "previous"


class InputFacts(BaseModel):
    """What was in a file when the run was begun."""

    model_config = ConfigDict(frozen=True, strict=True)

    digest: str
    size: int = Field(ge=0)


class Facts(BaseModel):
    """All that must hold for the frames after a checkpoint to be those of a run that was never stopped."""

    model_config = ConfigDict(frozen=True, strict=True, allow_inf_nan=False)

    preset: dict[str, Any]
    """resolved, with what the run took for every `auto`"""
    inputs: dict[str, InputFacts]
    """what is in each file that the preset names, by its key"""
    built: dict[str, str]
    """digests of what the stages were built with, such as a network's numbers"""
    environment: dict[str, str]
    settings: Settings
    seconds: float = Field(ge=0)
    """spent on the run so far"""
    spools: dict[str, str]
    """the digest of each spool that no whole segment stands for, by number"""

    @field_validator("preset")
    @classmethod
    def _has_a_length(cls, preset: dict[str, Any]) -> dict[str, Any]:
        parse_duration(preset.get("duration"))
        return preset


def facts_now(chain: Film, preset: Preset, inputs: Mapping[str, InputFacts]) -> dict[str, Any]:
    """What every checkpoint of a run says alike: all of `Facts` but `seconds` and `spools`, as plain data."""
    return {
        "preset": preset.resolved(),
        "inputs": {key: each.model_dump() for key, each in inputs.items()},
        "built": chain.fingerprints(),
        "environment": environment(chain.spec.device, preset.packages().values()),
        "settings": Settings.now().model_dump(),
    }


@dataclass(frozen=True)
class Found:
    """A checkpoint whose state and facts can be used."""

    frame: int
    tensors: dict[str, Tensor]
    """those of the stages, by ID/NAME"""
    previous: Tensor
    """what the next frame is made from"""
    facts: Facts

    def restore(self, chain: Film) -> Tensor:
        """Give every stage its state back; returns the frame that the next is made from. Raises RunError."""
        try:
            chain.load_state_dict(dict(self.tensors))
        except (AssertionError, KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
            said = f"the checkpoint at frame {self.frame} is not one of these stages ({reason_of(error)})"
            raise RunError(said) from error
        return self.previous.to(chain.spec.device)


def load_found(states: Path, frame: int, size: Size) -> Found:
    """The checkpoint at `frame` in a folder, checked. Raises ValueError saying what is damaged or foreign."""
    loaded = checkpoint.load(states, frame)
    try:
        facts = Facts.model_validate(loaded.facts)
    except ValidationError as error:
        key = ".".join(map(str, error.errors()[0]["loc"]))
        raise ValueError(f"its record lacks {key} as this version of dreamreel writes it") from None
    tensors = dict(loaded.tensors)
    previous = tensors.pop(PREVIOUS, None)
    if previous is None or previous.shape != (1, 3, *size) or previous.dtype != torch.float32:
        raise ValueError("its tensors hold no frame of this film")
    return Found(frame, tensors, previous, facts)
