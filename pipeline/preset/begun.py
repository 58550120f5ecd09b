"""A preset that begins with other values, which its changes start from."""

from __future__ import annotations

from pipeline.preset.load import parse_preset
from pipeline.preset.model import Preset
from pipeline.stages import Entry


def begun_with(preset: Preset, stages: tuple[Entry, ...], device: str) -> Preset:
    """The preset with other values in the same stages at its beginning, and what its changes make of those."""
    begun = preset.model_copy(update={"stages": stages, "device": device})
    if not preset.changes:
        return begun
    again = parse_preset(begun.to_yaml(), name=preset.name, checked=False)
    again._origin = preset._origin
    again.follow(preset._hearing, preset._heard)
    return again
