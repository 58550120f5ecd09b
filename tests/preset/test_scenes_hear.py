"""Films of scenes that listen to one song: what each scene hears, and what is counted from where."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pipeline.curves import Clock, Curve, curves_of, parse_curve
from pipeline.errors import PresetError
from pipeline.preset import Preset, load_preset, parse_preset
from pipeline.preset.plot import panels
from pipeline.times import Array
from tests.films import SONG

LISTEN = f"listen: {{path: {SONG}, start: 10s, bpm: 96}}\n"
TOP = f"size: 64x48\nfps: 24\n{LISTEN}"
BEAT = 0.625


def stages(punch: object) -> str:
    return f"stages: [{{stage: noise}}, {{stage: zoom, zoom: 1.1, punch: {punch}}}]"


def film(text: str, top: str = TOP) -> Preset:
    return parse_preset(top + text, name="film.yaml")


def two(punch: str, second: str = "duration: 8b, fade: 2b", top: str = TOP) -> Preset:
    first, other = (f"  - {{{lengths}, {stages(punch)}}}\n" for lengths in ("duration: 8b", second))
    return film(f"scenes:\n{first}{other}", top)


def refused(text: str, top: str = TOP) -> str:
    with pytest.raises(PresetError) as caught:
        film(text, top)
    return str(caught.value)


def punch(preset: Preset) -> Curve:
    return next(curve for key, _, curve, _ in curves_of(preset.chain[1]) if key == "punch")


def numbers(preset: Preset) -> Array:
    spec = preset.spec()
    return punch(preset).values(spec.at_frames(np.arange(float(spec.frames or 0))))


HEARD = (
    '"0.1 * decay(kick, 0.1)"',
    '"0.05 * (floor(beat) % 4)"',
    '"0.2 * lag(loud, 0.1, 0.3)"',
    '"0.2 * smooth(low, 0.2)"',
    '"0.1 * (since_beat < 0.1) + 0.1 * chroma(0)"',
    '"0.1 * band(60, 120)"',
    '"0.1 * decay(smooth(kick, 0.1) * hat, 0.2)"',
    "{0b: 0, 4b: 0.1, 13b: 0.3}",
    "{7b: [0.1, hold], 8b: [0.2, hold], 9b: 0.1}",
    "{every: 1b, of: [0.1, 0.2, 0.3], blend: 0.3}",
    "{every: section, of: [0.1, 0.2]}",
)


@pytest.mark.parametrize("text", HEARD)
def test_a_scene_hears_what_the_film_does_without_scenes(text: str) -> None:
    """So whatever moves falls on the beat in each of them, and in a fade both see the same."""
    top = TOP.replace("start: 10s", "start: 14.375s") if "section" in text else TOP  # so that one ends within the film
    made = two(text, top=top)
    whole = parse_preset(f"{top}duration: {made.duration}\n{stages(text)}\n")
    expected = numbers(whole)
    assert np.ptp(expected) > 0
    assert [(scene.start, scene.end, scene.overlap) for scene in made.scenes] == [(0, 120, 0), (90, 210, 30)]
    for scene in made.scenes:
        most = 0 if text.startswith('"') else 2e-9  # keyframes are placed in the scene's own time
        np.testing.assert_allclose(numbers(scene.preset), expected[scene.start : scene.end], rtol=0, atol=most)


@pytest.mark.parametrize("text", ['"0.1 * (t % 1)"', '"0.1 * smooth(sin(5 * t) > 0, 0.2)"', "{0s: 0, 2s: 0.1}"])
def test_all_other_times_are_the_scenes_own(text: str) -> None:
    """To the last bit those of the scene as a film of its own, though the film listens."""
    alone = parse_preset(f"size: 64x48\nfps: 24\nduration: 5s\n{stages(text)}\n")
    second = two(text, "duration: 5s, fade: 2b").scenes[1]
    assert second.start > 0
    assert np.array_equal(numbers(second.preset), numbers(alone))


def test_before_a_scene_begins_its_own_time_stands_still() -> None:
    """A filter of both looks at what was heard before, with `t` as at the beginning: no root of a number below 0."""
    second = two('"0.1 * decay(kick * sqrt(1 + t), 0.3)"').scenes[1].preset
    spec = second.spec()
    moments = spec.clock.at_heard(np.array([0.0, 3.0, 3.75, 4.75]))
    assert moments.seconds.tolist() == [0.0, 0.0, 0.0, 1.0] and moments.heard.tolist() == [0.0, 3.0, 3.75, 4.75]
    assert np.isfinite(numbers(second)).all()


def test_a_hit_before_a_scene_still_fades_in_it() -> None:
    heard = numbers(two('"0.1 * decay(kick, 1)"').scenes[1].preset)
    clock = two('"0.1 * decay(kick, 1)"').scenes[1].preset.spec().clock
    late = Clock(clock.fps, clock.frames, 0, clock.signals).at_frames(np.arange(1.0))
    assert heard[0] > 0.01 and heard[0] != parse_curve("0.1 * decay(kick, 1)").values(late)[0]


@pytest.mark.parametrize(
    "text", ["{0b: [0, hold], 4b: [0.1, hold]}", '"0.01 * floor(beat)"', "{every: 1b, of: [0, 1]}"]
)
def test_what_is_on_the_beat_comes_with_its_frame(text: str) -> None:
    """Every fifteenth frame is on a beat; rounded otherwise within a scene, it must not come late."""
    top = TOP.replace("96", "96, first_beat: 0s")
    expected = numbers(parse_preset(f"{top}duration: 90f\n{stages(text)}\n"))
    assert 60 in np.flatnonzero(np.diff(expected)) + 1
    for start in range(1, 60):
        made = film(f"scenes:\n  - {{duration: {start}f, {stages(0)}}}\n  - {{duration: 4s, {stages(text)}}}\n", top)
        assert np.array_equal(numbers(made.scenes[1].preset)[: 90 - start], expected[start:]), start


@pytest.mark.parametrize(("bpm", "beats", "frame"), [(144, 0, 0), (144, 1, 10), (144, 4, 40), (90, 1, 16), (90, 2, 32)])
def test_a_change_at_a_beat_comes_in_the_first_frame_that_has_reached_it(bpm: int, beats: int, frame: int) -> None:
    top, change = TOP.replace("96", f"{bpm}, first_beat: 0s"), f"changes: {{at: {beats}b, set: {{zoom.rotate: 5}}}}\n"
    made = parse_preset(f"{top}{change}duration: 90f\n{stages(0)}\n")
    assert [*made.turns] == [frame]
    if frame:
        counted = numbers(parse_preset(f"{top}duration: 90f\n{stages(chr(34) + '0.01 * floor(beat)' + chr(34))}\n"))
        assert counted[frame] > counted[frame - 1]


def test_a_change_at_a_beat_comes_with_its_frame_at_other_rates() -> None:
    top = TOP.replace("96", "90, first_beat: 0s").replace("fps: 24", "fps: 30")
    made = parse_preset(f"{top}changes: {{at: 1b, set: {{zoom.rotate: 5}}}}\nduration: 90f\n{stages(0)}\n")
    assert [*made.turns] == [20]


@pytest.mark.parametrize("lengths", ["duration: 0b", "duration: 4b, fade: 0b"])
def test_a_length_of_no_beats_is_refused(lengths: str) -> None:
    said = refused(f"scenes:\n  - {{duration: 2s, {stages(0)}}}\n  - {{{lengths}, {stages(0)}}}\n")
    assert "is '0b': must be longer than nothing" in said


def test_a_change_on_the_beat_comes_with_its_frame() -> None:
    top, change = TOP.replace("96", "96, first_beat: 0s"), "changes: {at: 4b, set: {zoom.rotate: 5}}"
    for start in range(1, 60):
        scene = f"{{duration: 4s, {stages(0)}, {change}}}"
        made = film(f"scenes:\n  - {{duration: {start}f, {stages(0)}}}\n  - {scene}\n", top)
        again = parse_preset(made.to_yaml(), checked=False)
        assert [*made.scenes[1].preset.turns] == [*again.scenes[1].preset.turns] == [60 - start]


def test_lengths_in_beats_end_on_beats_however_many_there_are() -> None:
    scenes = "".join(f"  - {{duration: 7b, fade: 1b, {stages(0)}}}\n" for _ in range(9))
    made = film(f"scenes:\n  - {{duration: 7b, {stages(0)}}}\n{scenes}")
    signals = made.signals
    assert signals is not None
    for number, scene in enumerate(made.scenes[1:], 1):
        assert scene.start == pytest.approx(signals.time_of_beat(6 * number) * 24, abs=0.6)
    plain = film(f"scenes:\n  - {{duration: 1.3s, {stages(0)}}}\n  - {{duration: 4b, {stages(0)}}}\n")
    assert float(plain.scenes[1].preset.duration.seconds or 0) == pytest.approx(4 * BEAT, abs=0.01)


def test_changes_at_beats_are_made_at_the_films() -> None:
    text = f"scenes:\n  - {{duration: 8b, {stages(0)}}}\n  - {{duration: 8b, fade: 2b, {stages(0)}, "
    made = film(text + "changes: [{at: 7b, set: {zoom.rotate: 5}}, {at: 1s, set: {zoom.rotate: 6}}]}\n")
    alone = parse_preset(f"{TOP}{stages(0)}\nchanges: {{at: 7b, set: {{zoom.rotate: 5}}}}\n")
    second = made.scenes[1]
    assert [second.start + frame for frame in second.preset.turns] == [next(iter(alone.turns)), second.start + 24]
    assert parse_preset(made.to_yaml()).scenes[1].preset.turns.keys() == second.preset.turns.keys()
    said = refused(text + "changes: [{at: 3b, set: {zoom.rotate: 5}}]}\n")
    assert "film.yaml:6: scenes[1].changes[0].at: is '3b': is at 1.882s of the film, and the scene begins at" in said


def test_the_film_carries_its_song_and_the_last_scene_lasts_as_long() -> None:
    text = f"scenes:\n  - {{duration: 4s, {stages(0)}}}\n  - {{fade: 1s, {stages(0)}}}\n"
    made = film(text, TOP.replace("start: 10s", "start: 10s, end: 30s"))
    assert (made.audio, made.soundtrack()) == ("song", made.song()) and made.duration.to_seconds(made.fps) == 20
    assert str(made.scenes[1].preset.duration) == "17s" and made.scenes[1].preset.soundtrack() is None
    assert film(text, f"{TOP}audio: none\n").soundtrack() is None
    assert film(text.replace("  - {fade", f"  - {{{stages(0)}}}\n  - {{fade")).scenes[1].preset.duration.seconds == 10
    said = refused(text, TOP.replace("start: 10s", "start: 10s, end: 12s"))
    assert "film.yaml:6: scenes[1].duration: is left out, and the song is over when the scene begins, at 3s" in said


def test_a_resolved_film_hears_the_same_checked_or_not() -> None:
    made = two(HEARD[0])
    for checked in (True, False):
        again = parse_preset(made.to_yaml(), checked=checked)
        assert again.resolved() == made.resolved()
        for scene, other in zip(made.scenes, again.scenes, strict=True):
            assert np.array_equal(numbers(scene.preset), numbers(other.preset))
    assert (
        list(made.inputs()) == ["listen.path"] and "listen" not in film(f"scenes: [{{{stages(0)}}}]\n", "").resolved()
    )


def test_the_films_song_goes_over_that_of_a_preset_that_a_scene_extends(tmp_path: Path) -> None:
    file = tmp_path / "film.yaml"
    top = TOP.replace("64x48", "128x96")
    file.write_text(f"{top}scenes:\n  - {{extends: pulse, duration: 4s}}\n  - {{extends: pulse, fade: 1s}}\n")
    made = load_preset(file)
    assert [scene.preset.listen for scene in made.scenes] == [None, None]
    assert [scene.preset.signals for scene in made.scenes] == [made.signals] * 2
    other = load_preset(file, {"listen.start": "40s"})
    assert other.signals != made.signals and other.scenes[1].preset.signals == other.signals
    file.write_text(file.read_text().replace(LISTEN, ""))
    plain = load_preset(file)
    assert plain.signals is None and plain.scenes[0].preset.listen is not None and plain.audio == "none"
    assert load_preset(file, {"listen": str(SONG)}).scenes[0].preset.listen is None


def test_a_scene_with_a_song_of_its_own_hears_that_from_its_own_beginning() -> None:
    own = f"listen: {{path: {SONG}, start: 30s, bpm: 96}}"
    made = film(f"scenes:\n  - {{duration: 4s, {stages(HEARD[0])}}}\n  - {{duration: 4s, {own}, {stages(HEARD[0])}}}\n")
    alone = parse_preset(f"size: 64x48\nfps: 24\nduration: 4s\n{own}\n{stages(HEARD[0])}\n")
    assert np.array_equal(numbers(made.scenes[1].preset), numbers(alone))
    again = parse_preset(made.to_yaml(), checked=False)
    again.hears(made.scenes[0].preset.signals or pytest.fail())
    assert np.array_equal(numbers(again.scenes[1].preset), numbers(alone))


def test_a_plot_has_the_films_beats_under_every_scene() -> None:
    made = two(HEARD[0])
    first, second = panels(made)
    assert first.ticks == pytest.approx(second.ticks) and second.seconds[0] == 3.75
    at = first.seconds.index(4.5)
    assert first.values[at] == second.values[at - 90]


@pytest.mark.parametrize(
    ("text", "top", "said"),
    [
        ("", "listen: source\n", "film.yaml:1: listen: is source, which a film of scenes has not; name a file with"),
        ("", "listen: {path: source}\n", "film.yaml:1: listen: is source, which a film of scenes has not; name a"),
        ("", "listen: gone.flac\n", "film.yaml:1: listen: "),
        ("", "audio: song\n", "film.yaml:1: audio: is song, which a film of scenes has not; name a file, or none"),
        ("    stages: [{stage: noise}, {stage: zoom, zoom: 1 + kick}]\n", "", "scenes[1].stages[1].zoom: follows kick"),
        (
            "    fade: 2b\n    stages: [{stage: noise}]\n",
            "",
            "scenes[1].fade: is '2b': 2b counts beats, and the",
        ),
        ("    fade: 9b\n    stages: [{stage: noise}]\n", LISTEN, "scenes[0].duration: is 2s, which is shorter than"),
        ("    stages: [{stage: noise, kin: pink}]\n", LISTEN, ":5: scenes[1].stages[0].kin: unknown key 'kin'"),
        ("    duration: 0b\n    stages: [{stage: noise}]\n", "", "scenes[1].duration: is '0b': 0b counts beats"),
    ],
)
def test_what_cannot_be_heard_is_told_with_its_line(text: str, top: str, said: str) -> None:
    scenes = f"scenes:\n  - {{duration: 2s, {stages(0)}}}\n  - seed: 1\n{text or '    ' + stages(0)}\n"
    assert said in refused(scenes, top)


def test_a_scene_that_cannot_be_read_does_not_hide_the_next() -> None:
    text = f"scenes:\n  - {{duration: 2s, {stages('quick')}}}\n  - {{duration: 2s, {stages('slow')}}}\n"
    said = refused(text).splitlines()
    assert [line.split(":")[2].strip() for line in said] == ["scenes[0].stages[1].punch", "scenes[1].stages[1].punch"]
    assert len(refused(text.replace("duration: 2s, ", "", 1)).splitlines()) == 1


def test_the_clock_of_the_first_scene_is_the_films() -> None:
    made = two(HEARD[0])
    first, second = (scene.preset.spec().clock for scene in made.scenes)
    assert (first.since, second.since) == (0, 90) and second.before_it == 3.75
    assert Clock(Fraction(24), 9, 0).at_frame(4).heard == 4 / 24
