"""The curves of a run: that they show what the log says, and that odd logs are no trouble."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

import pipeline
from pipeline.errors import MediaError, RunError
from pipeline.media.chart import WIDTH, Panel, draw_chart, nice_step, tick, value_range
from pipeline.preset import load_preset
from pipeline.run.plot import plot
from tests.processes import finished as dreamreel


@pytest.fixture
def run(small_preset: Path, tmp_path: Path) -> Path:
    return pipeline.render(load_preset(small_preset), tmp_path / "run").folder


def test_a_run_is_drawn(run: Path, tmp_path: Path) -> None:
    picture = cv2.imread(str(plot(run)))
    assert picture is not None and picture.shape[1] == WIDTH
    done = dreamreel("plot", str(run), "-o", str(tmp_path / "mine.png"))
    assert done.returncode == 0 and done.stdout.strip() == str(tmp_path / "mine.png")
    assert (tmp_path / "mine.png").read_bytes() == (run / "plot.png").read_bytes()


def test_odd_lines_are_left_out(run: Path) -> None:
    before = plot(run).read_bytes()
    with (run / "run.jsonl").open("a") as log:
        log.write('{"frame": 99, "brightness": "high"}\n{"frame": 100, "brigh')
    assert plot(run).read_bytes() == before


def test_what_can_not_be_drawn_is_told(run: Path, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="can't write the picture"):
        plot(run, tmp_path / "none" / "x.png")
    (run / "run.jsonl").unlink()
    with pytest.raises(RunError, match="no frame yet"):
        plot(run)
    done = dreamreel("plot", str(tmp_path / "nothing"))
    assert done.returncode == 1 and "holds no run" in done.stderr and "Traceback" not in done.stderr


def test_the_line_goes_where_the_values_are() -> None:
    seconds = [index / 24 for index in range(240)]
    rising = draw_chart("test", [Panel("x", "", seconds, [index / 240 for index in range(240)])])
    orange = (np.abs(rising.astype(int) - (208, 92, 36)).sum(2) < 30).nonzero()
    heights = dict(zip(orange[1].tolist(), orange[0].tolist(), strict=True))
    assert heights[min(heights)] > heights[sorted(heights)[len(heights) // 2]] > heights[max(heights)]
    assert max(heights) - min(heights) > 0.8 * WIDTH


@pytest.mark.parametrize("values", [[0.3], [0.0, 0.0], [1.0] * 5, [1e-9, 2e-9], [0.1, 900.0]])
def test_any_values_can_be_drawn(values: list[float]) -> None:
    chart = draw_chart("t", [Panel("x", "n", [float(i) for i in range(len(values))], values, band=(0.1, 0.2))])
    assert chart.dtype == np.uint8 and chart.std() > 0


def test_steady_figures_look_steady() -> None:
    low, high = value_range([0.300, 0.303])
    assert low < 0.28 and high > 0.32
    assert value_range([0.0, 0.01])[0] == 0
    assert [nice_step(x) for x in (0.03, 0.05, 0.11, 3, 7)] == pytest.approx([0.05, 0.05, 0.2, 5, 10])
    assert [tick(x, s) for x, s in ((0.1, 0.05), (20.0, 10), (1.5, 0.5))] == ["0.10", "20", "1.5"]
    assert math.isclose(nice_step(1.0), 1.0)
