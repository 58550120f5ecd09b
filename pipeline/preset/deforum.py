"""A Deforum settings file as a preset: what has a counterpart here, and what has none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.curves.deforum import parse_schedule
from pipeline.disk import read_regular
from pipeline.errors import PresetError, Problem, shortened
from pipeline.preset.written import plain_yaml

_MOST_BYTES = 20_000_000
_CAMERA = ("zoom", "angle", "translation_x", "translation_y", "transform_center_x", "transform_center_y")
_USED = (
    *("W", "H", "fps", "max_frames", "seed", "border", "rotation_3d_z", "animation_mode", "use_init", "init_image"),
    *("video_init_path", "soundtrack_path", "add_soundtrack", "batch_name", *_CAMERA),
)
_NOT_HERE = {
    "prompts": "a dream is steered by its `objective`, such as {class: palace}",
    "animation_prompts": "a dream is steered by its `objective`, such as {class: palace}",
    "strength_schedule": "how much is dreamt is the dream's `strength`",
    "steps_schedule": "how long is dreamt is the dream's `steps`",
    "noise_schedule": "fresh noise comes from the stage `grain`",
    "contrast_schedule": "contrast is the stage `tone`, or the palette's `contrast`",
    "color_coherence": "colours are kept by the stage `palette`",
    "diffusion_cadence": "dreaming on every nth frame is the dream's `every`",
    "translation_z": "moving through depth is the zoom's `zoom`",
    "rotation_3d_x": "the zoom's `tilt` is in degrees per second",
    "rotation_3d_y": "the zoom's `tilt` is in degrees per second",
    "optical_flow_cadence": "motion is followed by the stage `flow`",
}
_STANDS_STILL = {"zoom": 1.0, "transform_center_x": 0.5, "transform_center_y": 0.5}


def preset_from_deforum(path: Path) -> tuple[str, list[str]]:
    """The preset of a settings file as YAML, and a line for each setting of it that has no counterpart.

    Raises PresetError for a file that can't be read or holds no settings.
    """
    settings = _settings(path)
    wide, high = int(settings.get("W", 512)), int(settings.get("H", 512))
    fps = settings.get("fps", 15)
    seed = settings.get("seed", 0)
    preset: dict[str, Any] = {
        "name": path.stem,
        "size": f"{wide}x{high}",
        "fps": fps,
        "duration": f"{int(settings.get('max_frames', 120))}f",
        "seed": seed if isinstance(seed, int) and seed >= 0 else 0,
    }
    if settings.get("add_soundtrack") == "File" and settings.get("soundtrack_path"):
        preset["audio"] = str(settings["soundtrack_path"])
    preset["stages"] = [_source(settings), *_camera(settings, fps, wide), {"stage": "dream"}, {"stage": "palette"}]
    return plain_yaml(preset), _left_out(settings)


def _settings(path: Path) -> dict[str, Any]:
    try:
        settings = json.loads(read_regular(path, _MOST_BYTES).decode("utf-8-sig"))
    except OSError as error:
        raise PresetError([Problem(str(path), (), f"can't be read: {error.strerror}")]) from None
    except ValueError as error:
        said = f"is no Deforum settings file, which is JSON: {shortened(str(error))}"
        raise PresetError([Problem(str(path), (), said)]) from None
    if not isinstance(settings, dict) or not {"max_frames", "animation_mode", *_CAMERA} & settings.keys():
        said = "holds none of Deforum's settings, such as `zoom` and `max_frames`"
        raise PresetError([Problem(str(path), (), said)])
    return settings


def _source(settings: Mapping[str, Any]) -> dict[str, Any]:
    if settings.get("animation_mode") == "Video Input" and settings.get("video_init_path"):
        return {"stage": "video", "path": str(settings["video_init_path"])}
    if settings.get("use_init") and settings.get("init_image"):
        return {"stage": "image", "path": str(settings["init_image"])}
    return {"stage": "noise"}


def _camera(settings: Mapping[str, Any], fps: object, wide: int) -> list[dict[str, Any]]:
    """The zoom stage, if the camera moves."""
    turn = "rotation_3d_z" if settings.get("animation_mode") == "3D" else "angle"
    moving = {
        name: settings[name] for name in (*_CAMERA, turn) if name in settings and not _rests(name, settings[name])
    }
    if turn != "angle":
        moving.pop("angle", None)  # 3D mode leaves it alone, as it does zoom
        moving.pop("zoom", None)

    def schedule(name: str, still: float, **more: object) -> object:
        if name not in moving:
            return still
        return {"deforum": str(moving[name]), "fps": fps, **more}

    keys: dict[str, Any] = {}
    if "zoom" in moving:
        keys["zoom"] = schedule("zoom", 1.0)
    if turn in moving:
        keys["rotate"] = schedule(turn, 0.0)
    if {"translation_x", "translation_y"} & moving.keys():
        keys["pan"] = [schedule(f"translation_{axis}", 0.0, width=wide) for axis in "xy"]
    if {"transform_center_x", "transform_center_y"} & moving.keys():
        keys["centre"] = [schedule(f"transform_center_{axis}", 0.5) for axis in "xy"]
    if settings.get("border") in ("replicate", "wrap"):
        keys["edges"] = settings["border"]
    return [{"stage": "zoom", **keys}] if moving else []


def _rests(name: str, schedule: object) -> bool:
    """Whether a schedule says all along that nothing moves."""
    try:
        keys = parse_schedule(f"0:({schedule})" if isinstance(schedule, int | float) else str(schedule))
    except ValueError:
        return False  # which is told when the preset is read
    return all(value == _STANDS_STILL.get(name, 0.0) for _, value in keys)


def _left_out(settings: Mapping[str, Any]) -> list[str]:
    """What the preset does without: those that have another way here first, then the others in a line."""
    known = [f"{name}: {_NOT_HERE[name]}" for name in settings if name in _NOT_HERE]
    others = [name for name in settings if name not in _NOT_HERE and name not in _USED]
    return known + ([f"no counterpart: {', '.join(others)}"] if others else [])
