"""The small film and its bytes."""

from __future__ import annotations

import pytest

import pipeline
from pipeline.preset import Preset, load_preset
from tests.conftest import SMALL
from tests.run.small import FRAMES


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> Preset:
    path = tmp_path_factory.mktemp("preset") / "small.yaml"
    path.write_text(SMALL.replace("fps: 12", "fps: 4").replace("duration: 4f", f"duration: {FRAMES}f"))
    return load_preset(path)


@pytest.fixture(scope="module")
def whole(preset: Preset, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The film of a render that was never stopped."""
    return pipeline.render(preset, tmp_path_factory.mktemp("whole")).path.read_bytes()
