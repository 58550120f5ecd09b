"""Deforum's settings files: what becomes of them, and what is said of the rest."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import PresetError
from pipeline.preset import parse_preset
from pipeline.preset.deforum import preset_from_deforum
from pipeline.stages.zoom import ZoomConfig
from tests.conftest import photograph

SETTINGS = {
    "W": 256,
    "H": 192,
    "seed": -1,
    "fps": 12,
    "max_frames": 60,
    "animation_mode": "2D",
    "border": "wrap",
    "angle": "0: (0), 30: (2*sin(t))",
    "zoom": "0: (1.02)",
    "translation_x": "0: (2.56)",
    "translation_y": "0: (0)",
    "transform_center_x": "0: (0.5)",
    "strength_schedule": "0: (0.65)",
    "prompts": {"0": "a castle"},
    "hybrid_motion": "None",
}


def written(folder: Path, **changes: object) -> Path:
    path = folder / "settings.txt"
    path.write_text(json.dumps({**SETTINGS, **changes}))
    return path


def test_the_camera_size_and_length_are_kept(tmp_path: Path) -> None:
    text, left_out = preset_from_deforum(written(tmp_path))
    preset = parse_preset(text)
    assert (str(preset.size), preset.fps, str(preset.duration), preset.seed) == ("256x192", 12, "60f", 0)
    camera = preset.chain[1]
    assert isinstance(camera, ZoomConfig) and camera.edges == "wrap"
    rates = camera.rates(preset.spec().clock.at_seconds(np.array([1.0])))
    assert np.asarray(rates.zoom) == pytest.approx(1.02**12)
    assert np.asarray(rates.pan[0]) == pytest.approx(-0.01 * 12, rel=0.15)  # a shift of the picture, beside its zoom
    assert [line.partition(":")[0] for line in left_out] == ["strength_schedule", "prompts", "no counterpart"]
    assert left_out[-1] == "no counterpart: hybrid_motion"


def test_pictures_and_sound_are_named(tmp_path: Path) -> None:
    cat = str(photograph("chelsea.png"))
    text, _ = preset_from_deforum(
        written(tmp_path, use_init=True, init_image=cat, zoom="0: (1)", angle=0, translation_x=0)
    )
    stages = [type(config).__name__ for config in parse_preset(text).chain]
    assert stages == ["ImageConfig", "DreamConfig", "PaletteConfig"]  # the camera stands still
    text, _ = preset_from_deforum(written(tmp_path, add_soundtrack="File", soundtrack_path="/song.mp3"))
    assert "audio: /song.mp3" in text


def test_three_dimensions_turn_by_their_own_key(tmp_path: Path) -> None:
    text, left_out = preset_from_deforum(
        written(tmp_path, animation_mode="3D", rotation_3d_z="0: (1)", translation_z=4)
    )
    camera = parse_preset(text).chain[1]
    assert isinstance(camera, ZoomConfig) and camera.zoom.constant == 1
    assert any(line.startswith("translation_z: moving through depth") for line in left_out)


@pytest.mark.parametrize("content", [b"", b"zoom: 2", b"[1]", b"{}", b"\xff\xfe{"])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "settings.txt").write_bytes(content)
    with pytest.raises(PresetError, match=r"settings.txt: (is no Deforum settings file|holds none of Deforum's)"):
        preset_from_deforum(tmp_path / "settings.txt")
