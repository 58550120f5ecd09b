"""The changes that a preset lists: at which instant which keys of its stages get which values."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from pipeline.times import InstantField, first_frame

STAGES = "stages"
MOST_CHANGES = 256


class Change(BaseModel):
    """From one instant on, other values for some keys of the stages."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    at: InstantField = Field(description="when: 12s, 1m30s, 288f for a frame, or 16b for a beat of the song")
    set: dict[str, Any] = Field(
        min_length=1,
        max_length=100,
        description="the new values, by key as `--set` takes them: {dream.layer: blocks.4.1, zoom.zoom: 1.2}",
    )

    def frame(self, fps: Fraction) -> int:
        """The first frame that is made so: the first one that is not before the instant."""
        return first_frame(self.at, fps)


def _listed(value: object) -> object:
    return tuple(value) if isinstance(value, list) else (value,) if isinstance(value, dict) else value


ChangesField = Annotated[tuple[Change, ...], BeforeValidator(_listed), Field(max_length=MOST_CHANGES)]


def differences(before: Mapping[str, Any], after: Mapping[str, Any], names: list[str]) -> dict[str, Any]:
    """What `set` makes the stages of one resolved preset those of another; a key that is gone is null.

    `names` are what the keys of each stage of `before` begin with.
    """
    old, new = before[STAGES], after[STAGES]
    if [_kind(stage) for stage in old] != [_kind(stage) for stage in new]:
        return {STAGES: new}
    found: dict[str, Any] = {}
    for name, was, now in zip(names, old, new, strict=True):
        keys = [*now, *(key for key in was if key not in now)]
        found |= {f"{name}.{key}": now.get(key) for key in keys if was.get(key) != now.get(key)}
    return found


def _kind(stage: Mapping[str, Any]) -> tuple[Any, Any]:
    return stage["stage"], stage["id"]


def place_in(changed: Mapping[str, Any], place: tuple[str | int, ...], name: str) -> tuple[str | int, ...] | None:
    """Where in a `set` a value stands that its preset has at `place`, in the stage whose keys begin with `name`.

    None where the change does not say it.
    """
    for depth, key in ((3, f"{name}.{place[2]}"), (2, f"{STAGES}[{place[1]}]"), (1, STAGES)):
        if key in changed:
            return (key, *place[depth:])
    return None
