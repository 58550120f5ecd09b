"""Values that take turns: by seconds, frames, beats and sections, at once or blending, alike at every frame rate."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.curves import Clock, NameTrack, parse_curve
from pipeline.errors import PresetError
from pipeline.frame import Size
from pipeline.listen.song import Pace, heard
from pipeline.listen.spectra import spectra
from pipeline.preset import parse_preset
from pipeline.signals import Signals
from pipeline.stages import RunSpec
from pipeline.stages.zoom import Zoom, ZoomConfig
from tests.songs import band, steady, write_song

BEATS = steady(120, 12.0, first=0.5)
PRESET = """
HEAD
size: 128x96
fps: 8
duration: 2s
stages:
  - stage: noise
  - {stage: zoom, zoom: ZOOM}
  - {stage: dream, octaves: 1, DREAM}
"""


@pytest.fixture(scope="module")
def song() -> Signals:
    found = heard("song", spectra([band(BEATS, 12.0)]), {}, Pace(120, 120, first_beat=0.5))
    return Signals(**{**found.__dict__, "sections": np.array([0.0, 4.5, 8.5])})


def at(song: Signals | None = None, fps: int = 24) -> Clock:
    return Clock(Fraction(fps), fps * 12, 0, song)


def numbers(source: object, clock: Clock, seconds: list[float]) -> list[float]:
    found: list[float] = parse_curve(source).values(clock.at_seconds(np.array(seconds))).tolist()
    return found


def test_numbers_change_at_once_and_go_round() -> None:
    source = {"every": "2s", "of": [1, 5, 9]}
    assert numbers(source, at(), [-1, 0, 1.99, 2, 3.99, 4, 6, 11.9]) == [1, 1, 1, 5, 5, 9, 1, 9]
    assert numbers({"every": "48f", "of": [1, 5]}, at(), [1.99, 2.0]) == [1, 5]


def test_a_blend_is_the_last_share_of_a_turn_and_never_jumps() -> None:
    source = {"every": "2s", "of": [0, 1], "blend": 0.5}
    assert numbers(source, at(), [0, 1, 1.5, 2, 3, 3.5, 4]) == pytest.approx([0, 0, 0.5, 1, 1, 0.5, 0])
    fine = numbers(source, at(), np.linspace(0, 12, 5000).tolist())
    assert np.abs(np.diff(fine)).max() < 0.01


def test_they_change_on_the_beats_and_with_the_sections(song: Signals) -> None:
    beats = {"every": "4b", "of": [1, 2]}  # beat 0 is at 0.5 s, beat 4 at 2.5 s
    assert numbers(beats, at(song), [0, 0.5, 2.49, 2.51, 4.51]) == [1, 1, 1, 2, 1]
    sections = {"every": "section", "of": [1, 2, 3]}
    assert numbers(sections, at(song), [0, 4.49, 4.51, 8.51, 30]) == [1, 1, 2, 3, 3]
    blended = {"every": "section", "of": [0, 1, 2], "blend": 0.5}
    assert numbers(blended, at(song), [2.2, 4.5, 30]) == pytest.approx([0, 1, 2])


@pytest.mark.parametrize("every", ["1.7s", "40f", "3b", "section"])
def test_its_breaks_are_where_it_changes(song: Signals, every: str) -> None:
    curve = parse_curve({"every": every, "of": [1, 2, 4]})
    clock = at(song)
    breaks = curve.breaks(0.2, 10.9, clock)
    fine = np.linspace(0.2, 10.9, 107001)
    seen = curve.values(clock.at_seconds(fine))
    jumps = fine[1:][np.diff(seen) != 0]
    assert len(jumps) >= 2
    for jump in jumps:
        assert np.abs(breaks - jump).min() < 2e-4


def test_names_take_turns_as_numbers_do(song: Signals) -> None:
    track = NameTrack({"every": "section", "of": ["a", "b", "a"], "blend": 0.1})
    assert track.names == ("a", "b")
    clock = at(song)
    assert [track.weights(clock.at_seconds(np.array([when]))) for when in (1.0, 5.0, 9.0)] == [(1, 0), (0, 1), (1, 0)]


def test_a_zoom_that_takes_turns_goes_as_far_at_every_frame_rate(song: Signals) -> None:
    for source in ({"every": "0.71s", "of": [1.5, 0.8]}, {"every": "1b", "of": [1.1, 2], "blend": 0.3}):
        config = ZoomConfig.model_validate({"id": "zoom", "zoom": source})
        gone = []
        for fps in (7, 24, 60):
            spec = RunSpec(Size(108, 192), Fraction(fps), 3 * fps, 5, torch.device("cpu"), signals=song)
            gone.append(Zoom(config, spec).way(3 * fps))
        assert torch.allclose(gone[0], gone[1], atol=1e-6) and torch.allclose(gone[1], gone[2], atol=1e-6)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("ZOOM", "{every: 4s}", "needs `of`: a list of 2 to 1000"),
        ("ZOOM", "{every: 4s, of: [1]}", "needs `of`: a list of 2 to 1000"),
        ("ZOOM", "{every: 4s, of: [1, two]}", "'two' in `of` is no finite number"),
        ("ZOOM", "{every: 4s, of: [1, 2], blend: 2}", "blend is 2, must be a share of a turn, 0 to 1"),
        ("ZOOM", "{every: 4s, of: [1, 2], ease: smooth}", "'ease' does not stand beside `every`"),
        ("ZOOM", "{every: 0s, of: [1, 2]}", "a turn must be longer than nothing"),
        ("ZOOM", "{every: often, of: [1, 2]}", "'often' is no turn; one lasts such as 4s"),
        ("ZOOM", "{every: 4b, of: [1, 2]}", "zoom: counts beats, and the preset listens to no song"),
        ("ZOOM", "{every: section, of: [1, 2]}", "zoom: changes with every section, and the preset listens to no song"),
        ("ZOOM", "{every: 1s, of: [1, 2000]}", "zoom: is 2000"),
        ("DREAM", "layer: {every: 4b, of: [blocks.2.1, blocks.4.1]}", "layer: counts beats, and the preset listens"),
        ("DREAM", "objective: {journey: [palace, castle], life: section}", r"objective\[0\].life: changes with every"),
    ],
)
def test_mistakes_are_told_with_their_place(key: str, value: str, said: str) -> None:
    text = PRESET.replace("HEAD", "").replace(key, value).replace("ZOOM", "1.1").replace("DREAM", "steps: 1")
    with pytest.raises(PresetError, match=said):
        parse_preset(text)


def test_a_preset_keeps_them_as_they_were_written(tmp_path: Path) -> None:
    song = write_song(tmp_path / "song.wav", band(BEATS, 12.0))
    text = PRESET.replace("HEAD", f"listen: {{path: {song}, bpm: 120}}")
    text = text.replace("ZOOM", "{every: 2b, of: [1.1, 1.2], blend: 0.5}")
    text = text.replace("DREAM", "objective: {journey: [palace, castle], life: 4b, blend: 0.1}")
    read = parse_preset(text)
    assert parse_preset(read.to_yaml()).resolved() == read.resolved()
