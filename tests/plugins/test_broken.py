"""Packages whose stages can't be used: a problem by name for who wants them, nothing for who does not."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pipeline.errors import PresetError
from pipeline.plugins import offers
from pipeline.preset import Override, load_preset, parse_preset
from pipeline.stages import STAGES
from pipeline.stages.lookup import find_stage, known_names
from tests.conftest import SMALL
from tests.plugins.packages import BROKEN, made_up, run_with

GOOD = """
from pipeline.api import Effect, Field, StageConfig, StageType

class LighterConfig(StageConfig):
    'Make it lighter.'
    amount: float = Field(0.1, ge=0, le=1, description='how much')

    def problems(self, spec):
        if self.amount == 1:
            raise RuntimeError('no idea')
        return iter(())

class Lighter(Effect[LighterConfig]):
    def __call__(self, frame, ctx):
        return (frame + self.config.amount).clamp(0, 1)

STAGE = StageType(LighterConfig, Lighter)
"""
WRONG = {
    BROKEN: "ImportError: no module named fairy_dust",
    "raise SystemExit(3)": "SystemExit: 3",
    "": "AttributeError: module",
    "STAGE = 3": "its entry point is of type int, must be a pipeline.api.StageType",
    "from pipeline.api import *; STAGE = StageType(int, int)": "its config is no class made from StageConfig",
    "from pipeline.api import *; STAGE = StageType(StageConfig, Effect)": "a stage needs a config class of its own",
    "from pipeline.stages.grain import *; from pipeline.api import *; STAGE = StageType(GrainConfig, Grain)": "another",
    GOOD.replace("Effect[Lig", "Source[Lig").replace("import Effect", "import Source"): "no class made from Effect",
    GOOD.replace("amount: float", "stage: float"): "has a key `stage`",
    GOOD.replace("amount: float", "amount: 'Unknown'"): "PydanticUndefinedAnnotation: name 'Unknown' is not defined",
}


def preset_with(stage: str) -> str:
    return SMALL.replace("stage: palette", f"stage: {stage}")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("pipeline.stages.lookup._loaded", {})
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.fixture
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("zz_")]:
        monkeypatch.delitem(sys.modules, name)


def problem(text: str) -> str:
    with pytest.raises(PresetError) as caught:
        parse_preset(text, name="p.yaml")
    (found,) = caught.value.problems
    return str(found)


@pytest.mark.parametrize("code", WRONG, ids=WRONG.values())
def test_what_can_not_be_used_is_a_problem_with_its_packages_name(site: Path, code: str) -> None:
    module = f"zz_wrong_{list(WRONG).index(code)}"
    made_up(site, module, {"lighter": f"{module}:STAGE"}, code)
    said = problem(preset_with("lighter"))
    start = f"p.yaml:16: stages[3].stage: the stage 'lighter' of the package {module} 1.0 can't be used: "
    assert said.startswith(start)
    assert WRONG[code] in said and said.endswith("; mend or remove the package")
    parse_preset(SMALL)  # who does not use it hears nothing


def test_who_does_not_use_it_does_not_import_it(site: Path) -> None:
    made_up(site, "zz_broken", {"lighter": "zz_broken:STAGE", "Not A Name": "zz_broken:STAGE"}, BROKEN)
    (site / "zz_odd-1.0.dist-info").mkdir()
    (site / "zz_odd-1.0.dist-info/entry_points.txt").write_text("[dreamreel.stages]\nno equals sign\n")
    assert parse_preset(SMALL).notes == () and "zz_broken" not in sys.modules
    assert known_names() == [*STAGES, "Not A Name", "lighter"]
    assert "did you mean 'lighter'?" in problem(preset_with("lightr"))
    assert "its name must be small letters, digits, - and _" in problem(preset_with("Not A Name"))


def test_two_packages_with_one_name_are_told_both(site: Path) -> None:
    for name in ("zz_one", "zz_two"):
        made_up(site, name, {"lighter": f"{name}:STAGE"}, GOOD)
    said = problem(preset_with("lighter"))
    assert "the stage 'lighter' is offered by " in said and "zz_one 1.0" in said and "zz_two 1.0" in said


def test_own_names_win_and_that_is_noted(site: Path) -> None:
    made_up(site, "zz_grain", {"palette": "zz_grain:STAGE"}, BROKEN)
    preset = parse_preset(SMALL)
    assert preset.notes == ("the stage 'palette' is dreamreel's own; that of the package zz_grain 1.0 is not used",)
    assert find_stage("palette") is STAGES["palette"] and "plugins" not in preset.resolved()


def test_a_preset_says_where_its_stages_come_from(site: Path, forget: None) -> None:
    made_up(site, "zz_lighter", {"lighter": "zz_lighter:STAGE"}, GOOD, "1.2")
    preset = parse_preset(preset_with("lighter"), overrides=[Override("lighter.amount", "0.5")])
    assert preset.resolved()["plugins"] == {"lighter": "zz_lighter==1.2"}
    assert parse_preset(preset.to_yaml()).resolved() == preset.resolved()
    told = "plugins: {lighter: other==2}\n" + preset_with("lighter")
    assert "'lighter' is meant to come from other==2, but comes from zz_lighter 1.2 here" in problem(told)
    told = "plugins: {shade: other==2}\n" + preset_with("shade")
    assert "'shade' is not here; it comes with the package other==2: pip install other==2" in problem(told)
    told = "plugins: {palette: other}\n" + SMALL
    assert "'palette' is meant to come from other, but is dreamreel's own here" in problem(told)
    assert "plugins.lighter: is 'rm -rf'" in problem("plugins: {lighter: rm -rf}\n" + SMALL)
    with pytest.raises(PresetError, match=r"lighter is a stage; say which of its keys, as in lighter\.KEY=VALUE"):
        parse_preset(preset_with("lighter"), overrides=[Override("lighter", "0.5")])


def test_a_bug_of_its_own_names_the_package(site: Path, forget: None) -> None:
    made_up(site, "zz_lighter", {"lighter": "zz_lighter:STAGE"}, GOOD)
    said = problem(preset_with("lighter\n    amount: 1.0"))
    assert "(RuntimeError: no idea); if it is right, please report it to the authors of zz_lighter 1.0" in said


def test_the_command_lists_what_is_there_and_what_is_wrong_with_it(tmp_path: Path) -> None:
    site = tmp_path / "site"
    made_up(site, "zz_broken", {"shade": "zz_broken:STAGE", "grain": "zz_broken:STAGE"}, BROKEN)
    crash = GOOD.replace("return (", "raise RuntimeError('x')\n        return (")
    made_up(site, "zz_crash", {"crash": "zz_crash:STAGE"}, crash)
    done = run_with(site, "stages", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "shade  the stage 'shade' of the package zz_broken 1.0 can't be used: ImportError" in done.stdout
    assert "crash  Make it lighter. (effect, of the package zz_crash 1.0)" in done.stdout
    assert "note: the stage 'grain' is dreamreel's own; that of the package zz_broken 1.0 is not used" in done.stdout
    assert run_with(site, "stages", "shade", cwd=tmp_path).returncode == 1
    (tmp_path / "p.yaml").write_text(preset_with("crash"))
    crashed = run_with(site, "render", "p.yaml", cwd=tmp_path)
    assert crashed.returncode == 3 and "This is a bug in zz_crash 1.0: please report the lines above" in crashed.stderr


def test_offers_of_one_package_are_seen_once(site: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for folder, version in ((site, "1.0"), (tmp_path / "older", "0.9")):
        made_up(folder, "zz_lighter", {"lighter": "zz_lighter:STAGE"}, GOOD, version)
    sys.path.append(str(tmp_path / "older"))
    try:
        assert [str(offer) for offer in offers()["lighter"]] == ["zz_lighter 1.0"]
    finally:
        sys.path.remove(str(tmp_path / "older"))


def test_loading_is_not_slowed(site: Path, small_preset: Path) -> None:
    """A package that takes its time to be imported is not asked where its stage is not used."""
    made_up(site, "zz_slow", {"lighter": "zz_slow:STAGE"}, "raise KeyboardInterrupt")
    assert load_preset(small_preset).notes == ()
