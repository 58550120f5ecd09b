"""Branches of films of scenes: from within a scene, from within a fade, and of scenes that are yet to come."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import pipeline
from pipeline.errors import PresetError
from pipeline.media.joining import count_frames
from pipeline.preset import Override, Preset, load_preset, parse_preset
from pipeline.run import Options
from pipeline.run.branched import branched
from pipeline.run.branching import begin_branch
from pipeline.times import parse_time
from tests.films import SONG

FPS, FRAMES = 4, 40  # segments of 8 frames; a state at the beginning of each
DREAM = "{stage: dream, octaves: 1, steps: 1, first_steps: 2, jitter: 4, every: 2, layer: blocks.2.1}"
FILM = f"""\
name: film
size: 64x48
fps: {FPS}
device: cpu
keep: 2s
listen: {{path: {SONG}, start: 12s, bpm: 96}}
scenes:
  - duration: 16f
    stages: [{{stage: noise}}, {{stage: zoom, zoom: 1.3, punch: "0.1 * decay(kick, 0.1)"}}, {{stage: palette}}]
  - duration: 20f
    fade: 6f
    lead_in: 2f
    margin: 0.1
    stages: [{{stage: noise}}, {{stage: zoom, zoom: "1.1 + 0.3 * kick", edges: noise}}, {DREAM}]
    changes: {{at: 12f, set: {{zoom.rotate: 20}}}}
  - duration: 12f
    fade: 2f
    stages: [{{stage: noise, kind: white}}, {{stage: zoom, zoom: 1.2}}, {{stage: palette}}, {{stage: hold}}]
"""
PLACES = [(0, 16), (10, 30), (28, 40)]


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, which no test may change."""
    return pipeline.render(parse_preset(FILM), tmp_path_factory.mktemp("parent") / "run").folder


def anew(run: Path, folder: Path) -> bytes:
    """The film of the run's preset, rendered from nothing."""
    return pipeline.render(load_preset(run / "preset.yaml"), folder / "anew", overwrite=True).path.read_bytes()


def images(preset: Preset) -> list[torch.Tensor]:
    return [frame.image for frame in pipeline.frames(preset)]


BRANCHES = {
    "at the first frame": ("0s", {"scenes[0].zoom.zoom": 0.8}, 0, 1),
    "within the first scene": ("5f", {"scenes[0].palette.strength": 0.9}, 0, 5),
    "within a fade, the scene that goes": ("13f", {"scenes[0].zoom.rotate": 90}, 8, 13),
    "within a fade, both": ("12f", {"scenes[0].zoom.zoom": 0.7, "scenes[1].zoom.zoom": "1 + kick"}, 8, 12),
    "where a scene begins": ("10f", {"scenes[1].noise.kind": "white", "scenes[1].seed": 9}, 8, 10),
    "within a scene, its dream": ("17f", {"scenes[1].dream.objective": "{layer: blocks.4.1, channel: 3}"}, 16, 18),
    "at a change": ("22f", {"scenes[1].zoom.rotate": -20}, 16, 22),
    "at a beat": ("6b", {"scenes[1].zoom.punch": "0.2 * (beat % 1)"}, 8, 15),
    "a scene to come": ("17f", {"scenes[2].stages[1]": "{stage: zoom, zoom: 0.7, pan: [0.2, 0]}"}, 16, 29),
    "one that plays, and one to come": ("3s", {"scenes[1].dream.every": 1, "scenes[2].lead_in": "1s"}, 8, 12),
}


@pytest.mark.parametrize("name", BRANCHES)
def test_a_branch_is_what_its_preset_gives_from_nothing(parent: Path, tmp_path: Path, name: str) -> None:
    at, changes, state, differs = BRANCHES[name]
    seen: list[int] = []
    options = Options(on_frame=lambda frame, spec: seen.append(frame.index))
    made = pipeline.branch(parent, at, changes, tmp_path / "branch", options=options)
    assert made.finished and count_frames(made.path) == FRAMES
    assert seen == list(range(state, FRAMES))
    assert made.path.read_bytes() == anew(made.folder, tmp_path)
    plain, other = images(load_preset(parent / "preset.yaml")), images(load_preset(made.folder / "preset.yaml"))
    assert next(index for index in range(FRAMES) if not torch.equal(plain[index], other[index])) == differs


