"""What every stage is tried with: dreamreel's own are, and a plug-in's author tries his in the same way.

    import pytest
    from pipeline.testing import STAGE_CHECKS, Subject

    @pytest.mark.parametrize("check", STAGE_CHECKS)
    def test_fade(check):
        check(Subject("fade", {"rate": 2.0}))

or `check_stage("fade", {"rate": 2.0})` for all in one. `check_resumes` renders a film with it, stops and resumes it. A
check raises AssertionError that says what is wrong; none needs pytest.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from pipeline.frame import Size
from pipeline.ops.noise import pink
from pipeline.preset import Preset
from pipeline.run import Options, render, resume
from pipeline.stages import EndOfFootage, FrameContext, Role, RunSpec, Source, Stage, StageConfig, StageType
from pipeline.stages.lookup import find_stage, known_names

__all__ = ["SPEC", "STAGE_CHECKS", "Subject", "check_resumes", "check_stage"]

SPEC = RunSpec(size=Size(48, 64), fps=Fraction(24), frames=5, seed=1, device=torch.device("cpu"))
"""The run that stages are tried in, if no other is given."""
_OTHER_SIZE = Size(70, 50)  # upright, and no multiple of what networks like


@dataclass(frozen=True)
class Subject:
    """The stage that is tried: by its name, or as a StageType that no package offers yet; and keys of its config."""

    stage: str | StageType
    keys: Mapping[str, Any] = field(default_factory=dict)
    """those it can't do without, and those that make it do its work"""
    spec: RunSpec = SPEC

    @property
    def kind(self) -> StageType:
        """The config's class and the stage's. Raises AssertionError for a name that there is not."""
        found = find_stage(self.stage) if isinstance(self.stage, str) else self.stage
        _require(found is not None, f"there is no stage {self.stage!r}; is its package installed? {known_names()}")
        assert found is not None
        return found

    def config(self, spec: RunSpec | None = None) -> StageConfig:
        """Its config. Raises AssertionError when that has anything to say against the run."""
        name = self.stage if isinstance(self.stage, str) else self.stage.build.__name__.lower()
        config = self.kind.config.model_validate({"id": name} | dict(self.keys))
        wrong = list(config.problems(self.spec if spec is None else spec))
        _require(not wrong, f"the keys are wrong: {wrong}")
        return config

    def build(self, spec: RunSpec | None = None) -> Any:
        """A new stage."""
        spec = self.spec if spec is None else spec
        return self.kind.build(self.config(spec), spec)


def config_reads_back(subject: Subject) -> None:
    """A run's preset is written out whole, and read again: the config comes back, frozen, and knows its keys."""
    config = subject.config()
    again = type(config).model_validate(config.model_dump(mode="json", exclude_none=True))
    _require(again == config, f"written out and read again, {config!r} is {again!r}")
    for name, key in type(config).model_fields.items():
        _require(key.description, f"the key {name!r} has no description; it is what `dreamreel stages` shows")
    _require(type(config).__doc__, "the config has no docstring; its first line is what `dreamreel stages` shows")
    rules = type(config).model_config
    _require(rules.get("frozen") and rules.get("extra") == "forbid", "the config must be frozen, and forbid extra keys")


def frames_keep_the_convention(subject: Subject) -> None:
    """(1, 3, H, W) float32 in [0, 1], numbers all, without a gradient; over footage too, and in another size."""
    for spec in (*_runs(subject), replace(subject.spec, size=_OTHER_SIZE)):
        for index, frame in enumerate(_film(subject, spec)):
            _require_frame(frame, spec, index)


def input_is_left_alone(subject: Subject) -> None:
    """Neither the frame nor the one before is written to."""
    spec = subject.spec
    with closing(subject.build()) as stage:
        for index in range(3):
            frame, previous = picture(spec, 3), picture(spec, 4) if index else None
            _ask(stage, frame, _context(stage, index, spec, previous))
            _require(torch.equal(frame, picture(spec, 3)), f"frame {index}: the stage wrote to the frame it was given")
            kept = previous is None or torch.equal(previous, picture(spec, 4))
            _require(kept, f"frame {index}: the stage wrote to `ctx.previous`")


