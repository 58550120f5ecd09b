"""A film cut into shots: where the cuts are, and the preset that each shot is rendered by."""

from __future__ import annotations

from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.media.ahead import Ahead
from pipeline.media.cuts import find_cuts
from pipeline.media.footage import at_constant_rate, open_footage
from pipeline.preset import Preset, parse_preset
from pipeline.preset.written import plain_yaml
from pipeline.stages.shot import Shot
from pipeline.stages.video import VideoConfig


def with_cuts_found(preset: Preset) -> tuple[Preset, int]:
    """The preset with the frames that its shots begin with in place of `true`, and how many frames the film has.

    The film is decoded once. Raises MediaError.
    """
    source, fps = _source(preset), preset.fps
    footage = open_footage(Path(source.path), fps, hdr=source.hdr == "tone-map")
    pictures = at_constant_rate(footage, preset.canvas, source.fit, source.timing(fps))
    with closing(Ahead(pictures)) as decoded:
        cuts, frames = find_cuts(iter(decoded), source.cut_threshold, fps, preset.duration.to_frames(fps))
    if isinstance(source.shots, tuple):
        return preset, frames
    config = source.model_copy(update={"shots": tuple(cuts)})
    found = preset.model_copy(update={"stages": (config, *preset.stages[1:])})
    changed = [
        each.model_copy(
            update={"stages": (each.stages[0].model_copy(update={"shots": config.shots}), *each.stages[1:])}
        )
        for each in preset.changed
    ]
    found._changed, found._origin, found._heard = tuple(changed), preset.origin, preset.signals
    return found, frames


def shots_of(preset: Preset, frames: int) -> list[Shot]:
    """The shots of a film of so many frames whose cuts are found."""
    begins = _source(preset).shots
    assert isinstance(begins, tuple)
    edges = [0, *(each for each in begins if each < frames), frames]
    return [
        Shot(number=number, first=first, frames=end - first, film=frames)
        for number, (first, end) in enumerate(pairwise(edges), 1)
    ]


def shot_preset(preset: Preset, shot: Shot) -> Preset:
    """The preset that a shot of the film is rendered by. Sound from a file is the whole film's."""
    data = preset.resolved()
    entry = {key: value for key, value in data["stages"][0].items() if key != "shots"}
    data |= {
        "name": f"{preset.name}-{shot.number:04d}",
        "duration": f"{shot.frames}f",
        "seed": shot_seed(preset.seed, shot.number),
        "audio": preset.audio if preset.audio == "source" else "none",
        "stages": [entry | {"shot": shot.model_dump()}, *data["stages"][1:]],
        "changes": _changes(preset, shot),
    }
    made = parse_preset(plain_yaml(data), name=preset.name, checked=False)
    made._origin = preset.origin
    if preset.signals is not None:
        made.hears(preset.signals)
    return made


def shot_seed(seed: int, number: int) -> int:
    """The seed of a shot, which depends on the film's and on its number alone."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _changes(preset: Preset, shot: Shot) -> list[dict[str, Any]]:
    """The film's changes as a shot's own: those before it have been made when it begins."""
    places = [change.frame(preset.fps) - shot.first for change in preset.changes]
    return [
        {"at": f"{max(0, place)}f", "set": change.model_dump(mode="json")["set"]}
        for place, change in zip(places, preset.changes, strict=True)
        if place < shot.frames
    ]


def _source(preset: Preset) -> VideoConfig:
    source = preset.chain[0]
    assert isinstance(source, VideoConfig)
    return source
