"""Another preset between two frames: what may change, and which stages go on as they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from typing import Any

import torch

from pipeline.device import likely_device
from pipeline.errors import PresetError, Problem
from pipeline.preset import Preset, begun_with
from pipeline.stages import RunSpec, Stage, StageConfig
from pipeline.stages.lookup import build_stage

_BEGUN = "the film was begun with"


def changed_spec(before: RunSpec, preset: Preset, index: int) -> RunSpec:
    """What the stages are told from frame `index` on. Raises PresetError naming all that can't change within a film."""
    problems = [Problem("", (key,), message) for key, message in _fixed(before, preset, index)]
    if problems:
        raise PresetError(problems)
    return preset.spec(before.device)


def _fixed(before: RunSpec, preset: Preset, index: int) -> Iterator[tuple[str, str]]:
    after = preset.spec(before.device)
    for key, old, new in (
        ("size", before.frame, after.frame),
        ("margin", f"{before.margin} pixels", f"{after.margin} pixels"),
        ("projection", before.projection, after.projection),
        ("fps", before.fps, after.fps),
        ("seed", before.seed, after.seed),
        ("lead_in", f"{before.lead_in}f", f"{after.lead_in}f"),
    ):
        if old != new:
            yield key, f"is {new}, {_BEGUN} {old}; keep that, or render another film"
    if preset.device != "auto" and not _is(likely_device(preset.device), before.device):
        yield "device", f"is {preset.device}, {_BEGUN} {before.device}; keep that, or render another film"
    if after.frames is not None and after.frames < index:
        yield "duration", f"is {after.frames}f, and {index} frames are there already; make it longer"


def _is(one: torch.device, other: torch.device) -> bool:
    return (one.type, one.index or 0) == (other.type, other.index or 0)


def succeed(
    stages: Sequence[Stage[Any]], configs: Sequence[StageConfig], spec: RunSpec, index: int
) -> list[Stage[Any]]:
    """The stages that go on with `configs` from frame `index` on; those given stay as they are, used or not.

    A stage is known by its id. One whose config is the same goes on itself, another takes over from the one of its id
    and kind what still means the same, and one without a predecessor begins here.
    """
    known = {stage.config.id: stage for stage in stages}
    found: list[Stage[Any]] = []
    with ExitStack() as undo:
        for config in configs:
            before = known.get(config.id)
            if before is None or type(before.config) is not type(config):
                stage = build_stage(config, spec)
                undo.callback(stage.close)
                stage.join(index)
            elif before.config == config and before.fits(spec):
                stage = before
            else:
                stage = before.changed(config, spec, index)
                undo.callback(stage.close)
            found.append(stage)
        undo.pop_all()
    return found


def settled(preset: Preset, device: torch.device) -> Preset:
    """The preset with what its changes would take for themselves in place of every `auto`; its beginning has none left.

    Raises what building a stage raises.
    """
    number = 0
    while number < len(preset.changes):
        pins = _pins(preset.changed[number - 1] if number else preset, preset.changed[number], device)
        if pins:
            change = preset.changes[number]
            changes = list(preset.changes)
            changes[number] = change.model_copy(update={"set": change.set | pins})
            preset = begun_with(preset.model_copy(update={"changes": tuple(changes)}), preset.stages, preset.device)
        number += 1
    return preset


def _pins(before: Preset, after: Preset, device: torch.device) -> dict[str, str]:
    """By keys as a change has them: what stages that are built by `after` say they took."""
    known = {config.id: config for config in before.chain}
    found: dict[str, str] = {}
    for index, config in enumerate(after.chain):
        if _decides(known.get(config.id), config):
            spec = after.spec(device)
            with closing(build_stage(config, spec if config.feeds_back else spec.shown)) as stage:
                taken = stage.pinned().items()
            found |= {f"{after.stage_key(index)}.{key}": text for key, text in taken if getattr(config, key) != text}
    return found


def _decides(before: StageConfig | None, after: StageConfig) -> bool:
    """Whether a stage will take something for itself that is not taken yet."""
    auto = [key for key in type(after).model_fields if getattr(after, key) == "auto"]
    return any(type(before) is not type(after) or getattr(before, key) != "auto" for key in auto)
