"""Curves: what they say at which time, what they refuse, and that nothing else ever comes out of them."""

from __future__ import annotations

import contextlib
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import PydanticKnownError

from pipeline.curves import Clock, CurveError, Deforum, Moments, NameTrack, PerSecond, parse_curve
from pipeline.curves.deforum import parse_schedule

FPS = Fraction(24)


def moment(seconds: float, frames: int | None = 240, seed: int = 3, fps: Fraction = FPS) -> Moments:
    return Clock(fps, frames, seed).at_seconds(np.array([float(seconds)]))


def at(source: Any, seconds: float) -> float:
    return parse_curve(source).at(moment(seconds))


def test_numbers_stay() -> None:
    assert parse_curve(1.5).constant == 1.5 and parse_curve(2).source == 2
    assert at(1.5, 0) == at(1.5, 7) == 1.5


def test_keyframes_run_from_each_to_the_next() -> None:
    keys = {"0s": 1.2, "8s": 2, "12s": 1.2}
    assert [at(keys, t) for t in (0, 4, 8, 12, 99)] == pytest.approx([1.2, 1.6, 2, 1.2, 1.2])
    assert at({"24f": 1, "48f": 3}, 1.5) == 2


@pytest.mark.parametrize(
    ("ease", "quarter", "half"),
    [
        ("linear", 0.25, 0.5),
        ("smooth", 0.15625, 0.5),
        ("ease-in", 0.0625, 0.25),
        ("ease-out", 0.4375, 0.75),
        ("hold", 0, 0),
        ("spline", 0.25, 0.5),
    ],
)
def test_eases(ease: str, quarter: float, half: float) -> None:
    for keys in ({"0s": 0, "4s": 1, "ease": ease}, {"0s": [0, ease], "4s": 1}):
        assert [at(keys, t) for t in (0, 1, 2, 4)] == pytest.approx([0, quarter, half, 1])


def test_splines_have_no_corners() -> None:
    keys = {"0s": 0, "1s": 2, "2s": -1, "4s": 1, "ease": "spline"}
    times = np.linspace(0, 4, 4001)
    values = parse_curve(keys).values(Clock(FPS, None, 0).at_seconds(times))
    assert values[[0, 1000, 2000, 4000]] == pytest.approx([0, 2, -1, 1])
    bend = np.diff(values, 2) / 1e-6
    assert np.abs(np.diff(bend)).max() < 0.05 * np.abs(bend).max()  # the curvature does not jump


@pytest.mark.parametrize(
    ("text", "seconds", "value"),
    [
        ("1.3 + 0.2*sin(2*pi*t/4)", 1.0, 1.5),
        ("f", 2.0, 48),
        ("n + p", 5.0, 240.5),
        ("where(t < 3, 1, 2)", 3.0, 2),
        ("where((t > 1) & (t < 3), 1, 2)", 2.0, 1),
        ("clip(t, 0, 1) + min(4, 2, 3) + max(1, t)", 2.0, 5),
        ("-2**2 + 7 % 4", 0.0, -1),
        ("abs(floor(-0.5)) + sqrt(4) + exp(0) + log(1) + cos(0) + tan(0)", 0.0, 5),
    ],
)
def test_expressions(text: str, seconds: float, value: float) -> None:
    assert at(text, seconds) == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "t.__class__",
        "[t for t in (1,2)]",
        "lambda: 1",
        "'a'*9",
        "t if t else 1",
        "1 < t < 3",
        "sin()",
        "sin(t, t)",
        "sin(x=t)",
        "sin",
        "q",
        "1j",
        "True",
        "t and f",
        "((((((",
        "(" * 240 + ")" * 240,
        "-" * 200 + "t",
        "t+" * 400 + "t",
        "t := 3",
        "",
        " ",
        "1 2",
        "eval('1')",
        "noise",
    ],
)
def test_what_is_no_arithmetic_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_curve(text)


