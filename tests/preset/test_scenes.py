"""Films of scenes as presets say them: what each scene becomes, where it stands, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import PresetError
from pipeline.preset import Preset, load_preset, parse_preset
from tests.conftest import photograph

STAGES = "stages: [{stage: noise}, {stage: zoom, zoom: 1.5}, {stage: dream, octaves: 1}]"
TOP = "size: 64x48\nfps: 12\n"
TWO = f"""\
{TOP}scenes:
  - duration: 2s
    {STAGES}
  - fade: 0.5s
    duration: 1s
    seed: 5
    {STAGES}
"""


def film(text: str, **options: Any) -> Preset:
    return parse_preset(text, name="film.yaml", **options)


def refused(text: str, *overrides: str) -> str:
    with pytest.raises(PresetError) as caught:
        film(text, overrides=overrides)
    return str(caught.value)


def test_scenes_have_what_belongs_to_the_whole_film() -> None:
    preset = film(f"seed: 3\n{TWO}", overrides={"size": "128x96", "device": "cpu"})
    first, second = (scene.preset for scene in preset.scenes)
    assert [str(each.size) for each in (preset, first, second)] == ["128x96"] * 3
    assert (first.fps, first.seed, second.seed, first.device) == (12, 3, 5, "cpu")
    assert first.audio == "none" and preset.soundtrack() is None


def test_the_film_is_as_long_as_its_scenes_less_their_fades() -> None:
    preset = film(TWO)
    assert [(scene.start, scene.end, scene.overlap) for scene in preset.scenes] == [(0, 24, 0), (18, 30, 6)]
    assert preset.duration.to_frames(preset.fps) == preset.spec().frames == 30
    assert film(f"duration: 1s\n{TWO}").spec().frames == 12
    assert film(TWO.replace("    duration: 1s", "    duration: endless")).spec().frames is None


@pytest.mark.parametrize("fps", ["7", "24", "30000/1001"])
def test_roundings_do_not_add_up(fps: str) -> None:
    scene = f"  - {{duration: 0.73s, fade: 0.21s, {STAGES[:-1]}]}}\n"
    text = f"size: 64x48\nfps: {fps}\nscenes:\n{scene.replace('fade: 0.21s, ', '')}{scene * 40}"
    preset = film(text)
    for number, each in enumerate(preset.scenes):
        exact = number * (Fraction("0.73") - Fraction("0.21")) * preset.fps
        assert abs(each.start - exact) <= 1


def test_each_fade_gives_way_slowly_quickly_and_slowly() -> None:
    second = film(TWO).scenes[1]
    weights = [second.weight(index) for index in range(18, 24)]
    assert all(0 < weight < 1 for weight in weights) and weights == sorted(weights)
    assert weights[0] == pytest.approx(1 - weights[-1]) and weights[0] < 1 / 12


def test_a_resolved_film_says_the_same_again() -> None:
    preset = film(f"{TWO}    changes: [{{at: 0.5s, set: {{zoom.rotate: 5}}}}]\nstages: [{{stage: encode, crf: 30}}]\n")
    again = parse_preset(preset.to_yaml())
    assert again.resolved() == preset.resolved()
    assert [scene.start for scene in again.scenes] == [0, 18] and list(again.scenes[1].preset.turns) == [6]
    assert [entry["stage"] for entry in preset.resolved()["stages"]] == ["encode"] and preset.encode.crf == 30


def test_a_scene_may_extend_a_preset_with_variables_of_its_own(tmp_path: Path) -> None:
    looks = tmp_path / "looks"
    looks.mkdir()
    shutil.copy(photograph("chelsea.png"), looks / "cat.png")
    (looks / "base.yaml").write_text(
        "vars: {speed: 1.5}\nsize: 640x360\nfps: 5\nseed: 9\nduration: 1s\n"
        "stages: [{stage: image, path: cat.png}, {stage: zoom, zoom: '${speed}'}, {stage: encode, crf: 9}]\n"
    )
    file = tmp_path / "film.yaml"
    scenes = "scenes: [{extends: looks/base.yaml}, {extends: looks/base.yaml, vars: {speed: '${fast}'}, seed: 4}]\n"
    file.write_text(f"vars: {{fast: 3}}\n{TOP}{scenes}")
    preset = load_preset(file, ["scenes[0].vars.speed=2", "scenes[1].zoom.rotate=7"])
    first, second = (scene.preset for scene in preset.scenes)
    assert (str(first.size), first.fps, first.seed, second.seed, preset.encode.crf) == ("64x48", 12, 9, 4, 17)
    zooms = [each.resolved()["stages"][1] for each in (first, second)]
    assert [(zoom["zoom"], zoom["rotate"]) for zoom in zooms] == [(2, 0.0), (3, 7)]
    assert [str(each.path) for each in preset.inputs().values()] == [str(looks / "cat.png")] * 2
    assert list(preset.inputs()) == ["scenes[0].image.path", "scenes[1].image.path"]
    assert [scene.preset.seed for scene in load_preset(file, {"seed": 1}).scenes] == [1, 4]
    assert preset.with_inputs({"scenes[1].image.path": "x.png"})["scenes"][1]["stages"][0]["path"] == "x.png"


def test_a_problem_is_told_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("stages:\n  - stage: noise\n  - {stage: zoom, zoom: quick}\n")
    file = tmp_path / "film.yaml"
    file.write_text(f"{TOP}scenes:\n  - extends: base.yaml\n  - stages:\n      - {{stage: noise, kin: pink}}\n")
    with pytest.raises(PresetError) as caught:
        load_preset(file)
    said = str(caught.value).replace(f"{tmp_path}/", "").splitlines()
    assert said[0].startswith("base.yaml:3: scenes[0].stages[1].zoom: is 'quick'")
    assert said[1].startswith("film.yaml:6: scenes[1].stages[0].kin: unknown key 'kin'; did you mean 'kind'?")


def test_a_key_of_a_scene_that_is_set_at_the_top_is_told_where_it_is_meant(tmp_path: Path) -> None:
    file = tmp_path / "film.yaml"
    file.write_text(f"{TOP}scenes:\n  - {{extends: droste}}\n")
    with pytest.raises(PresetError) as caught:
        load_preset(file, ["zoom.zoom=1.3"])
    said = str(caught.value)
    assert said.startswith("--set zoom.zoom=1.3: unknown key 'zoom' (there are: ")
    assert said.endswith("; in the first scene it is scenes[0].zoom.zoom")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace("seed: 5", "fps: 5"), ":8: scenes[1].fps: belongs to the whole film; say it at its"),
        (lambda text: f"margin: 0.1\n{text}", ":1: margin: belongs to a scene; move it into those that want it"),
        (lambda text: text.replace("fade: 0.5s", "fade: 1.5s"), ":7: scenes[1].duration: is 1s, which is shorter than"),
        (lambda text: text.replace("- duration", "- fade: 1s\n    duration"), ":4: scenes[0].fade: fades in over the"),
        (lambda text: text.replace("fade: 0.5s", "fade: soon"), ":6: scenes[1].fade: is 'soon': must be a length"),
        (lambda text: text.replace("duration: 2s", "duration: endless"), ":4: scenes[0].duration: is endless; only"),
        (lambda text: f"duration: 9s\n{text}", ":1: duration: is 9s, and the scenes last 2.5s; leave it out, or make"),
        (lambda text: f"audio: source\n{text}", ":1: audio: is source, which a film of scenes has not; name a file"),
        (lambda text: f"{TOP}scenes: []\n", ":3: scenes: is [], must be a list of scenes"),
        (lambda text: f"{TOP}scenes: [droste]\n", ":3: scenes[0]: is 'droste', must be a mapping such as"),
        (lambda text: f"{TOP}scenes:\n{('  - {extends: droste}' + chr(10)) * 65}", "at most 64"),
        (lambda text: f"{text}  - extends: triptych\n", ":10: scenes[2].extends: names a film of scenes"),
        (lambda text: text.replace("octaves: 1}]", "octaves: 1}, {stage: encode}]"), "stages[3]: encode writes the"),
        (lambda text: f"{text}stages: [{{stage: noise}}]\n", ":10: stages[0].stage: noise stands beside `scenes`"),
        (lambda text: f"{text}stages: [{{stage: encode, crf: 60}}]\n", ":10: stages[0].crf: is 60, h264 has 0 to 51"),
        (lambda text: f"{text}  - extends: nothing\n", ":10: scenes[2].extends: unknown preset 'nothing'"),
    ],
)  # fmt: skip
def test_what_is_no_film_of_scenes_is_told_with_its_line(change: Callable[[str], str], said: str) -> None:
    assert said in refused(change(TWO))


@pytest.mark.parametrize(
    ("override", "said"),
    [
        (
            "scenes[0].size=64x48",
            "--set scenes[0].size=64x48: scenes[0]: belongs to the whole film; say it without `scenes`",
        ),
        ("scenes[0].zom.zoom=2", "--set scenes[0].zom.zoom=2: scenes[0]: unknown key 'zom'"),
        ("scenes[1].zoom.zoom=x", "--set scenes[1].zoom.zoom=x: scenes[1].stages[1].zoom: is 'x'"),
        ("scenes[7].fps=2", "--set scenes[7].fps=2: scenes has no [7]"),
        ("extends=droste", "--set extends=droste: can't be said here; write a file that extends the other"),
    ],
)
def test_overrides_reach_into_scenes(override: str, said: str) -> None:
    assert refused(TWO, override).startswith(said)


def test_the_input_of_several_scenes_is_not_one() -> None:
    from pipeline.preset import Override

    with pytest.raises(PresetError, match=r"say which: --set scenes\[0\]\.image\.path=FILE"):
        film(TWO, overrides=[Override("stages[0].path", "x.png", "--input", quoted=True)])
