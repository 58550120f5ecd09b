"""Presets as Python asks for them: by name, with overrides in its own words, under whatever torch is set to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch

import dreamreel
from dreamreel import Override, PipelineError, PresetError, frames, load_preset
from tests.conftest import SMALL

SIZE = {"size": "256x144"}
SAME: list[Any] = [
    SIZE,
    [("size", "256x144")],
    ["size=256x144"],
    "size=256x144",
    Override("size", "256x144"),
    [Override("size", "256x144")],
    (("size", "256x144"),),
]


@pytest.mark.parametrize("overrides", SAME, ids=str)
def test_overrides_come_in_every_natural_form(overrides: Any) -> None:
    preset = load_preset("first-light", overrides)
    assert (preset.size.width, preset.size.height) == (256, 144)


def test_values_are_pythons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"fps": Fraction(30000, 1001), "zoom.pan": (0.1, 0.2), "dream.steps": 3, "zoom.zoom": "1.2 + 0.1*sin(t)"}
    found = load_preset("first-light", given).resolved()
    assert found["fps"] == "30000/1001" and found["stages"][1]["pan"] == [0.1, 0.2]
    assert found["stages"][2]["steps"] == 3 and found["stages"][1]["zoom"] == "1.2 + 0.1*sin(t)"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PresetError, match=f"override image.path=.*: can't read the picture {tmp_path}/cat.png"):
        load_preset("chelsea", {"image.path": Path("cat.png")})


WRONG: list[tuple[Any, str]] = [
    (["size=1"], "--set size=1: size: is 1: must be WIDTHxHEIGHT"),
    ([("size", 1)], "override size=1: size: is 1: must be WIDTHxHEIGHT"),
    ({"size": object()}, "override size: is of type object, must be text, a number"),
    ({"size": {1, 2}}, "override size: is of type set, must be text, a number"),
    ("size", "--set size: needs KEY=VALUE, such as dream.steps=4"),
    ([3], r"override: 3: needs KEY=VALUE, \(key, value\) or an Override"),
    ([("size", "1x1", "more")], "override: .*needs KEY=VALUE"),
    ({3: "x"}, "override: .*needs KEY=VALUE"),
    ({"dram.steps": 4}, "override dram.steps=4: unknown key 'dram'; did you mean 'dream'"),
]


@pytest.mark.parametrize(("overrides", "said"), WRONG, ids=[said for _, said in WRONG])
def test_a_wrong_override_is_a_problem_of_the_preset(overrides: Any, said: str) -> None:
    with pytest.raises(PresetError, match=said):
        load_preset("first-light", overrides)


def test_a_path_is_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PresetError, match="first-light: can't be read"):
        load_preset(Path("first-light"))
    with pytest.raises(PresetError, match="unknown preset 'first-ligth'; did you mean 'first-light'"):
        load_preset("first-ligth")
    Path("first-light").write_text(SMALL)
    assert load_preset("first-light").name == "small"  # a file that is there is meant


@pytest.fixture(params=["float64", "meta", "inference", "autocast", "no_grad"])
def setting(request: pytest.FixtureRequest) -> Iterator[str]:
    """What a notebook may have done to torch before."""
    blocks: dict[str, Any] = {
        "meta": torch.device("meta"),
        "inference": torch.inference_mode(),
        "autocast": torch.autocast("cpu"),
        "no_grad": torch.no_grad(),
    }
    with ExitStack() as stack:
        if request.param == "float64":
            stack.callback(torch.set_default_dtype, torch.get_default_dtype())
            torch.set_default_dtype(torch.float64)
        else:
            stack.enter_context(blocks[request.param])
        yield request.param


def test_torch_as_a_caller_set_it_is_fine_or_named(setting: str, tmp_path: Path) -> None:
    preset = dreamreel.parse_preset(SMALL.replace("steps: 1\n", "steps: 1\n    engine: folded\n", 1))
    if setting == "no_grad":
        assert len(list(frames(preset))) == 4
        return
    named = {"float64": "set_default_dtype", "meta": "set_default_device"}.get(setting, f"torch.{setting}")
    with pytest.raises(PipelineError, match=f"can't compute as torch is set here: .*{named}"):
        dreamreel.render(preset, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(PipelineError, match="can't compute as torch is set here"):
        next(frames(preset))
