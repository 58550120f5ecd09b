"""A preset that listens: how long it is, what it sounds like, and what is wrong with it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from pipeline.errors import PresetError
from pipeline.preset import Preset, load_preset, parse_preset
from tests.clips import real_film
from tests.songs import band, steady, write_song

STAGES = """
size: 64x48
fps: 24
stages:
  - {stage: noise}
  - {stage: zoom, zoom: "1.1 + 0.2 * kick"}
"""


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_song(tmp_path_factory.mktemp("song") / "song.mp3", band(steady(120, 8.0, first=0.5), 8.0))


def parsed(listen: str, stages: str = STAGES) -> Preset:
    return parse_preset(f"listen: {listen}{stages}")


def test_the_film_is_as_long_as_its_song_and_carries_it(song: Path) -> None:
    preset = parsed(str(song))
    assert preset.audio == "song" and float(preset.duration.to_seconds(Fraction(24)) or 0) == pytest.approx(8, abs=0.05)
    sound = preset.soundtrack()
    assert sound is not None and sound.path == song
    part = parsed(f"{{path: {song}, start: 2s, end: 5s}}")
    assert part.duration.to_seconds(Fraction(24)) == 3
    assert part.spec().signals is not None and parsed(str(song), STAGES + "audio: none\n").soundtrack() is None


def test_lengths_in_beats_are_written_out_in_seconds(song: Path, tmp_path: Path) -> None:
    preset = parsed(f"{{path: {song}, bpm: 120, first_beat: 0.5s}}", STAGES + "duration: 8b\nlead_in: 2b\n")
    assert (str(preset.duration), str(preset.lead_in)) == ("4.5s", "1s")
    (tmp_path / "again.yaml").write_text(preset.to_yaml())
    assert load_preset(tmp_path / "again.yaml").resolved() == {**preset.resolved(), "name": preset.name}


def test_a_song_is_an_input_by_its_key_as_are_its_stems(song: Path) -> None:
    preset = parsed(f"{{path: {song}, stems: {{drums: {song}}}}}")
    assert {"listen.path", "listen.stems.drums"} <= preset.inputs().keys()


def test_footage_dances_to_its_own_sound() -> None:
    film = real_film("bigbuckbunny")
    stages = f"\nstages:\n  - {{stage: video, path: {film}}}\n  - {{stage: tone, gamma: '1 + 0.2 * loud'}}\n"
    preset = parsed("source", stages)
    sound = preset.soundtrack()
    assert sound is not None and sound.path == film and preset.spec().signals is not None
    with pytest.raises(PresetError, match="listen: is source, and the source has no sound; name a file with sound"):
        parsed("source")


@pytest.mark.parametrize(
    ("listen", "said"),
    [
        ("nothing.mp3", "listen: can't read .*nothing.mp3: No such file"),
        ("{path: SONG, bpm: fast}", "listen.bpm: is 'fast': must be auto, a tempo such as 120, or a range"),
        ("{path: SONG, bpm: 20}", "from 40 to 240 beats a minute"),
        ("{path: SONG, first_beat: 8f}", "of a song, times are seconds, such as 0.37s, not frames or beats"),
        ("{path: SONG, start: 4b}", "of a song, times are seconds"),
        ("{path: SONG, tempo: 120}", "listen.tempo: unknown key 'tempo'"),
        ("{path: SONG, stems: {Drums: SONG}}", "listen.stems"),
        ("{path: SONG, start: 5s, end: 2s}", "ends at 2s, which is not after its start at 5s"),
        ("{path: source, start: 5s}", "leave out `start` and `end`"),
        ("7", "listen: is 7"),
    ],
)
def test_what_is_wrong_is_told_once_with_its_line(song: Path, listen: str, said: str) -> None:
    with pytest.raises(PresetError, match=said) as caught:
        parsed(listen.replace("SONG", str(song)))
    assert len(caught.value.problems) == 1 and "preset:1" in str(caught.value)
