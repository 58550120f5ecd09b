"""Variables of presets: what they stand for, where they may stand, and how far they may go."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import PresetError
from pipeline.preset import Preset, load_preset, parse_preset
from tests.conftest import photograph

FILM = """\
size: 64x48
fps: ${rate}
duration: 8f
stages:
  - stage: noise
  - stage: zoom
    zoom: ${speed}
    rotate: 20 * ${speed}
  - stage: dream
    layer: blocks.${block}.1
    octaves: ${octaves}
"""
VARS = "vars: {rate: 12, speed: 1.5, block: 2, octaves: 1}\n"


def film(text: str = VARS + FILM, **overrides: Any) -> Preset:
    return parse_preset(text, name="film.yaml", overrides=[(f"vars.{key}", value) for key, value in overrides.items()])


def refused(text: str, *overrides: str) -> str:
    with pytest.raises(PresetError) as caught:
        parse_preset(text, name="film.yaml", overrides=overrides)
    return str(caught.value)


def test_a_variable_alone_keeps_its_kind_and_within_text_is_written_out() -> None:
    stages = film().resolved()["stages"]
    assert (stages[1]["zoom"], stages[1]["rotate"]) == (1.5, "20 * 1.5")
    assert (stages[2]["layer"], stages[2]["octaves"]) == ("blocks.2.1", 1)
    moving = film(VARS + FILM.replace("20 * ${speed}", "20"), speed={"0s": 1.5, "0.5s": 2}, rate=24)
    assert moving.fps == 24 and moving.resolved()["stages"][1]["zoom"] == {"0s": 1.5, "0.5s": 2}


@pytest.mark.parametrize("overrides", [["vars.block=4"], {"vars.block": 4}, {"vars": {"block": 4}}])
def test_an_override_gives_it_another_value(overrides: Any) -> None:
    assert parse_preset(VARS + FILM, overrides=overrides).resolved()["stages"][2]["layer"] == "blocks.4.1"


def test_an_override_may_use_it() -> None:
    preset = parse_preset(VARS + FILM, overrides=["zoom.zoom=1 + 0.1 * ${speed}", "vars.speed=3"])
    assert preset.resolved()["stages"][1]["zoom"] == "1 + 0.1 * 3"


def test_variables_may_be_made_of_others_and_stand_in_keys() -> None:
    text = "vars:\n  beat: 0.5\n  drop: ${beat}s\n  stages: [{stage: noise}, {stage: zoom, zoom: {'${drop}': 2}}]\n"
    preset = film(text + "size: 64x48\nstages: ${stages}\n")
    assert preset.resolved()["stages"][1]["zoom"] == {"0.5s": 2}


def test_what_is_escaped_stands_for_itself() -> None:
    said = refused("vars: {}\nsize: $${no}\nstages: [{stage: noise}]\n")
    assert said.startswith("film.yaml:2: size: is '${no}'")


def test_without_vars_text_is_as_it_stands(tmp_path: Path) -> None:
    odd = tmp_path / "${here}.png"
    shutil.copy(photograph("chelsea.png"), odd)
    text = f"size: 64x48\nstages: [{{stage: image, path: '{odd}'}}]\n"
    preset = parse_preset(text)
    assert parse_preset(preset.to_yaml()).resolved() == preset.resolved()
    assert "`${name}` stands for a variable where the preset has `vars:`" in refused(FILM)


def test_a_path_is_meant_from_where_its_beginning_stands(tmp_path: Path) -> None:
    for name in ("base", "mine"):
        (tmp_path / name).mkdir()
        shutil.copy(photograph("chelsea.png"), tmp_path / name / "cat.png")
    stages = "size: 64x48\nstages: [{stage: image, path: '${picture}'}, {stage: palette, image: './${name}.png'}]\n"
    (tmp_path / "base" / "base.yaml").write_text("vars: {picture: cat.png, name: cat}\n" + stages)
    (tmp_path / "mine" / "mine.yaml").write_text("extends: ../base/base.yaml\nvars: {picture: ./cat.png}\n")
    own, other = (load_preset(tmp_path / each).resolved()["stages"] for each in ("base/base.yaml", "mine/mine.yaml"))
    assert own[0]["path"] == own[1]["image"] == other[1]["image"] == str(tmp_path / "base" / "cat.png")
    assert other[0]["path"] == str(tmp_path / "mine" / "cat.png")


def test_the_extending_file_gives_other_values(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(VARS + FILM)
    (tmp_path / "mine.yaml").write_text("extends: base.yaml\nvars:\n  block: 4\n  speed: fast\n")
    with pytest.raises(PresetError) as caught:
        load_preset(tmp_path / "mine.yaml")
    said = str(caught.value).replace(str(tmp_path), "").splitlines()
    assert said[0].startswith("/base.yaml:8: stages[1].zoom: is 'fast': ")
    assert said[0].endswith("; ${speed} is from /mine.yaml:4")
    stages = load_preset(tmp_path / "mine.yaml", {"vars.speed": 2}).resolved()["stages"]
    assert (stages[1]["zoom"], stages[2]["layer"]) == (2, "blocks.4.1")


@pytest.mark.parametrize(
    ("vars_", "text", "said"),
    [
        ("{sped: 1, fps: 12}", "${sped} ${fsp}", "film.yaml:2: size: unknown variable 'fsp'; did you mean 'fps'? (th"),
        ("{}", "${x}", "film.yaml:2: size: there is no variable 'x'"),
        ("{x: 1, idle: 2}", "${x}", "film.yaml:1: vars.idle: is used nowhere: there is no ${idle}; take it out"),
        ("{speeed: 1}", "${speed}", "film.yaml:2: size: unknown variable 'speed'; did you mean 'speeed'?"),
        ("{2x: 1}", "${2x}", "film.yaml:1: vars.2x: is no name of a variable; names are of letters"),
        ("{x: 1}", "${x}${a b}", "size: '${a b}' names no variable; names are of letters"),
        ("{x: 1}", "${x} ${x", "size: '${x' names no variable"),
        ("[1]", "${x}", "film.yaml:1: vars: is [1], must be a mapping such as {speed: 1.2}"),
        ("{x: [1]}", "a${x}", "size: ${x} is [1], which can't stand within text; let it stand alone"),
        ("{a: '${b}', b: '${c}', c: '${b}'}", "${a}", "vars.c: variables go round in a circle: b -> c -> b"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(vars_: str, text: str, said: str) -> None:
    assert said in refused(f"vars: {vars_}\nsize: '{text}'\nstages: [{{stage: noise}}]\n")


def test_an_override_of_a_variable_that_is_not_there_is_refused() -> None:
    assert "--set vars.blok=3: unknown variable 'blok'; did you mean 'block'?" in refused(VARS + FILM, "vars.blok=3")
    assert "the preset has no variables" in refused("stages: [{stage: noise}]\n", "vars.x=3")


def test_what_variables_make_is_bounded() -> None:
    doubled = "".join(f"  v{n}: ['${{v{n - 1}}}', '${{v{n - 1}}}']\n" for n in range(1, 16))
    assert "more than 50000 values" in refused(f"vars:\n  v0: 1\n{doubled}stages: ${{v15}}\n")
    longer = "".join(f"  v{n}: ${{v{n - 1}}}${{v{n - 1}}}\n" for n in range(1, 16))
    assert "more than 3000000 letters" in refused(f"vars:\n  v0: {'x' * 1000}\n{longer}stages: ${{v15}}\n")
    row = "".join(f"  v{n}: ${{v{n + 1}}}\n" for n in range(40))
    assert "more than 16 variables are made of one another" in refused(f"vars:\n{row}  v40: 1\nstages: ${{v0}}\n")
    many = "".join(f"  v{n}: 1\n" for n in range(257))
    assert "has 257 variables, may have at most 256" in refused(f"vars:\n{many}stages: ${{v0}}\n")
