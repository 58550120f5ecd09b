from __future__ import annotations

from fractions import Fraction

import pytest

from pipeline.frame import Size
from pipeline.times import parse_duration
from pipeline.units import parse_fps, parse_size


@pytest.mark.parametrize(
    ("value", "fps"),
    [
        (24, Fraction(24)),
        (23.976, Fraction(2997, 125)),
        ("30000/1001", Fraction(30000, 1001)),
        ("12.5", Fraction(25, 2)),
    ],
)
def test_fps_is_exact(value: object, fps: Fraction) -> None:
    assert parse_fps(value) == fps


@pytest.mark.parametrize("value", [0, -1, "0/5", "5/0", "abc", True, None, 1e9, "24/", float("nan"), [24]])
def test_bad_fps(value: object) -> None:
    with pytest.raises(ValueError):
        parse_fps(value)


@pytest.mark.parametrize(
    ("text", "frames"),
    [("20s", 480), ("1m30s", 2160), ("600f", 600), ("2.5s", 60), ("1h", 86400), ("0.001s", 1), ("1h1m1s", 87864)],
)
def test_durations(text: str, frames: int) -> None:
    assert parse_duration(text).to_frames(Fraction(24)) == frames


@pytest.mark.parametrize(
    "value", ["", "s", "20", 20, "-3s", "0s", "0f", "1:30", "1.5f", "200h", None, "1s1m", "Endless"]
)
def test_bad_durations(value: object) -> None:
    with pytest.raises(ValueError):
        parse_duration(value)


def test_duration_in_odd_rates_rounds_to_the_nearest_frame() -> None:
    assert parse_duration("10s").to_frames(Fraction(30000, 1001)) == 300


def test_sizes() -> None:
    assert parse_size("1280x720") == Size(720, 1280)
    assert str(parse_size("1280 X 720")) == "1280x720"
    for bad in ("1280", "1280*720", "8x8", "20000x20000", 5, None, "-16x16"):
        with pytest.raises(ValueError):
            parse_size(bad)


def test_endless_has_no_length() -> None:
    assert parse_duration("endless").to_frames(Fraction(24)) is None
