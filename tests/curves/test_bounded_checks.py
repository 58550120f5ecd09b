"""Checks of curves take a bounded time and memory, however long the film, and say what they left out."""

from __future__ import annotations

import time
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
import torch

from pipeline.chain import Chain
from pipeline.curves import field, looked_at
from pipeline.errors import PresetError
from pipeline.ops.camera import cells_per_second
from pipeline.preset import parse_preset
from pipeline.stages.spec import RunSpec
from pipeline.stages.zoom import Zoom, ZoomConfig
from tests.conftest import SMALL


def preset(zoom: str, **keys: str) -> str:
    text = SMALL.replace("    zoom: 1.5\n    rotate: 20", f"    zoom: {zoom}")
    for key, value in keys.items():
        old = next(line for line in text.splitlines() if line.startswith(f"{key}:"))
        text = text.replace(old, f"{key}: {value}")
    return text


CASES = {
    "slow": (preset("1 + 0.1*sin(t)", fps="1/100000", duration="400f"), "takes a sample"),
    "slow with jumps": (
        preset("{deforum: '0:(1), 5:(1.000001)', fps: 1000}", fps="1/100000", duration="400f"),
        "a sample",
    ),
    "fast and long": (preset("1 + 0.1*noise(t)", fps="1000", duration="100h"), "100000 of 360000000 frames"),
    "many frames": (preset("1 + 0.1*noise(t, 3)", duration="999999999f"), "100000 of 999999999 frames"),
    "endless": (preset("1 + 0.1*noise(t)", duration="endless"), "over its first 10 minutes"),
    "all at once": (preset("1 + 0.1*noise(t)", fps="1/100000", duration="999999999f"), "100000 of 999999999 frames"),
}


@pytest.mark.parametrize("name", CASES)
def test_any_length_and_rate_is_checked_within_bounds(name: str) -> None:
    text, words = CASES[name]
    parse_preset(SMALL)
    tracemalloc.start()
    began = time.process_time()
    found = parse_preset(text)
    seconds, (_, most) = time.process_time() - began, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seconds < 10 and most < 200e6
    assert any(words in note for note in found.notes), found.notes


def test_ordinary_films_are_looked_at_whole() -> None:
    assert parse_preset(SMALL).notes == ()
    assert parse_preset(preset("1 + 0.1*noise(t)", duration="90000f")).notes == ()


def test_heavy_expressions_share_the_time() -> None:
    noises = "+".join(f"noise(t*{number})" for number in range(30))
    stages = "".join(f"  - stage: zoom\n    zoom: 50+{noises}\n    rotate: {noises}\n" for _ in range(20))
    text = SMALL.replace("  - stage: palette\n", stages + "  - stage: palette\n").replace("4f", "90000f")
    began = time.process_time()
    (note,) = parse_preset(text).notes
    assert "of 90000 frames" in note and time.process_time() - began < 20


@pytest.mark.parametrize(("value", "most"), [("({0})", 10), ("(sin(t/({0}%40+1)))", 1)])
def test_schedules_that_are_named_again_and_again_share_a_bound(
    value: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert field.MAX_KEYS_IN_ALL == 10 * 100_000
    monkeypatch.setattr(field, "MAX_KEYS_IN_ALL", 10 * 1000)
    schedule = ", ".join(f"{number}:{value.format(number % 7)}" for number in range(1000))
    text = "duration: 4f\nstages:\n  - {stage: noise}\n  - {stage: zoom, rotate: &a {deforum: '" + schedule + "'}}\n"
    again = "  - {stage: zoom, rotate: *a}\n"
    parse_preset(text + again * (most - 1))
    with pytest.raises(PresetError) as caught:
        parse_preset(text + again * 60)
    first = caught.value.problems[0]
    assert first.path == ("stages", most + 1, "rotate") and "more than 10000 keyframes in all" in first.message


@pytest.mark.parametrize(
    "zoom",
    [
        "{0s: 1, 1h: 1, 1h0m0.04s: 200, 1h0m0.08s: 1, 6h: 1}",
        "{0s: [1, hold], 90001f: [200, hold], 90002f: 1}",
        "{deforum: '0:(1), 90000:(1), 90001:(200), 90002:(1)'}",
    ],
)
def test_keyframes_and_ends_are_looked_at_in_any_film(zoom: str) -> None:
    with pytest.raises(
        PresetError, match=r"stages\[1\]\.zoom: is .* at 3600\.04s \(frame 90001\), must be at most 100"
    ):
        parse_preset(preset(zoom, fps="25", duration="999999999f"))
    with pytest.raises(PresetError, match=r"at 39999999\.92s \(frame 1e\+09\)"):
        parse_preset(preset("1 + 200*floor(f/999999998)", fps="25", duration="999999999f"))


def test_between_keyframes_too() -> None:
    with pytest.raises(PresetError, match=r"zoom: is .* must be at most 100"):  # between two frames of a slow film
        parse_preset(preset("{0s: 1, 3600.5s: 1, 3600.6s: 900, 3600.7s: 1}", fps="1/10", duration="999999f"))


def test_a_sample_has_the_ends_the_marks_and_every_stretch() -> None:
    found = looked_at(10**9, 1000, np.array([5.5, 7e8]))
    assert {0, 5, 6, 7e8, 10**9 - 1} <= set(found.tolist()) and (np.diff(found) > 0).all()
    assert np.diff(found).max() < 2.1 * 10**6
    assert looked_at(10, 10, np.empty(0)).tolist() == list(range(10))


def spec(fps: Fraction, frames: int = 100) -> RunSpec:
    return RunSpec(parse_preset(SMALL).size, fps, frames, 0, torch.device("cpu"))


def test_frames_minutes_apart_have_cameras_too() -> None:
    config = ZoomConfig.model_validate({"id": "zoom", "rotate": "5*sin(t/1000)", "zoom": "1 + 0.00001*sin(t/500)"})
    assert cells_per_second(1 / 24) == cells_per_second(500.0) == 120
    assert 86_400 * cells_per_second(86_400.0) <= 65_536
    # Ten minutes in one step or in six hundred, to the digits that a coarser cut leaves.
    whole = Zoom(config, spec(Fraction(1, 600))).camera(1)
    steps = Zoom(config, spec(Fraction(1), 700))
    way = torch.eye(3, dtype=torch.float64)
    for index in range(1, 601):
        way = way @ steps.camera(index)
    assert torch.allclose(whole, way, rtol=1e-6, atol=1e-6)


def test_ways_to_the_loops_end_take_each_step_once(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "size: 64x48\nfps: 60\nduration: 1400f\ndevice: cpu\nstages:\n  - stage: noise\n"
    text += "  - {stage: zoom, zoom: 1.5 + 0.3*sin(t)}\n  - {stage: loop, over: 5s}\n"
    asked: list[int] = []
    plain = Zoom.camera
    monkeypatch.setattr(Zoom, "camera", lambda self, index: asked.append(index) or plain(self, index))
    with Chain(parse_preset(text)) as chain:
        ways = [chain.camera(index, 1400) for index in range(1101, 1400)]
        assert len(asked) <= 300
        product = torch.eye(3, dtype=torch.float64)
        for index in range(1201, 1401):
            product = product @ plain(chain.effects[0], index)
        assert torch.allclose(ways[1200 - 1101], product, rtol=1e-11, atol=1e-9)
        assert torch.equal(chain.camera(7, 7), torch.eye(3, dtype=torch.float64))
        assert torch.equal(chain.camera(1300, 1400), ways[1300 - 1101])