def seed_decides(subject: Subject) -> None:
    """The same seed gives the same frames, whatever else draws random numbers in the process."""
    films = []
    for number in (1, 2):
        torch.manual_seed(number)
        np.random.seed(number)
        random.seed(number)
        films.append(_film(subject, subject.spec))
    _require_same(
        films[0], films[1], "two films with one seed", "draw by `ctx.generator`, and keep nothing outside the stage"
    )


def state_survives(subject: Subject) -> None:
    """Stopped after any frame and gone on with by another stage, from `state_dict`: the same frames."""
    for spec in _runs(subject):
        whole = _film(subject, spec)
        for stop in range(1, len(whole)):
            with closing(subject.build(spec)) as stopped, closing(subject.build(spec)) as resumed:
                before = list(_frames(stopped, spec, stop))
                resumed.load_state_dict(_stored(stopped))
                after = list(_frames(resumed, spec, len(whole) - stop, stop, before[-1]))
            _require_same(whole, before + after, f"a film and one that was stopped after {stop} frames", _STATE)


def camera_is_told_by_the_index(subject: Subject) -> None:
    """`camera` gives an invertible float64 matrix, by the index alone, before and after any frame; or None.

    It is (3, 3), on a sphere (4, 4).
    """
    with closing(subject.build()) as stage:
        before = [stage.camera(index) for index in (1, 2, 3)]
        list(_frames(stage, subject.spec, 3))
        after = [stage.camera(index) for index in (3, 2, 1)]
    for index, told, now in zip((1, 2, 3), before, reversed(after), strict=True):
        if told is None or now is None:
            _require(told is now, f"camera({index}) is a matrix only at times")
            continue
        shape = tuple(subject.spec.at_rest.shape)
        _require(told.shape == shape and told.dtype == torch.float64, f"camera({index}) must be {shape} float64")
        _require(bool(torch.linalg.det(told).abs() > 1e-12), f"camera({index}) can't be inverted: {told}")
        _require(torch.equal(told, now), f"camera({index}) is another after some frames: {told}, then {now}")


def life_ends_well(subject: Subject) -> None:
    """What a run asks of all stages beside frames, before the first and after the last; closed twice."""
    stage = subject.build()
    keys = type(stage.config).model_fields.keys()
    _require(stage.pinned().keys() <= keys, f"`pinned` names keys that the config has not: {stage.pinned()}")
    texts = (*stage.pinned().values(), *stage.fingerprints().values(), *stage.report())
    _require(all(isinstance(text, str) for text in texts), "`pinned`, `fingerprints` and `report` give text")
    with closing(subject.build()) as other:
        other.load_state_dict(_stored(stage))
    stage.close()
    stage.close()


STAGE_CHECKS: tuple[Callable[[Subject], None], ...] = (
    config_reads_back,
    frames_keep_the_convention,
    input_is_left_alone,
    seed_decides,
    state_survives,
    camera_is_told_by_the_index,
    life_ends_well,
)
"""Each of them for a source or an effect, with a Subject."""
_STATE = "what changes from frame to frame goes through `state_dict` and `load_state_dict`"


def check_stage(stage: str | StageType, keys: Mapping[str, Any] | None = None, spec: RunSpec = SPEC) -> None:
    """All of STAGE_CHECKS. Raises AssertionError for the first that fails."""
    for check in STAGE_CHECKS:
        check(Subject(stage, {} if keys is None else keys, spec))


def check_resumes(preset: Preset, folder: Path) -> None:
    """Render a film in `folder` twice, once stopped after every second frame: the same bytes. Raises AssertionError."""
    whole = render(preset, folder / "whole")
    resumed = render(preset, folder / "resumed", options=_stopping_after(2))
    while not resumed.finished:
        resumed = resume(folder / "resumed", options=_stopping_after(2))
    _require(resumed.frames > 2, f"the film has {resumed.frames} frames, and was never stopped; make it longer")
    _require(whole.path.read_bytes() == resumed.path.read_bytes(), f"stopped and resumed it is another film; {_STATE}")


