"""The suite that plug-ins are tried with: it passes what is right, and finds each thing that is wrong."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import pytest
import torch
from torch import Tensor

import pipeline.api
from pipeline.api import Effect, Field, FrameContext, RunSpec, StageConfig, StageType
from pipeline.testing import check_stage
from tests.processes import ROOT


class BrighterConfig(StageConfig):
    """Make it brighter."""

    amount: float = Field(0.1, ge=0, le=1, description="how much")


class Brighter(Effect[BrighterConfig]):
    def __init__(self, config: BrighterConfig, spec: RunSpec) -> None:
        super().__init__(config, spec)
        self.frames = 0

    def __call__(self, frame: Tensor, ctx: FrameContext) -> Tensor:
        return (frame + self.config.amount).clamp(0, 1)


def brighter(call: Callable[[Any, Tensor, FrameContext], Tensor], **more: Any) -> StageType:
    return StageType(BrighterConfig, type("Brighter", (Brighter,), {"__call__": call, **more}))


def counting(self: Any, frame: Tensor, ctx: FrameContext) -> Tensor:
    self.frames += 1
    return frame * (1 - 1 / (self.frames + 1))


def writing(self: Any, frame: Tensor, ctx: FrameContext) -> Tensor:
    return frame.mul_(0.5)


def writing_before(self: Any, frame: Tensor, ctx: FrameContext) -> Tensor:
    if ctx.previous is not None:
        ctx.previous.mul_(0.5)
    return frame


def drawing(self: Any, frame: Tensor, ctx: FrameContext) -> Tensor:
    return (frame * torch.rand(1)).clamp(0, 1)


def drawing_with_numpy(self: Any, frame: Tensor, ctx: FrameContext) -> Tensor:
    return frame * float(np.random.random())


WRONG: list[tuple[StageType, str]] = [
    (brighter(lambda self, frame, ctx: frame + 0.5), "frame 0 lies between .* must be finite and within 0 and 1"),
    (brighter(lambda self, frame, ctx: frame * float("nan")), "must be finite"),
    (brighter(lambda self, frame, ctx: frame.double()), "torch.float64 on cpu, must be"),
    (brighter(lambda self, frame, ctx: frame[:, :, :48, :48]), "must be .* torch.float32 on cpu"),
    (brighter(writing), "frame 0: the stage wrote to the frame it was given"),
    (brighter(writing_before), "frame 1: the stage wrote to `ctx.previous`"),
    (brighter(drawing), "two films with one seed differ from frame 0 on; draw by `ctx.generator`"),
    (brighter(drawing_with_numpy), "two films with one seed differ from frame 0 on"),
    (
        brighter(counting),
        "stopped after 1 frames differ from frame 1 on; what changes from frame to frame goes through",
    ),
    (brighter(counting, state_dict=lambda self: {"n": self.frames}), "the state's 'n' is a int, must be a tensor"),
    (brighter(Brighter.__call__, camera=lambda self, index: torch.eye(3)), r"camera\(1\) must be \(3, 3\) float64"),
    (brighter(Brighter.__call__, camera=lambda self, index: torch.zeros(3, 3).double()), "can't be inverted"),
    (brighter(Brighter.__call__, pinned=lambda self: {"rate": "1"}), "`pinned` names keys that the config has not"),
    (StageType(type("Loose", (BrighterConfig,), {"model_config": {"frozen": False}}), Brighter), "has no docstring"),
]


def test_what_is_right_passes() -> None:
    check_stage(StageType(BrighterConfig, Brighter), {"amount": 0.3})
    with pytest.raises(AssertionError, match="there is no stage 'brighter'; is its package installed"):
        check_stage("brighter")


@pytest.mark.parametrize(("stage", "said"), WRONG, ids=[said for _, said in WRONG])
def test_each_thing_that_is_wrong_is_found(stage: StageType, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        check_stage(stage)


def test_the_stages_in_the_readme_and_in_the_docstring_are_right() -> None:
    (readme,) = re.findall(r"```python\n(import math\n.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    _, start, rest = (pipeline.api.__doc__ or "").partition("    class FadeConfig")
    docstring = textwrap.dedent(start + rest.partition("\nAn entry point")[0])
    for code in (readme, docstring):
        names: dict[str, Any] = vars(pipeline.api) | {"Annotated": Annotated, "Tensor": Tensor, "math": math}
        exec(compile(code, "documented", "exec", dont_inherit=True), names)
        check_stage(names["STAGE"], {"rate": "1 + t"})