@pytest.mark.parametrize("text", ["1/(t-2)", "log(2-t)", "9**9**9**9", "sqrt(-1)", "1e999", "0/0", "p/0"])
def test_what_has_no_value_names_its_time(text: str) -> None:
    with pytest.raises(CurveError, match=r"2\.00s"):
        at(text, 2.0)


def test_noise_is_smooth_seeded_and_between_its_bounds() -> None:
    times = np.linspace(0, 50, 20001)
    curve = parse_curve("noise(t)")
    values = curve.values(Clock(FPS, None, 3).at_seconds(times))
    assert -1 <= values.min() < -0.6 and 0.6 < values.max() <= 1 and abs(values.mean()) < 0.2
    assert np.abs(np.diff(values)).max() < 0.01  # 2 * 1.875 per second at most
    assert not np.array_equal(values, curve.values(Clock(FPS, None, 4).at_seconds(times)))
    assert at("noise(t, 1)", 0.5) != at("noise(t)", 0.5) == at("noise(t, 0)", 0.5)


@pytest.mark.parametrize(
    "source",
    [
        None,
        True,
        [],
        {},
        {"0s": "x"},
        {"0s": True},
        {"later": 1},
        {"2s": 1, "1s": 2},
        {"0s": [1, 2, 3]},
        {"0s": 1, "ease": "bouncy"},
        {"deforum": 3, "fbs": 1},
        {"deforum": []},
        {"0s": math.inf},
    ],
)
def test_what_is_no_curve_is_refused(source: Any) -> None:
    with pytest.raises(ValueError):
        parse_curve(source)


def test_infinite_numbers_are_refused() -> None:
    for number in (math.inf, -math.inf, math.nan):
        with pytest.raises(PydanticKnownError):
            parse_curve(number)


def test_keyframes_in_frames_and_seconds_are_put_in_order_by_the_frame_rate() -> None:
    curve = parse_curve({"1s": 1, "48f": 2})
    assert curve.problem(moment(0).clock) is None
    assert "out of order" in str(curve.problem(moment(0, fps=Fraction(60)).clock))


def frames_of(text: str, count: int, seed: int = 3) -> list[float]:
    """A schedule's value in each of Deforum's frames."""
    values = Deforum(text, Fraction(15)).values(
        Clock(Fraction(15), count, seed).at_frames(np.arange(count, dtype=float))
    )
    return [float(value) for value in values]


def test_deforum_numbers_run_to_the_next_keyframe_and_expressions_until_it() -> None:
    assert frames_of("0:(1), 4:(3)", 7) == pytest.approx([1, 1.5, 2, 2.5, 3, 3, 3])
    assert frames_of("0:(t*2), 3:(1)", 5) == pytest.approx([0, 2, 4, 1, 1])
    # A number runs to what the expression is worth at its own keyframe.
    assert frames_of("0:(0), 2:(t+2)", 5) == pytest.approx([0, 2, 4, 5, 6])
    assert frames_of("2: (5)", 4) == [5, 5, 5, 5]
    assert frames_of("0:(1), 100:(2)", 4) == [1, 1, 1, 1]  # Deforum never meets that keyframe


def test_deforum_speaks_numexpr() -> None:
    text = "0:(1.0025+0.002*sin(1.25*3.14*t/30)), 3:(where(t>3, arctan2(1, 1), max_f)), 5:(s % 2), 6:((t>1)&(t<7))"
    expected = [1.0025 + 0.002 * math.sin(1.25 * 3.14 * t / 30) for t in range(3)] + [7, math.pi / 4, 1, 1, 0]
    assert frames_of(text, 8) == pytest.approx(expected)
    assert frames_of("0:(1), max_f:(8)", 8) == pytest.approx([1, 2, 3, 4, 5, 6, 7, 8])
    assert frames_of("0:('1'), \"2\":(-.5),", 3) == pytest.approx([1, 0.25, -0.5])


@pytest.mark.parametrize("text", ["", "1.02", "0:(1", "0:1)", "0:(q)", "x:(1)", "0:()", ",", "t:(1)", "0:(1);5:(2)"])
def test_broken_schedules_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Deforum(text)


