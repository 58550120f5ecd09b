"""A preset goes to another process as it is, such as one of a pool that renders many."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.preset import load_preset
from pipeline.stages.zoom import ZoomConfig

CURVES = ("1.5", '"1 + 0.1*sin(t)"', "{0s: 1, 1s: [2, spline], 2s: 1}", '{deforum: "0:(1.02), 5:(1 + 0.01*t)"}')


@pytest.mark.parametrize("curve", [*CURVES, "{file: moves.csv}", "{file: schedule.txt}", "{file: words.txt}"])
def test_it_comes_out_as_it_went_in(curve: str, tmp_path: Path) -> None:
    (tmp_path / "moves.csv").write_text("0,1\n1,2\n")
    (tmp_path / "schedule.txt").write_text("0:(1.02), 5:(1.1*cos(t/99))")
    (tmp_path / "words.txt").write_text("1 + t/20")
    stages = f"[{{stage: noise}}, {{stage: zoom, zoom: {curve}}}]"
    (tmp_path / "film.yaml").write_text(f"size: 64x48\nduration: 9f\nstages: {stages}\n")
    preset = load_preset(tmp_path / "film.yaml")
    again = pickle.loads(pickle.dumps(preset))
    moments = preset.spec(torch.device("cpu")).clock.at_frames(np.arange(9.0))
    here, there = preset.chain[1], again.chain[1]
    assert again == preset and isinstance(here, ZoomConfig) and isinstance(there, ZoomConfig)
    assert np.array_equal(there.zoom.values(moments), here.zoom.values(moments))
    assert there.zoom.file == here.zoom.file
