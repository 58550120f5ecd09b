"""What several tests share: small presets, real footage and photographs."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

torch.set_num_threads(1)  # the tests run in several processes; small tensors gain nothing from more threads

SMALL = """\
name: small
size: 64x48
fps: 12
duration: 4f
seed: 3
device: cpu
stages:
  - stage: noise
  - stage: zoom
    zoom: 1.5
    rotate: 20
  - stage: dream
    octaves: 1
    steps: 1
    first_steps: 2
  - stage: palette
  - stage: encode
    preset: ultrafast
"""


@pytest.fixture(autouse=True, scope="session")
def _one_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Each test process keeps its own choices of engines: nobody else's probes change the bytes of a film."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def photograph(name: str) -> Path:
    """A photograph from scikit-image's data, found without importing it."""
    spec = importlib.util.find_spec("skimage")
    assert spec is not None and spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0]) / "data" / name


@pytest.fixture
def small_preset(tmp_path: Path) -> Path:
    """A preset that renders in a moment."""
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return path


@pytest.fixture
def write_preset(tmp_path: Path) -> Callable[[str], Path]:
    """Writes text as a preset and returns its path."""

    def write(text: str) -> Path:
        path = tmp_path / "preset.yaml"
        path.write_text(text)
        return path

    return write
