"""A scene of a film: a preset of its own, and when it is played."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.ops.smoothstep import smoothstep
from pipeline.times import Time

if TYPE_CHECKING:
    from pipeline.preset.changes import Change
    from pipeline.preset.model import Preset

FILM_WIDE = ("name", "size", "projection", "fps", "device", "audio", "plugins", "keep", "scenes")
"""keys that belong to the whole film, and to no scene of it"""
SCENE_WIDE = ("margin", "lead_in", "changes")
"""keys that belong to a scene, and not to a film of scenes"""
SCHEMA: dict[str, Any] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "extends": {
                "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
                "description": "the preset that this one says only some keys of: a file, or a name on the shelf",
            },
            "vars": {"type": "object", "description": "values with names, which ${name} stands for"},
            "fade": {
                "type": "string",
                "description": "how long it is faded in over the scene before",
                "examples": ["2s"],
            },
            "duration": {"type": "string", "examples": ["8s"]},
            "seed": {"type": "integer", "minimum": 0},
            "margin": {"type": "number", "minimum": 0, "maximum": 1},
            "lead_in": {"type": "string", "examples": ["2s"]},
            "listen": {
                "type": ["string", "object"],
                "description": "a song of its own, from its own first frame on, where it is not to hear the film's",
            },
            "changes": {"type": "array"},
            "stages": {"type": "array", "items": {"type": "object"}},
        },
    },
}
"""of `scenes` in a preset, for whoever makes presets or completes them"""


@dataclass(frozen=True)
class Scene:
    """Frames `start` up to, without, `end` of a film are those that `preset` gives by itself, from its first one on."""

    preset: Preset
    fade: Time | None
    """how long it is faded in over the scene before"""
    start: int
    end: int | None
    """None: it has none"""
    overlap: int
    """the frames of that fade"""

    def begun_by(self, frame: int) -> bool:
        """Whether it has frames before one of the film; the first, which may have a lead-in, always has."""
        return self.start < frame or self.start == 0

    def over_by(self, frame: int) -> bool:
        """Whether it has no frame from one of the film on."""
        return self.end is not None and self.end <= frame

    def weight(self, index: int) -> float:
        """How much of the light in frame `index` of the film is this scene's, where one before it is still there.

        It rises slowly, quickly and slowly: nothing is seen to begin or to stop.
        """
        return float(smoothstep(np.array((index - self.start + 0.5) / self.overlap)))

    @property
    def changes(self) -> list[tuple[int, Change]]:
        """Its changes, by the film's frames at which they are made; one that it does not live to see is not."""
        found = [(self.start + change.frame(self.preset.fps), change) for change in self.preset.changes]
        return [(frame, change) for frame, change in found if self.end is None or frame < self.end]

    def resolved(self) -> dict[str, Any]:
        """Every key of it with its value, as plain data that loads again."""
        data = {key: value for key, value in self.preset.resolved().items() if key not in FILM_WIDE}
        stages = data["stages"][: len(self.preset.chain)]
        return ({} if self.fade is None else {"fade": str(self.fade)}) | data | {"stages": stages}


def turning_points(film: Preset) -> list[int]:
    """The frames of a film at which its changes are made, and its scenes begin and change."""
    of_scenes = {frame for scene in film.scenes for frame in (scene.start, *(each for each, _ in scene.changes))}
    return sorted({*film.turns, *of_scenes} - {0})
