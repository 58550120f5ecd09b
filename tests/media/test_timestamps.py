"""What packets say, in every kind of wrong, becomes rising times that keep to what is right in it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest

from pipeline.media.rate import rate_of
from pipeline.media.timeline import UNSAID, Packets, Timeline
from pipeline.media.timestamps import Header, timeline

NONE = None
PACE = 40  # milliseconds


def said(times: Sequence[int | None]) -> np.ndarray:
    return np.array([UNSAID if time is None else time for time in times], np.int64)


def found(
    pts: Sequence[int | None],
    dts: Sequence[int | None] | None = None,
    *,
    durations: int = PACE,
    rates: tuple[Fraction | None, ...] = (Fraction(25),),
    end: Fraction | None = None,
    jumps: bool = False,
    animation: bool = False,
) -> Timeline:
    count = len(pts)
    every = np.ones(count, bool)
    packets = Packets(
        said(pts), said(pts if dts is None else dts), said([durations] * count), said([100] * count), every, every
    )
    return timeline(packets, Header(Fraction(1, 1000), rates, end, jumps, animation))


def milliseconds(line: Timeline) -> list[float]:
    times = [line.time(number) for number in range(len(line.times))]
    assert len(set(times)) == len(times)
    return [float(time * 1000) for time in times if time is not None]


EVEN = [n * PACE for n in range(20)]


def test_what_is_right_is_left_alone() -> None:
    reordered = [0, 160, 80, 40, 120, 320, 240, 200, 280]
    line = found(reordered, [-80, -40, 0, 40, 80, 120, 160, 200, 240])
    assert milliseconds(line) == reordered and not line.notes
    assert (line.fps, line.begin, line.end) == (25, 0, Fraction(360, 1000))


def test_pauses_of_a_variable_rate_are_kept() -> None:
    times = [0, 40, 80, 9000, 9040, 60_000, 60_040]
    line = found(times)
    assert milliseconds(line) == times and [note for note in line.notes if "variable frame rate" in note]


@pytest.mark.parametrize(
    ("pts", "dts"),
    [
        ([0, 40, NONE, 120, 160, NONE, NONE, 280], None),
        ([NONE, 40, 80, 120, 160, 200, 240, 280], None),
        ([0, 40, 80, 120, 160, 200, NONE, NONE], None),
        ([0, NONE, NONE, NONE, NONE, NONE, NONE, NONE], EVEN[:8]),
        ([NONE] * 8, EVEN[:8]),
        ([NONE] * 8, [NONE, NONE, *EVEN[2:8]]),
    ],
)
def test_missing_times_lie_between_their_neighbours(pts: list[int | None], dts: list[int | None] | None) -> None:
    line = found(pts, dts)
    assert milliseconds(line) == EVEN[:8] and "no timestamp" in line.notes[0]


@pytest.mark.parametrize("pts", [[NONE] * 10, [7] * 10, [NONE] * 9 + [5], [NONE], [3]])
def test_pictures_without_times_come_one_after_the_other(pts: list[int | None]) -> None:
    line = found(pts, rates=(None, Fraction(10)))
    assert line.end - line.begin == pytest.approx(Fraction(len(pts), 10) if len(pts) > 1 else line.last)
    assert sorted(milliseconds(line)) == milliseconds(line)


@pytest.mark.parametrize("wrong", [-99_999, 0, 5000, 2**40, 2**51])
def test_a_time_that_strays_is_put_back(wrong: int) -> None:
    times = [1000 + time for time in EVEN]
    line = found([*times[:9], wrong, *times[10:]])
    assert milliseconds(line) == times and "1 timestamp is out of order" in line.notes[0]


@pytest.mark.parametrize("wrong", [2**40, 2**51])
def test_a_last_time_that_strays_does_not_make_an_endless_film(wrong: int) -> None:
    assert milliseconds(found([*EVEN[:19], wrong])) == EVEN


@pytest.mark.parametrize("back", [0, 7, 700, -9999])
def test_a_clock_that_begins_anew_goes_on(back: int) -> None:
    line = found([*(1000 + n for n in EVEN), *(back + n for n in EVEN)])
    expected = [1000 + n * PACE for n in range(40)]
    if back == 700:  # the parts may overlap too
        assert milliseconds(line)[-1] == expected[-1]
    assert milliseconds(line) == expected and "start over in the middle" in line.notes[0]


def test_a_clock_that_leaps_ahead_does_so_only_in_streams_or_beyond_reason() -> None:
    times = [*EVEN, *(20_000 + n for n in EVEN)]
    assert milliseconds(found(times)) == times
    assert milliseconds(found(times, jumps=True)) == [n * PACE for n in range(40)]
    assert milliseconds(found([*EVEN, *(10**10 + n for n in EVEN)])) == [n * PACE for n in range(40)]


def test_a_clock_of_33_bits_that_wraps_goes_on() -> None:
    times = [(2**33 - 10 * PACE + n) % 2**33 for n in EVEN]
    line = found(times, jumps=True)
    assert np.diff(milliseconds(line)).tolist() == [PACE] * 19


def test_parts_of_reordered_pictures_stay_in_order() -> None:
    pts, dts = [80, 240, 160, 120, 200], [0, 40, 80, 120, 160]
    assert sorted(milliseconds(found(pts * 3, dts * 3))) == [80 + n * PACE for n in range(15)]


def test_pictures_that_share_a_time_share_the_room() -> None:
    assert milliseconds(found([0, 0, 40, 40, 80, 80])) == [0, 20, 40, 60, 80, 100]
    assert milliseconds(found([0, 40, 80, 80, 120])) == [0, 40, 80, 100, 120]


def test_pictures_that_a_copy_moved_by_a_tick_get_their_room_back() -> None:
    times = [n * 1000 * PACE for n in range(10)]
    clamped = [*times, *(times[-1] + n for n in range(1, 11))]
    packets = Packets(*(said(numbers) for numbers in (clamped, clamped, [0] * 20, [9] * 20)), *[np.ones(20, bool)] * 2)
    line = timeline(packets, Header(Fraction(1, 10**6), (Fraction(25),), None, False, False))
    assert milliseconds(line) == EVEN and line.fps == 25


def test_a_second_half_that_gives_times_of_showing_for_those_of_reading() -> None:
    pts = [0, 160, 80, 40, 120, 320, 240, 200, 280, 480, 400, 360, 440, 640, 560, 520, 600, 800, 720, 680, 760]
    line = found(pts * 2, [n * PACE - 80 for n in range(21)] + pts)
    assert sorted(milliseconds(line)) == [n * PACE for n in range(42)] and line.fps == 25


def test_animations_without_delays_are_shown_as_browsers_do() -> None:
    line = found([0, 10, 20, 70, 70], durations=10, animation=True, rates=(Fraction(100),))
    assert milliseconds(line) == [0, 100, 200, 250, 350] and line.end == Fraction(45, 100)


@pytest.mark.parametrize(
    ("end", "words"),
    [(Fraction(4, 5), None), (Fraction(1, 5), "runs 0.60s longer"), (Fraction(2), "ends 1.20s earlier")],
)
def test_headers_are_hints_in_both_directions(end: Fraction, words: str | None) -> None:
    line = found(EVEN, end=end)
    assert line.end == Fraction(4, 5)
    assert not line.notes if words is None else words in line.notes[0]


def rate(seconds: Sequence[float], *stated: float | None, exact: bool = False) -> Fraction:
    return rate_of(np.array(seconds), [None if s is None else Fraction(s) for s in stated], exact=exact)


def test_a_clock_is_not_a_rate() -> None:
    thirty = [round(n / 30, 3) for n in range(90)]
    noise = np.random.default_rng(1).uniform(-0.012, 0.012, 90)
    for stated in (1000.0, 90000.0, 500.0, None, 0.0, 12800.0):
        assert rate(thirty, stated) == 30
        assert rate(np.sort(thirty + noise), stated) == 30
    assert rate([0, 0.1], 100.0) == 10


def test_a_rate_that_leaves_pictures_out_is_too_low() -> None:
    assert rate([n / 50 for n in range(90)], 25.0) == 50
    assert rate([0, 0.02, 0.52, 0.54, 1.04], 2.0, exact=True) >= 48


def test_true_rates_are_believed() -> None:
    assert rate([n / 240 for n in range(240)], 240.0) == 240
    assert rate([n / 4 for n in range(10)], 25.0) == 25, "each picture held for several frames"
    assert rate([n * 1.001 / 30 for n in range(300)], 30000 / 1001) == Fraction(30000, 1001)
    assert "240 pictures a second" in found([round(n * 25 / 6) for n in range(99)], rates=(Fraction(240),)).notes[0]
