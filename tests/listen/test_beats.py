"""Tempo and beats of songs that were made, so that the truth is known."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.listen.song import Pace, heard
from pipeline.listen.spectra import spectra
from pipeline.signals import Signals
from tests.songs import RATE, Samples, Times, agreement, band, clicks, drifting, steady

SECONDS = 60.0


def listened(song: Samples, pace: Pace | None = None) -> Signals:
    return heard("", spectra([song]), {}, Pace() if pace is None else pace)


def silent_first(song: Samples) -> Samples:
    song[: 10 * RATE] = 0
    return song


def faded_in(song: Samples) -> Samples:
    return song * np.minimum(1, np.arange(len(song), dtype=np.float32) / (30 * RATE))


SONGS: dict[str, tuple[float, Callable[[Times], Samples], Times]] = {
    **{f"clicks at {bpm}": (bpm, lambda beats: clicks(beats, SECONDS), steady(bpm, SECONDS)) for bpm in (72, 120)},
    **{
        f"a band at {bpm}": (bpm, lambda beats: band(beats, SECONDS), steady(bpm, SECONDS))
        for bpm in (72, 97, 120, 174)
    },
    "swung": (110, lambda beats: band(beats, SECONDS, swing=0.66), steady(110, SECONDS)),
    "in three": (100, lambda beats: band(beats, SECONDS, meter=3), steady(100, SECONDS)),
    "by people": (
        110,
        lambda beats: band(beats, SECONDS),
        steady(110, SECONDS) + np.random.default_rng(5).normal(0, 0.008, len(steady(110, SECONDS))),
    ),
    "after silence": (120, lambda beats: silent_first(band(beats, SECONDS)), steady(120, SECONDS, first=10.2)),
    "faded in": (97, lambda beats: faded_in(band(beats, SECONDS)), steady(97, SECONDS)),
    "clipped": (97, lambda beats: np.clip(4 * band(beats, SECONDS), -0.5, 0.5), steady(97, SECONDS)),
}


@pytest.mark.parametrize("name", SONGS)
def test_the_tempo_is_found_or_its_octave_is_guessed(name: str) -> None:
    bpm, make, beats = SONGS[name]
    found = listened(make(beats))
    assert min(abs(guess / bpm - 1) for guess in (found.bpm, *found.guesses)) < 0.001
    if abs(found.bpm / bpm - 1) < 0.01:
        score, error = agreement(found.beats, beats)
        assert score >= 0.99 and abs(error) < 0.01 and found.steady


@pytest.mark.parametrize("name", SONGS)
@pytest.mark.parametrize("share", [0.0, 0.25])
def test_a_told_tempo_or_range_wins(name: str, share: float) -> None:
    bpm, make, beats = SONGS[name]
    found = listened(make(beats), Pace(bpm * (1 - share), bpm * (1 + share)))
    score, error = agreement(found.beats, beats)
    assert score == 1 and abs(error) < 0.01
    assert found.bpm == pytest.approx(bpm, rel=1e-6 if share == 0 else 1e-3)


def test_a_tempo_that_drifts_is_followed() -> None:
    beats = drifting(97, 109, SECONDS)
    found = listened(band(beats, SECONDS))
    score, error = agreement(found.beats, beats)
    assert score >= 0.95 and abs(error) < 0.01 and not found.steady


def test_the_first_beat_of_a_bar_may_be_told() -> None:
    beats = steady(120, 20)
    found = listened(band(beats, 20), Pace(120, 120, first_beat=0.87, meter=3))
    assert found.beats[0] == 0.87 and found.beats[1] == pytest.approx(1.37)
    assert found.value("bar", np.array([0.87 + 1.5])) == pytest.approx(1)


def test_a_song_that_begins_on_its_first_beat_has_one_there() -> None:
    found = listened(band(steady(96, 20, first=0.0), 20))
    assert found.beats[0] == pytest.approx(0, abs=0.012)


@pytest.mark.parametrize("song", [np.zeros(0), np.zeros(5 * RATE), np.full(RATE, 0.5), clicks(np.array([0.2]), 1.0)])
def test_what_has_no_beat_says_so_or_ends_well(song: Samples) -> None:
    found = listened(song.astype(np.float32))
    assert found.seconds == pytest.approx(len(song) / RATE, abs=0.011)
    moments = np.array([0.0, 0.5, 100.0])
    for name in ("beat", "bar", "since_beat", "since_onset", "section", "loud", "kick"):
        assert np.isfinite(found.value(name, moments)).all()


def test_sections_begin_where_the_song_changes_and_nowhere_else() -> None:
    beats = steady(120, 60, first=0.0)
    changing = band(beats, 60)
    changing[: 24 * RATE] *= 0.02
    changing[: 24 * RATE] += np.sin(np.arange(24 * RATE) / RATE * 2 * np.pi * 220).astype(np.float32) * 0.3
    assert listened(changing).sections == pytest.approx([0, 24], abs=0.6)
    assert listened(band(beats, 60)).sections.tolist() == [0]
