"""The kaleidoscope passes what every stage is tried with, and does what only it does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from dreamreel_kaleidoscope import Kaleidoscope, KaleidoscopeConfig, folded_grid

import dreamreel
from dreamreel.testing import SPEC, STAGE_CHECKS, Subject, check_resumes

FILM = """
size: 64x48
fps: 4
duration: 7f
device: cpu
stages:
  - stage: noise
  - {stage: kaleidoscope, turn: "90 * t", segments: 5}
  - {stage: encode, preset: ultrafast}
"""


@pytest.mark.parametrize("keys", [{}, {"turn": "90 * t", "segments": 3}, {"shown_only": True}], ids=str)
@pytest.mark.parametrize("check", STAGE_CHECKS, ids=lambda check: check.__name__)
def test_it_is_a_stage_like_others(check: Callable[[Subject], None], keys: dict[str, object]) -> None:
    check(Subject("kaleidoscope", keys))


def test_a_film_that_was_stopped_is_the_same(tmp_path: Path) -> None:
    check_resumes(dreamreel.parse_preset(FILM), tmp_path)


def test_every_segment_shows_the_same() -> None:
    frame = torch.rand(1, 3, 65, 65, generator=torch.Generator().manual_seed(1))
    grid = folded_grid(frame, 0.3, 4)
    assert torch.allclose(grid, grid.rot90(1, (1, 2)), atol=1e-5)  # a quarter turn is one segment of four
    assert not torch.allclose(grid, folded_grid(frame, 0.4, 4), atol=1e-2)


def test_the_mirrors_stand_where_the_frames_so_far_have_turned_them() -> None:
    config = KaleidoscopeConfig.model_validate({"turn": 12.0})
    stage = Kaleidoscope(config, SPEC)
    for index in range(6):
        stage(torch.zeros(1, 3, 48, 64), dreamreel.api.FrameContext(index, SPEC, None))
    assert float(stage.state_dict()["degrees"]) == pytest.approx(6 * 12 / 24)
