"""A preset made small, to be seen soon: the same film without its finest octaves."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.disk import make_folder
from pipeline.frame import Size
from pipeline.media.picture import write_png
from pipeline.ops.warp import resize
from pipeline.preset import Preset, parse_preset, plain_yaml
from pipeline.preset.changes import STAGES, differences
from pipeline.preset.entries import ENCODE
from pipeline.stages import FrameContext, Source
from pipeline.stages.dream import DreamConfig
from pipeline.stages.lookup import build_stage
from pipeline.stages.noise import NoiseConfig

SUFFIX = "-preview"
_LONGEST_SIDE = 320  # pixels
_DREAMS_A_SECOND = 12
_IN_PIXELS = {"grain": ("size", 1.0), "sharpen": ("radius", 0.3)}
"""keys that are lengths in the film's pixels, with the least they may be"""


def small(preset: Preset, folder: Path, *, begins: bool = True) -> tuple[Preset, list[str]]:
    """The preset with no side longer than 320 pixels, and what is not as in the film, a sentence each.

    Each octave is larger than the last by `octave_scale`, so a film that is smaller by that factor k times has, without
    its k finest octaves, the others in the same pixels: motifs are as large in the frame, and camera and seed are the
    same. It stays as large as its octaves want it. Dreams come about 12 times a second, by `every`, which spreads them.
    Noise that the film begins with, made smaller, is written to a picture in `folder`, so that it begins alike; but not
    where it `begins` with a later frame.

    Raises PresetError, and what a source raises.
    """
    presets = [scene.preset for scene in preset.scenes] if preset.scenes else [preset]
    factor, seldom = min(map(_factor, presets)), max(1, round(preset.fps / _DREAMS_A_SECOND))
    shrunk = []
    for number, each in enumerate(presets, 1):
        picture = folder.absolute() / ("begins.png" if number == 1 else f"begins-{number}.png")
        shrunk.append(
            _shrunk(each, _Shrink(factor, seldom, picture if factor > 1 and begins and _is_noise(each) else None))
        )
    data = _of_scenes(preset, shrunk) if preset.scenes else shrunk[0]
    made = parse_preset(plain_yaml(data), name=preset.name)
    if preset.signals is not None:
        made.hears(preset.signals)
    return made, list(_what_differs(preset, made, seldom))


def _of_scenes(film: Preset, shrunk: list[dict[str, Any]]) -> dict[str, Any]:
    """Plain data of a film of scenes that were made smaller."""
    data = film.resolved()
    for scene, small in zip(data["scenes"], shrunk, strict=True):
        scene |= {STAGES: small[STAGES][:-1], "changes": small["changes"]}
    wide = {key: shrunk[0][key] for key in ("name", "size", "keep")}
    return data | wide | {STAGES: [{"stage": ENCODE, "id": film.encode.id}]}


def _shrunk(preset: Preset, shrink: _Shrink) -> dict[str, Any]:
    """Plain data of the small preset; the picture that it begins with is written."""
    if shrink.first is not None:
        make_folder(shrink.first.parent)
        write_png(resize(_begins_with(preset), shrink.size(preset)).clamp_(0, 1), shrink.first)
    data, before, changes = shrink.preset(preset), preset, []
    for change, after in zip(preset.changes, preset.changed, strict=True):
        names = [before.stage_key(index) for index in range(len(before.chain) + 1)]
        found = differences(shrink.preset(before), shrink.preset(after), names)
        changes += [{"at": str(change.at), "set": found}] if found else []
        before = after
    return {**data, "changes": changes}


def _is_noise(preset: Preset) -> bool:
    """Whether it begins with noise, all of which is seen."""
    return isinstance(preset.chain[0], NoiseConfig) and preset.margin == 0