def test_deforum_zoom_per_frame_is_exact_over_frames() -> None:
    schedule = Deforum("0:(1.02), 10:(1.1)", Fraction(15))
    per_second = PerSecond(schedule, "factor").values(Clock(Fraction(15), 12, 0).at_frames(np.arange(12.0)))
    frames = schedule.values(Clock(Fraction(15), 12, 0).at_frames(np.arange(12.0)))
    assert per_second ** (1 / 15) == pytest.approx(frames, rel=1e-12)
    with pytest.raises(ValueError, match="width: 512"):
        PerSecond(schedule, "pan")


def test_names_cross_fade() -> None:
    track = NameTrack({"0s": "a", "4s": ["b", "hold"], "6s": "a"})
    assert track.names == ("a", "b")
    shares = [track.weights(moment(t))[1] for t in (0, 1, 4, 5.9, 6, 9)]
    assert shares == pytest.approx([0, 0.25, 1, 1, 0, 0])
    for bad in (3, {}, {"0s": 3}, {"0s": ""}, {"x": "a"}):
        with pytest.raises(ValueError):
            NameTrack(bad)


def test_length_matters_where_n_p_or_max_f_stand() -> None:
    ten = Clock(FPS, 10, 0)
    assert parse_curve("p*2").depends_on_length(ten) and parse_curve("n").depends_on_length(ten)
    assert not parse_curve("t + f").depends_on_length(ten)
    assert Deforum("0:(max_f)").depends_on_length(ten)
    assert Deforum("0:(1), 50:(2)").depends_on_length(ten) and not Deforum("0:(1), 5:(2)").depends_on_length(ten)


_WORDS = st.sampled_from(["t", "f", "n", "p", "pi", "1", "0", "2.5", "1e308", "sin(t)", "noise(t)", "where(t<1,2,f)"])
_EXPRESSIONS = st.recursive(
    _WORDS,
    lambda inner: st.builds(
        lambda a, op, b: f"({a}{op}{b})", inner, st.sampled_from(["+", "-", "*", "/", "**", "%", "<", "==", "&"]), inner
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=200)
@given(_EXPRESSIONS, st.floats(0, 1e5), st.integers(0, 2**63 - 1))
def test_any_arithmetic_gives_a_number_or_an_error_of_ours(text: str, seconds: float, seed: int) -> None:
    try:
        value = parse_curve(text).at(moment(seconds, seed=seed))
    except (ValueError, CurveError):
        return
    assert math.isfinite(value)


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=60) | st.text("0123456789:(),.*+-tsinmaxf_ 'where", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (parse_curve, parse_schedule, lambda words: Deforum(words).values(moment(1.0))):
        with contextlib.suppress(ValueError):
            read(text)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 500), st.floats(-5, 5)), min_size=1, max_size=8, unique_by=lambda key: key[0]))
def test_schedules_of_numbers_are_numpys_interpolation(keys: list[tuple[int, float]]) -> None:
    keys.sort()
    text = ", ".join(f"{frame}:({value:.6f})" for frame, value in keys)
    frames, values = [frame for frame, _ in keys], [round(value, 6) for _, value in keys]
    assert frames_of(text, 501) == pytest.approx(np.interp(np.arange(501), frames, values).tolist(), abs=1e-9)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1000), st.floats(-5, 5)), min_size=1, max_size=6, unique_by=lambda key: key[0]),
    st.sampled_from(["linear", "smooth", "ease-in", "ease-out", "hold"]),
    st.floats(0, 120),
)
def test_keyframes_stay_between_their_neighbours(keys: list[tuple[int, float]], ease: str, seconds: float) -> None:
    keys.sort()
    curve = parse_curve({f"{time / 10}s": value for time, value in keys} | {"ease": ease})
    value = curve.at(moment(seconds))
    before = [v for t, v in keys if t / 10 <= seconds][-1:] or [keys[0][1]]
    after = [v for t, v in keys if t / 10 > seconds][:1] or [keys[-1][1]]
    assert min(before + after) - 1e-9 <= value <= max(before + after) + 1e-9
    assert parse_curve(curve.source) == curve
