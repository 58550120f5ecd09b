"""Films of scenes as they are made: each scene's frames are its own, and fades are both scenes' light."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import pytest
import torch
from torch import Tensor

import pipeline
from pipeline.chain import Chain, Scenes, open_film
from pipeline.errors import PresetError, RunError
from pipeline.media.joining import count_frames
from pipeline.ops.dissolve import dissolve
from pipeline.preset import Preset, parse_preset
from pipeline.preset.plot import plot_preset
from pipeline.preset.scene import turning_points
from pipeline.run.camera import film_camera
from pipeline.run.estimate import estimate
from pipeline.run.extract import extract
from pipeline.run.folder import RunFolder
from pipeline.run.small import small
from pipeline.stages.noise import Noise
from pipeline.times import Within
from tests.clips import real_film
from tests.films import film
from tests.run.small import stop_after

SIZES = "size: 64x48\nfps: 12\ndevice: cpu\n"
DREAM = "{stage: dream, steps: 1, first_steps: 2, octaves: 1, jitter: 4, engine: folded, precision: float32}"
THREE = f"""\
{SIZES}seed: 3
scenes:
  - {{duration: 6f, stages: [{{stage: noise}}, {{stage: zoom, zoom: 1.5}}, {{stage: palette, to: seed}}]}}
  - {{duration: 7f, fade: 3f, lead_in: 4f, seed: 8, stages: [{{stage: noise}}, {DREAM}, {{stage: palette}}]}}
  - {{duration: 4f, stages: [{{stage: noise, kind: white}}, {{stage: zoom, rotate: 40}}, {{stage: sharpen}}]}}