def _begins_with(preset: Preset) -> Tensor:
    spec = preset.spec(torch.device("cpu"))
    with closing(build_stage(preset.chain[0], spec)) as source:
        assert isinstance(source, Source)
        ctx = FrameContext(-spec.lead_in, spec, None)
        ctx.hand_to(source.config.id)
        return source(ctx)


def _dreams(preset: Preset) -> list[DreamConfig]:
    wholes = [preset, *(scene.preset for scene in preset.scenes)]
    presets = [each for whole in wholes for each in (whole, *whole.changed)]
    return [config for each in presets for config in each.chain if isinstance(config, DreamConfig)]


def _factor(preset: Preset) -> float:
    """How much smaller the film is made: by whole octaves of its first dream, and no dream goes without any."""
    wanted, dreams = max(1.0, max(preset.size) / _LONGEST_SIDE), _dreams(preset)
    if not dreams:
        return wanted
    scale = dreams[0].octave_scale
    steps = math.ceil(math.log(wanted) / math.log(scale) - 1e-9)
    while steps and any(_octaves_left(dream.octaves, dream.octave_scale, scale**steps) < 1 for dream in dreams):
        steps -= 1
    return float(scale**steps)


def _octaves_left(octaves: int, scale: float, factor: float) -> int:
    return octaves - round(math.log(factor) / math.log(scale))


@dataclass(frozen=True)
class _Shrink:
    """Makes resolved presets smaller by a factor, dreaming on one frame of so many."""

    factor: float
    dreams_seldom: int
    first: Path | None
    """the picture that takes the place of noise"""

    def preset(self, preset: Preset) -> dict[str, Any]:
        """Plain data of the small one, without changes."""
        data = preset.resolved()
        data.pop("changes", None)
        more = {"name": f"{preset.name}{SUFFIX}", "size": str(self.size(preset)), "keep": "none"}
        film = {"stage": ENCODE, "id": preset.encode.id}  # one, whatever the film is written as
        return {**data, **more, STAGES: [*map(self._stage, data[STAGES][: len(preset.chain)]), film]}

    def size(self, preset: Preset) -> Size:
        """That of the small frame; both sides are even."""
        height, width = (2 * math.ceil(side / self.factor / 2) for side in preset.size)
        if self.factor == 1:
            return preset.size
        return Size(height, 2 * height if preset.on_sphere else width)

    def _stage(self, stage: dict[str, Any]) -> dict[str, Any]:
        if stage["stage"] == "dream":
            octaves = _octaves_left(stage["octaves"], stage["octave_scale"], self.factor)
            lists = {
                key: stage[key][:octaves] for key in ("octave_weights", "every") if isinstance(stage.get(key), list)
            }
            every = lists.get("every", [stage["every"]])
            seldom = [each * self.dreams_seldom for each in every]
            return stage | lists | {"octaves": octaves, "every": seldom if "every" in lists else seldom[0]}
        if stage["stage"] == "noise" and self.first is not None:
            return {"stage": "image", "id": stage["id"], "path": str(self.first)}
        if stage.get("shots"):  # a preview is one run
            stage = stage | {"shots": False}
        key, least = _IN_PIXELS.get(stage["stage"], ("", 0.0))
        length = stage.get(key)
        return stage | {key: max(least, length / self.factor)} if isinstance(length, int | float) else stage


def _what_differs(preset: Preset, made: Preset, seldom: int) -> Iterator[str]:
    if made.size != preset.size:
        yield f"{made.size} instead of {preset.size}"
    for before, after in zip(_dreams(preset)[:1], _dreams(made)[:1], strict=True):
        if after.octaves != before.octaves:
            yield f"the coarsest {after.octaves} of {before.octaves} octaves: motifs are as large in the frame"
    if seldom > 1 and _dreams(preset):
        yield f"dreams on {'every second frame' if seldom == 2 else f'one frame of {seldom}'}, and spreads that"
    if max(made.size) > _LONGEST_SIDE:
        yield "any smaller, with as few octaves, its motifs would be larger in the frame"
