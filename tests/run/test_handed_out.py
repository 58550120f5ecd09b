"""What is handed out is the user's to spoil: neither later frames nor the film show it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import pipeline
from pipeline.chain import Frame
from pipeline.preset import Preset
from pipeline.run import Options
from pipeline.stages import RunSpec
from tests.clips import counter
from tests.run.quick import HEAD, STAGES, quick

RESTING = """\
stages:
  - {stage: video, path: film.mp4, motion: dis}
  - {stage: zoom, zoom: 1.0}
  - {stage: tone, shown_only: true, gamma: 1.3}
  - {stage: encode, preset: ultrafast}
"""


@pytest.fixture(params=[STAGES, RESTING], ids=["from noise", "footage at rest"])
def preset(request: pytest.FixtureRequest, tmp_path: Path) -> Preset:
    counter(tmp_path / "film.mp4", 12, "4")
    return quick(tmp_path, head=HEAD.replace("21f", "9f"), stages=request.param)


def test_a_spoilt_frame_changes_no_later_one(preset: Preset) -> None:
    whole = [frame.image for frame in pipeline.frames(preset)]
    for kept, frame in zip(whole, pipeline.frames(preset), strict=True):
        assert torch.equal(frame.image, kept)
        frame.image.mul_(0)
        frame.feedback.fill_(7)
        frame.times.clear()


def test_frames_that_were_kept_stay_what_they_were(preset: Preset) -> None:
    frames = list(pipeline.frames(preset))
    frames[3].image.zero_()
    assert torch.equal(frames[4].image, [frame.image for frame in pipeline.frames(preset)][4])
    assert frames[3].feedback.any()


def test_nothing_that_is_written_changes(preset: Preset, tmp_path: Path) -> None:
    film = pipeline.render(preset, tmp_path / "whole").path.read_bytes()

    def spoil(frame: Frame, spec: RunSpec) -> None:
        frame.image.mul_(0)
        frame.feedback.mul_(0)

    assert pipeline.render(preset, tmp_path / "spoilt", spoil).path.read_bytes() == film


def test_who_only_counts_frames_pays_no_copy(preset: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clone, copies = torch.Tensor.clone, []

    def counted(tensor: torch.Tensor, **how: object) -> torch.Tensor:
        if tensor.shape == (1, 3, 48, 64):
            copies.append(tensor)
        return clone(tensor, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(torch.Tensor, "clone", counted)
    pipeline.render(preset, tmp_path / "one", options=Options(checkpoint_seconds=1000))
    plain = len(copies)
    pipeline.render(preset, tmp_path / "two", lambda frame, spec: None, options=Options(checkpoint_seconds=1000))
    assert len(copies) == 2 * plain
