"""What may surprise in a preset that is right: one rule for `check`, `render` and `resume`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from pipeline.curves import curves_of
from pipeline.device import is_there
from pipeline.errors import MediaError, PipelineError
from pipeline.media.sound import find_sound
from pipeline.preset.entries import entry_name
from pipeline.preset.plugins import shadowed
from pipeline.stages import Entry
from pipeline.stages.spec import ENDLESS_SECONDS, MOST_LOOKS

if TYPE_CHECKING:
    from pipeline.preset.model import Preset

_STILL_FPS = Fraction(1, 500)
# A check of curves makes at most so many passes over a moment, all together: some seconds.
_MOST_WORK, _FEWEST_LOOKS = 300_000_000, 1000


def looks_at(stages: Sequence[Entry | None]) -> int:
    """How many frames a check looks at each curve in, so that all of them together take a bounded time."""
    work = sum(curve.cost for config in stages if config is not None for _, _, curve, _ in curves_of(config))
    return max(_FEWEST_LOOKS, min(MOST_LOOKS, _MOST_WORK // max(1, work)))


def notes_on(preset: Preset) -> Iterator[str]:
    """One sentence each; nothing about files that can't be read, which are a problem and not a note."""
    spec = replace(preset.spec(), looks=looks_at(preset.chain))
    for config in preset.chain:
        with contextlib.suppress(PipelineError):
            yield from config.notes()
    for rendition in preset.renditions:
        yield from rendition.notes()
    yield from shadowed(map(entry_name, preset.stages))
    yield from _on_sound(preset)
    moving = any(curve.cost for config in preset.chain for _, _, curve, _ in curves_of(config))
    if moving and spec.frames is None:
        yield f"an endless film: its curves were looked at over its first {ENDLESS_SECONDS // 60} minutes"
    if moving and spec.checked_frames > spec.looks:
        yield f"the curves were looked at in {spec.looks} of {spec.checked_frames} frames, and at every keyframe"
    if spec.fps < _STILL_FPS and moving:
        yield f"a frame lasts {float(1 / spec.fps):g}s: of what moves within it, the camera takes a sample"
    for change in preset.changes:
        if spec.frames is not None and change.frame(spec.fps) >= spec.frames:
            yield f"the change at {change.at} lies past the end of the film, and is never made"
    if not is_there(spec.device):
        yield f"the device {preset.device!r} is not on this machine: it can be checked here, not rendered"


def _on_sound(preset: Preset) -> Iterator[str]:
    try:
        sound = preset.soundtrack()
        if sound is not None:
            find_sound(sound.path)
    except MediaError as error:
        yield f"the film will be silent: {error}"