def test_scenes_are_where_they_were(parent: Path) -> None:
    assert [(scene.start, scene.end) for scene in load_preset(parent / "preset.yaml").scenes] == PLACES


def test_a_branch_of_a_branch_stopped_on_the_way(parent: Path, tmp_path: Path) -> None:
    first = begin_branch(parent, "13f", {"scenes[1].zoom.zoom": 0.8}, tmp_path / "first").path
    assert not pipeline.resume(first, options=Options(should_stop=_after(3))).finished
    pipeline.resume(first)
    second = pipeline.branch(first, "20f", {"scenes[1].zoom.zoom": 1.4, "audio": "none"}, tmp_path / "second")
    assert second.rendered == FRAMES - 16
    changes = load_preset(second.folder / "preset.yaml").scenes[1].preset.turns
    assert list(changes) == [3, 10, 12], "what the parent changes later, the branch changes too"
    assert second.path.read_bytes() == anew(second.folder, tmp_path)


def _after(frames: int):  # type: ignore[no-untyped-def]
    left = iter([False] * frames)
    return lambda: next(left, True)


def test_a_new_dream_takes_its_engine_for_itself(parent: Path, tmp_path: Path) -> None:
    """What is left to it is settled before the first frame, as for all others."""
    added = "{stage: dream, octaves: 1, steps: 1, engine: auto, memory: auto}"
    folder = begin_branch(parent, "12f", {"scenes[0].stages[2]": added, "scenes[2].stages[2]": added}, tmp_path / "b")
    text = folder.preset_file.read_text()
    assert "engine: auto" not in text and "engine: auto" not in str(folder.load_preset().resolved())
    assert pipeline.resume(folder.path).path.read_bytes() == anew(folder.path, tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"zoom.zoom": 2},
            "override zoom.zoom=2: a film of scenes has none by itself; say which scene's, as in scenes",
        ),
        (
            {"scenes[0].zoom.zoom": 2},
            "override scenes[0].zoom.zoom=2: is of a scene that is over by then: it ends at 4s",
        ),
        ({"scenes[7].zoom.zoom": 2}, "override scenes[7].zoom.zoom=2: scenes has no [7]"),
        (
            {"scenes[2].duration": "9s"},
            "override scenes[2].duration=9s: stays in a branch; of a scene that has not beg",
        ),
        ({"scenes[2].fade": "1f"}, "override scenes[2].fade=1f: stays in a branch; of a scene that has not begun"),
        ({"scenes[2].zom.zoom": 2}, "override scenes[2].zom.zoom=2: unknown key 'zom'"),
        ({"scenes[2].zoom.zoom": "x"}, "override scenes[2].zoom.zoom=x: scenes[2].stages[1].zoom: is 'x'"),
        ({"scenes[1].seed": 2}, "override scenes[1].seed=2: scenes[1].changes[0].set"),
        ({"scenes[1].zoom.zoom": "x"}, "override scenes[1].zoom.zoom=x: scenes[1].stages[1].zoom: is 'x'"),
        ({"scenes[1].zoom.zoom": "1 + kock"}, "'kock' is unknown"),
        ({"scenes[1]..": "x"}, "is no path of keys"),
    ],
)
def test_what_no_branch_can_be_is_told(parent: Path, tmp_path: Path, changes: dict[str, object], said: str) -> None:
    with pytest.raises(PresetError) as caught:
        pipeline.branch(parent, "17f", changes, tmp_path / "branch")
    assert said in str(caught.value)
    assert not (tmp_path / "branch" / "preset.yaml").exists()


@pytest.mark.parametrize("scenes", [False, True])
def test_what_a_change_makes_wrong_is_told_by_the_instant_that_was_asked_for(scenes: bool) -> None:
    """Nobody has seen the change as it is written, nor its time in the scene."""
    stages = "stages: [{stage: noise}, {stage: dream, layer: blocks.2.1, octaves: 3}]"
    film = f"scenes: [{{duration: 4f, {stages}}}, {{duration: 4f, {stages}}}]" if scenes else f"duration: 8f\n{stages}"
    key = "scenes[1].dream.layer" if scenes else "dream.layer"
    preset = parse_preset(f"size: 64x48\nfps: 4\n{film}\n".encode(), name="film")
    with pytest.raises(PresetError, match=r"^--at 1\.5s: .*octaves: is 3: the smallest octave would be"):
        branched(preset, "film", parse_time("1.5s"), [Override(key, "blocks.5.0")], None)