"""


@pytest.fixture(scope="module")
def three() -> Preset:
    return parse_preset(THREE, name="three")


@pytest.fixture(scope="module")
def shown(three: Preset) -> list[Tensor]:
    return [frame.image for frame in pipeline.frames(three)]


@pytest.fixture(scope="module")
def alone(three: Preset) -> list[list[Tensor]]:
    """The frames of each scene, rendered as a film of its own."""
    return [[frame.image for frame in pipeline.frames(scene.preset)] for scene in three.scenes]


def test_outside_fades_every_frame_is_its_scenes_own(shown: list[Tensor], alone: list[list[Tensor]]) -> None:
    assert len(shown) == 14
    expected = {**dict(enumerate(alone[0][:3])), **dict(enumerate(alone[1][3:], 6)), **dict(enumerate(alone[2], 10))}
    assert sorted(expected) == [0, 1, 2, *range(6, 14)]
    for index, image in expected.items():
        assert torch.equal(shown[index], image), index


def test_a_fade_is_the_light_of_both(three: Preset, shown: list[Tensor], alone: list[list[Tensor]]) -> None:
    for index in (3, 4, 5):
        weight = three.scenes[1].weight(index)
        assert torch.equal(shown[index], dissolve(alone[0][index], alone[1][index - 3], weight))
    assert [three.scenes[1].weight(index) for index in (3, 4, 5)] == pytest.approx([2 / 27, 1 / 2, 25 / 27])


def test_only_the_chains_that_play_are_open(three: Preset) -> None:
    playing: list[int] = []
    with Scenes(three) as scenes:
        for index in range(14):
            scenes.step(index, None)
            playing.append(len({name.split("/")[0] for name in scenes.state_dict()}))
    # After each frame, those that have another one.
    assert playing == [1, 1, 1, 2, 2, 1, 1, 1, 1, 0, 1, 1, 1, 0]


@pytest.mark.parametrize("frame", [2, 4, 9])
def test_its_state_is_all_that_the_next_frames_depend_on(three: Preset, shown: list[Tensor], frame: int) -> None:
    with open_film(three) as begun:
        for index in range(frame):
            begun.step(index, None)
        state = begun.state_dict()
    with open_film(three, frame) as resumed:
        resumed.load_state_dict(state)
        for index in range(frame, 14):
            assert torch.equal(resumed.step(index, None).image, shown[index]), index
        with pytest.raises(KeyError):
            resumed.load_state_dict({**state, "7/previous": torch.zeros(1)})


def test_every_scene_is_settled_before_the_first_frame(three: Preset, tmp_path: Path) -> None:
    text = THREE.replace("engine: folded, precision: float32", "engine: auto")
    pipeline.render(parse_preset(text, name="three"), tmp_path, options=stop_after(1))
    assert "engine: auto" not in (tmp_path / "preset.yaml").read_text()


def test_a_lead_in_of_the_first_scene_is_the_films(three: Preset) -> None:
    led = parse_preset(THREE.replace("{duration: 6f,", "{duration: 6f, lead_in: 2f,"), name="three")
    with open_film(led) as made, Chain(led.scenes[0].preset) as alone:
        assert made.first == alone.first == -2
        previous = None
        for index in range(-2, 2):
            expected = alone.step(index, previous)
            previous = expected.feedback
            assert torch.equal(made.step(index, None).image, expected.image)


def test_the_same_fade_at_every_rate() -> None:
    weights = []
    for fps in (24, 60):
        preset = parse_preset(
            THREE.replace("fps: 12", f"fps: {fps}").replace("6f", "2s").replace("7f", "2s").replace("3f", "1s")
        )
        second = preset.scenes[1]
        assert second.start == fps
        weights.append([second.weight(fps + round(fps * share)) for share in (0.25, 0.5, 0.75)])
    assert weights[0] == pytest.approx(weights[1], abs=0.02)


def test_footage_that_ends_within_a_film_is_told_with_its_scene(monkeypatch: pytest.MonkeyPatch) -> None:
    clip = real_film("carphone_pristine")
    text = f"{SIZES}scenes:\n  - {{duration: 4f, stages: [{{stage: video, path: {clip}}}]}}\n"
    preset = parse_preset(text + "  - {duration: 2f, stages: [{stage: noise}]}\n", name="cut")
    from pipeline.stages import EndOfFootage
    from pipeline.stages.video import Video

    def ended(self: Video, ctx: object) -> Tensor:
        raise EndOfFootage

    monkeypatch.setattr(Video, "__call__", ended)
    with pytest.raises(RunError, match="frame 0: the footage of scene 1 ends before the scene does"):
        list(pipeline.frames(preset))


def test_values_that_are_no_numbers_are_told_by_the_frame(three: Preset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Noise, "__call__", lambda self, ctx: torch.full((1, 3, 48, 64), float("nan")))
    with pytest.raises(RunError, match="noise gives values that are no numbers"):
        list(pipeline.frames(three))


def test_it_is_estimated_previewed_and_plotted(three: Preset, tmp_path: Path) -> None:
    found = estimate(three, 0.1)
    assert found.frames == 14 and 0 < found.seconds.low < found.seconds.high and found.film.value > 0
    large = parse_preset(THREE.replace("64x48", "384x288").replace("octaves: 1", "octaves: 2"), name="three")
    made, said = small(large, tmp_path)
    assert made.size < large.size and made.name == "three-preview" and said
    assert [scene.start for scene in made.scenes] == [scene.start for scene in large.scenes]
    assert count_frames(pipeline.render(made, tmp_path / "preview").path) == 14
    moving = parse_preset(THREE.replace("rotate: 40", "rotate: 40 * t").replace("zoom: 1.5", "zoom: 1 + t"))
    assert plot_preset(moving, tmp_path / "plot.png") == 2
    changing = parse_preset(
        THREE.replace("{stage: sharpen}]", "{stage: sharpen}], changes: {at: 1f, set: {zoom.zoom: 2}}")
    )
    assert turning_points(changing) == [3, 10, 11]
    never = parse_preset(changing.to_yaml().replace("at: 1f", "at: 9f"))  # when its scene is over
    assert [*never.scenes[2].preset.turns, *turning_points(never)] == [9, 3, 10]
    with pytest.raises(PresetError, match="is a film of scenes; preview it without --camera"):
        film_camera(three, tmp_path / "camera.mp4")


def test_it_is_not_changed_from_outside(three: Preset) -> None:
    with open_film(three) as made, pytest.raises(PresetError, match="a scene has `changes` of its own"):
        made.change(three, 1)


def test_a_run_says_what_it_is_made_of(tmp_path: Path) -> None:
    result = pipeline.render(film("scenes"), tmp_path / "run")
    assert result.finished and count_frames(result.path) == 8
    again = extract(result.path)
    assert len(parse_preset(again.preset, checked=False).scenes) == 3
    assert {wanted.key for wanted in again.wanted} == {"scenes[0].image.path", "scenes[2].video.path"}
    assert pipeline.report(tmp_path / "run").state == "finished"


def test_scenes_that_hear_the_films_song_are_what_each_is_by_itself() -> None:
    """By itself it hears the same too: `scene.preset` knows where in the song it begins."""
    made = film("scenes that hear one song")
    shown = [frame.image for frame in pipeline.frames(made)]
    first, second = ([frame.image for frame in pipeline.frames(scene.preset)] for scene in made.scenes)
    assert [(scene.start, scene.end) for scene in made.scenes] == [(0, 5), (2, 8)]
    assert all(torch.equal(shown[index], first[index]) for index in (0, 1))
    assert all(torch.equal(shown[index], second[index - 2]) for index in (5, 6, 7))
    moved = film("scenes that hear one song").scenes[1].preset
    assert moved._hearing is not None
    moved.follow(replace(moved._hearing, within=Within(made.fps, 0, Fraction(0))), made.signals)
    assert not torch.equal([frame.image for frame in pipeline.frames(moved)][5], second[5]), (
        "from elsewhere in the song"
    )


def test_a_run_keeps_what_it_heard_for_all_scenes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = pipeline.render(film("scenes that hear one song"), tmp_path / "run", options=stop_after(3))
    monkeypatch.setattr("pipeline.preset.model.hear", lambda *given: pytest.fail("it listens again"))
    loaded = RunFolder(result.folder).load_preset()
    assert loaded.signals is not None
    assert all(scene.preset.signals is loaded.signals for scene in loaded.scenes)
    whole = pipeline.resume(result.folder)
    with av.open(str(whole.path)) as made:
        assert len(made.streams.audio) == 1
