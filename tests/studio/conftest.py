"""One studio for the tests that leave it as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.studio.server import Page, studio

TEXT = """\
# Small, and soon over.
name: mine
size: 64x48
fps: 8
duration: 3s
seed: 3
device: cpu
keep: 1s
stages:
  - stage: noise
  - stage: zoom          # the camera
    zoom: 1.5
  - stage: dream
    engine: packed
    precision: float32
    octaves: 1
    steps: 1
    first_steps: 2
    strength: 0.3        # how far
  - stage: encode
    preset: ultrafast
"""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one preset."""
    path = tmp_path_factory.mktemp("films")
    (path / "mine.yaml").write_text(TEXT)
    return path


@pytest.fixture(scope="session")
def page(folder: Path) -> Iterator[Page]:
    """A page of a studio of that folder."""
    with studio(folder) as opened:
        yield opened


@pytest.fixture(scope="session")
def film(page: Page) -> str:
    """The id of a finished run."""
    run = str(page.post("/api/runs", text=TEXT)["id"])
    page.finished(run)
    return run
