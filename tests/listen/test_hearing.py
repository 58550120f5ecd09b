"""Songs in files of every kind are heard alike, and what was heard is remembered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import MediaError
from pipeline.listen import ListenConfig, content_digest, hear, read_signals, song_of, write_signals
from pipeline.signals import LEVELS, Signals
from tests.songs import agreement, band, steady, write_song

SECONDS, BEATS = 20.0, steady(97, 20.0)
KINDS = {
    "song.wav": (),
    "song.mp3": ("-b:a", "192k"),
    "song.m4a": (),
    "song.opus": ("-c:a", "libopus"),
    "song.flac": (),
    "low.wav": ("-ar", "8000"),
    "surround.wav": ("-ar", "48000", "-af", "pan=5.1|FL=c0|FR=c0|FC=0.3*c0|LFE=0.2*c0|BL=0.1*c0|BR=0.1*c0"),
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def listen(path: Path, **keys: object) -> Signals:
    config = ListenConfig.model_validate({"path": str(path), **keys})
    return hear(config, song_of(config))


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_file_is_heard_at_the_right_time(name: str, tmp_path: Path) -> None:
    found = listen(write_song(tmp_path / name, band(BEATS, SECONDS), *KINDS[name]))
    score, error = agreement(found.beats, BEATS)
    assert found.bpm == pytest.approx(97, rel=0.001) and score == 1 and abs(error) < 0.005
    assert found.seconds == pytest.approx(SECONDS, abs=0.05)


def test_part_of_a_song_is_heard_from_there(tmp_path: Path) -> None:
    found = listen(write_song(tmp_path / "song.mp3", band(BEATS, SECONDS)), start="5s")
    score, error = agreement(found.beats, BEATS[BEATS >= 5] - 5)
    assert score == 1 and abs(error) < 0.005 and found.seconds == pytest.approx(SECONDS - 5, abs=0.05)


def test_what_was_heard_is_remembered_and_reads_back_the_same(tmp_path: Path, cache: Path) -> None:
    song = write_song(tmp_path / "song.wav", band(BEATS, SECONDS))
    drums = write_song(tmp_path / "drums.wav", band(BEATS, SECONDS, swing=0.6))
    found = listen(song, stems={"drums": str(drums)})
    assert len(list((cache / "dreamreel/heard").iterdir())) == 1
    write_signals(found, tmp_path / "kept")
    again = read_signals(tmp_path / "kept")
    assert content_digest(again) == content_digest(found) and again == found
    moments = np.linspace(-1, 30, 500)
    for stem in (None, "drums"):
        for name in LEVELS:
            assert np.array_equal(again.value(name, moments, stem), found.value(name, moments, stem))
    assert listen(song).digest != found.digest != listen(song, stems={"drums": str(drums)}, bpm=97).digest


def test_other_files_are_no_memory(tmp_path: Path) -> None:
    (tmp_path / "kept").write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    with pytest.raises(ValueError, match="is not what dreamreel heard"):
        read_signals(tmp_path / "kept")


def test_a_file_without_sound_is_refused(tmp_path: Path) -> None:
    (tmp_path / "song.mp3").write_bytes(b"no song" * 100)
    with pytest.raises(MediaError, match="can't read"):
        listen(tmp_path / "song.mp3")
    with pytest.raises(MediaError, match="No such file"):
        listen(tmp_path / "none.mp3")


def test_all_levels_lie_between_0_and_1_and_drums_hit_on_their_beats(tmp_path: Path) -> None:
    found = listen(write_song(tmp_path / "song.wav", band(BEATS, SECONDS)))
    moments = np.arange(0, SECONDS, 0.01)
    for name in LEVELS:
        values = found.value(name, moments)
        assert values.min() >= 0 and values.max() <= 1 and values.std() > 0.05
    kicks, snares = BEATS[::2], BEATS[1::2]
    assert found.value("kick", kicks + 0.02).mean() > 2 * found.value("kick", snares + 0.02).mean() > 0
    assert found.value("snare", snares + 0.02).min() > 0.6
    assert found.value("since_beat", BEATS + 0.05) == pytest.approx(0.05, abs=0.01)
    assert found.value("since_onset", BEATS + 0.05) == pytest.approx(0.05, abs=0.02)
    assert found.value("beat", BEATS) == pytest.approx(np.arange(len(BEATS)), abs=0.02)


def test_bands_and_pitches_are_told_apart(tmp_path: Path) -> None:
    t = np.arange(10 * 44_100) / 44_100
    low, high = (0.3 * np.sin(2 * np.pi * hertz * t) * gate for hertz, gate in ((110.0, t < 5), (261.63, t >= 5)))
    found = listen(write_song(tmp_path / "song.wav", (low + high).astype(np.float32)))
    first, second = np.array([2.5]), np.array([7.5])
    assert found.band(80, 140, first) > 0.9 > 0.1 > found.band(80, 140, second)
    assert found.chroma(9, first) > 0.9 > 0.1 > found.chroma(9, second)  # A
    assert found.chroma(0, second) > 0.9 > 0.1 > found.chroma(0, first)  # C
