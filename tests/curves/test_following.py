"""Numbers that follow a song: names, filters and waves in expressions, times in beats, and what is said without one."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from pipeline.curves import Clock, parse_curve
from pipeline.curves.shapers import decay, lag, smooth
from pipeline.listen.song import Pace, heard
from pipeline.listen.spectra import spectra
from pipeline.signals import Signals
from pipeline.times import parse_duration, parse_span
from tests.songs import band, steady

BEATS = steady(120, 20.0, first=0.5)


@pytest.fixture(scope="module")
def song() -> Signals:
    sound = spectra([band(BEATS, 20.0)])
    return heard("song", sound, {"drums": sound}, Pace(120, 120, first_beat=0.5))


def clock(song: Signals | None, fps: int = 24, seconds: int = 20) -> Clock:
    return Clock(Fraction(fps), fps * seconds, 0, song)


def values(text: object, at: Clock, seconds: list[float]) -> list[float]:
    curve = parse_curve(text)
    assert curve.problem(at) is None
    found: list[float] = curve.values(at.at_seconds(np.array(seconds))).tolist()
    return found


def test_beats_are_counted_and_bars(song: Signals) -> None:
    at = clock(song)
    assert values("beat", at, [0.0, 0.5, 0.75, 10.5]) == pytest.approx([-1, 0, 0.5, 20])
    assert values("bar", at, [0.5, 2.5, 30.5]) == pytest.approx([0, 1, 15])
    assert values("beat % 4 < 1", at, [0.6, 1.1, 2.6]) == [1, 0, 1]
    assert values("since_beat", at, [0.6, 1.1]) == pytest.approx([0.1, 0.1])


def test_stems_and_samplers_are_heard(song: Signals) -> None:
    at, moments = clock(song), list(np.arange(0, 20, 0.1))
    assert values("drums.kick", at, moments) == values("kick", at, moments)
    assert values("drums.band(60, 120)", at, moments) == values("band(60, 120)", at, moments)
    assert max(values("chroma(9) + loud + section", at, moments)) > 0.5


@pytest.mark.parametrize(
    "text", ["decay(kick, 0.2)", "lag(loud, 0.05, 0.4)", "smooth(snare, 0.3)", "decay(beat % 1 < 0.1, 0.1)"]
)
def test_a_filter_sees_the_same_at_every_frame_rate_and_length(song: Signals, text: str) -> None:
    moments = [0.25, 1.0, 3.75, 9.5]
    found = values(text, clock(song), moments)
    assert found == values(text, clock(song, fps=60), moments) == values(text, clock(song, seconds=10), moments)
    assert len(set(found)) > 1


def test_filters_do_what_they_are_called() -> None:
    hit = np.zeros(300)
    hit[100] = 1
    assert decay(hit, 0.5)[[99, 100, 150, 200]] == pytest.approx([0, 1, 0.5, 0.25])
    step = np.repeat([0.0, 1.0, 0.0], 100)
    assert lag(step, 0.1, 0.2)[[99, 109, 199, 219]] == pytest.approx([0, 0.5, 1, 0.5], abs=0.04)
    around = smooth(hit, 0.4)
    assert around.argmax() == 100 and around.sum() == pytest.approx(1) and around[:79].max() < 1e-12


def test_waves_of_a_count() -> None:
    at = clock(None)
    assert values("saw(t)", at, [0.0, 0.25, 1.5]) == [0, 0.25, 0.5]
    assert values("tri(t)", at, [0.0, 0.25, 0.5, 0.75]) == [0, 0.5, 1, 0.5]
    assert values("square(t)", at, [0.25, 0.75]) == [1, 0]
    assert values("pulse(t / 2, 0.1)", at, [0.1, 0.3, 2.1]) == [1, 0, 1]


def test_times_may_be_beats(song: Signals) -> None:
    at = clock(song)
    assert values({"0b": 1, "2b": 3}, at, [0.5, 1.0, 1.5]) == pytest.approx([1, 2, 3])
    assert str(parse_duration("8b", song)) == "4.5s" and str(parse_span("4b", song)) == "2s"
    for parse in (parse_duration, parse_span):
        with pytest.raises(ValueError, match="counts beats, and the preset listens to none"):
            parse("8b")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kick", "follows kick, and the preset listens to no song; name one with `listen: song.flac`"),
        ("bass.loud", "follows bass.loud, and the preset listens"),
        ({"0b": 1, "4b": 2}, "has times in beats, and the preset listens"),
    ],
)
def test_without_a_song_that_is_said(text: object, said: str) -> None:
    assert str(parse_curve(text).problem(clock(None))).startswith(said)


def test_an_unknown_stem_and_a_song_without_beats_are_told(song: Signals) -> None:
    silent = heard("silent", spectra([np.zeros(44_100, np.float32)]), {}, Pace())
    assert "`listen` has no such stem; there are drums" in str(parse_curve("bass.loud").problem(clock(song)))
    assert "no such stem; name it there" in str(parse_curve("bass.loud").problem(clock(silent)))
    assert "no beats were found" in str(parse_curve("beat").problem(clock(silent)))
    assert parse_curve("loud").problem(clock(silent)) is None
    assert "with an end" in str(parse_curve("decay(t, 1)").problem(Clock(Fraction(24), None, 0)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("band(120, 60)", "rising"),
        ("band(60)", "band takes 2 plain numbers"),
        ("chroma(12)", "from 0 .C. to 11 .B."),
        ("decay(kick)", "decay takes 1 plain number of at least 0, in seconds"),
        ("decay(kick, t)", "decay takes 1 plain number"),
        ("kick.loud.x", "has no place"),
        ("kik", "'kik' is unknown; .*of a song .`listen:`., beat, bar"),
        ("drums.beat", "has no place"),
    ],
)
def test_what_can_not_be_read_is_told(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_curve(text)