def picture(spec: RunSpec, seed: int) -> Tensor:
    """A picture (1, 3, H, W) with the spectrum of photographs."""
    return pink(spec.size, 0.15, 1.5, torch.Generator().manual_seed(seed)).to(spec.device)


def _stopping_after(frames: int) -> Options:
    seen: list[int] = []
    return Options(
        on_frame=lambda frame, spec: seen.append(frame.index),
        should_stop=lambda: len(seen) >= frames,
        checkpoint_seconds=0,
    )


def _runs(subject: Subject) -> list[RunSpec]:
    """As it is; with a lead-in, where the stage can have one; and, for an effect that can, over footage."""
    spec, config = subject.spec, subject.config()
    others = [replace(spec, lead_in=2)] if config.continues and spec.continues else []
    others += [] if config.role is Role.SOURCE else [replace(spec, continues=False)]
    return [spec, *(each for each in others if not list(config.problems(each)))]


def _film(subject: Subject, spec: RunSpec, count: int = 3) -> list[Tensor]:
    with closing(subject.build(spec)) as stage:
        return list(_frames(stage, spec, count))


def _frames(
    stage: Stage[Any], spec: RunSpec, count: int, done: int = 0, last: Tensor | None = None
) -> Iterator[Tensor]:
    """`count` frames, each made from the one before; of which `done` were made by another stage, up to `last`."""
    for index in range(done - spec.lead_in, done - spec.lead_in + count):
        goes_round = stage.config.feeds_back and spec.continues and last is not None
        frame = last if goes_round and last is not None else picture(spec, 0 if spec.continues else index)
        previous = None if last is None else last if stage.config.feeds_back else frame
        try:
            last = _ask(stage, frame, _context(stage, index, spec, previous))
        except EndOfFootage:
            return
        yield last


def _ask(stage: Any, frame: Tensor, ctx: FrameContext) -> Tensor:
    with torch.no_grad():
        made: Tensor = stage(ctx) if isinstance(stage, Source) else stage(frame, ctx)
    return made


def _context(stage: Stage[Any], index: int, spec: RunSpec, previous: Tensor | None) -> FrameContext:
    ctx = FrameContext(index, spec, previous)
    if stage.config.role is not Role.SOURCE:
        ctx.hand_to("source")
        if not spec.continues:
            ctx.show(picture(spec, index), picture(spec, index - 1) if index else None, None, cut=index == 2)
    ctx.hand_to(stage.config.id)
    return ctx


def _stored(stage: Stage[Any]) -> dict[str, Tensor]:
    """A stage's state as a checkpoint gives it back."""
    state = stage.state_dict()
    for name, value in state.items():
        _require(isinstance(value, Tensor), f"the state's {name!r} is a {type(value).__name__}, must be a tensor")
        _require(value.is_contiguous(), f"the state's {name!r} is not contiguous, as a checkpoint stores it")
    return safetensors.torch.load(safetensors.torch.save({name: v.detach().cpu().clone() for name, v in state.items()}))


def _require_frame(frame: Tensor, spec: RunSpec, index: int) -> None:
    wanted = f"must be {(1, 3, *spec.size)} torch.float32 on {spec.device}"
    right = frame.shape == (1, 3, *spec.size) and frame.dtype == torch.float32 and frame.device == spec.device
    _require(right, f"frame {index} is {tuple(frame.shape)} {frame.dtype} on {frame.device}, {wanted}")
    _require(not frame.requires_grad, f"frame {index} wants a gradient; detach it")
    low, high = float(frame.min()), float(frame.max())
    within = bool(frame.isfinite().all()) and low >= 0 and high <= 1
    _require(within, f"frame {index} lies between {low:g} and {high:g}, must be finite and within 0 and 1")


def _require_same(one: list[Tensor], other: list[Tensor], which: str, remedy: str) -> None:
    _require(len(one) == len(other), f"{which} have {len(one)} and {len(other)} frames; {remedy}")
    for index, (a, b) in enumerate(zip(one, other, strict=True)):
        _require(torch.equal(a, b), f"{which} differ from frame {index} on; {remedy}")


def _require(right: object, message: str) -> None:
    if not right:
        raise AssertionError(message)
