"""Whatever a preset holds, what comes back is a preset, or problems that say where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import PresetError, format_path
from pipeline.media import paths
from pipeline.preset import Override, load_preset, parse_preset
from pipeline.preset.names import name_from
from pipeline.stages.dream import DreamConfig
from pipeline.stages.image import ImageConfig
from pipeline.stills import dream_config
from tests.conftest import SMALL
from tests.entries import ENTRIES


def problems(text: str, *overrides: Override) -> PresetError:
    with pytest.raises(PresetError) as caught:
        parse_preset(text, name="p.yaml", overrides=overrides)
    return caught.value


ERRORS = [KeyError("k"), RecursionError("deep"), MemoryError(), OverflowError("big"), AttributeError(), IndexError("i")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_any_exception_is_located(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    image = SMALL.replace("stage: noise", "stage: image\n    path: x.png")
    with monkeypatch.context() as patch:
        patch.setattr(paths, "resolve", fail)  # within a validator
        assert f"p.yaml:9: stages[0].path: can't be worked with ({type(error).__name__}" in str(problems(image))
    with monkeypatch.context() as patch:
        patch.setattr(DreamConfig, "problems", fail)
        assert str(problems(SMALL)).startswith("p.yaml:12: stages[2]: can't be worked with")
    with monkeypatch.context() as patch:
        patch.setattr(ImageConfig, "natural", fail)
        assert "stages[0].path: can't be worked with" in str(problems(image))
    monkeypatch.setattr("pipeline.stages.dream.config.absolute", fail)
    with pytest.raises(PresetError, match=r"^weights: can't be worked with"):
        dream_config({"weights": "x.pth"})
    monkeypatch.setenv("DREAMREEL_TRACEBACK", "1")
    with pytest.raises(type(error)):
        dream_config({"weights": "x.pth"})


WRONG = [
    SMALL.replace("    octaves: 1", "    objective: {layer: blocks.4.1, guide: none.png}"),
    SMALL.replace("    octaves: 1", "    objective: {layer: blocks.9.1, channel: 5000}"),
    SMALL.replace("    octaves: 1", "    objective: [{layer: blocks.4.1, guide: none.png}, {class: bananna}]"),
    SMALL.replace("    octaves: 1", "    objective: {layer: blocks.4.1, chanel: 3, weight: 1/0}"),
    SMALL.replace("    octaves: 1", "    objective: {layer: blocks.4.1, weight: 1/f}"),
    SMALL.replace("    octaves: 1", "    mask: {image: none.png}"),
    SMALL.replace("    octaves: 1", "    mask: {radial: 0.4, centre: [x, 1]}"),
    SMALL.replace("    octaves: 1", "    mask:\n    octaves: 0"),
    SMALL.replace("zoom: 1.5", "pan: [0, 1/f]"),
    SMALL.replace("zoom: 1.5", "pan: 3"),
    SMALL.replace("zoom: 1.5", "'a.b': 3\n    'x=y': 1\n    '': 2\n    \"it's\": 1"),
    SMALL.replace("stage: palette", "palette"),
    SMALL.replace("stage: palette", "stage: palete"),
    SMALL.replace("stage: noise", "stage: image"),
    SMALL.replace("name: small", "name: a/b\nlead_in: soon\nsize: [1]\nstagges: 1"),
    "fps: 1",
    "stages: 3",
]


@pytest.mark.parametrize("text", WRONG)
def test_every_path_in_a_message_is_one_that_set_takes(text: str) -> None:
    told = [problem for problem in problems(text).problems if problem.path]
    assert told
    for problem in told:
        override = Override.of(f"{format_path(problem.path)}=3")
        try:
            parse_preset(text, name="p.yaml", overrides=[override])
        except PresetError as error:
            refused = [each for each in error.problems if each.where.startswith("--set") and not each.path]
            assert not refused, str(error)


def test_a_lone_mapping_is_its_own_first(tmp_path: Path) -> None:
    text = SMALL.replace("    octaves: 1", "    objective: {layer: blocks.9.9, channel: 3}")
    assert "p.yaml:13: stages[2].objective[0].layer" in str(problems(text))
    for key in ("dream.objective[0].layer", "stages[2].objective.layer", "dream.objective[0][0].layer"):
        preset = parse_preset(text, overrides=[Override(key, "blocks.4.1"), Override("dream.octaves", "1")])
        assert preset.resolved()["stages"][2]["objective"][0]["layer"] == "blocks.4.1"
    told = problems(text, Override("dream.objective[0].layer", "blocks.8.1"))
    assert str(told).startswith("--set dream.objective[0].layer=blocks.8.1: stages[2].objective[0].layer: ")
    alone = Override("dream.objective[0].channel[0]", "4")  # as it would be in a list
    text = text.replace("blocks.9.9", "blocks.4.1")
    assert parse_preset(text, overrides=[alone]).resolved()["stages"][2]["objective"][0]["channel"] == 4
    assert "objective has no [1]" in str(problems(text, Override("dream.objective[1].layer", "x")))
    assert "needs a key" in str(problems(text, Override("[0]", "x")))


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("mine (1)", "mine-1"),
        ("100%", "100"),
        ("na'me", "na-me"),
        (".hidden", "hidden"),
        ("e\u0301t\u00e9", "été"),
        ("हिन्दी", "हिन्दी"),
        ("日本", "日本"),
        ("a" * 300, "a" * 100),
        ("あ" * 90, "あ" * 66),
        ("%%%", "film"),
        ("x.part-3", "x-part-3"),
        ("a\x1b\n\udcffb", "a-b"),
        ("plain name.v2", "plain name.v2"),
    ],
)
def test_a_films_name_is_made_of_the_files(stem: str, name: str) -> None:
    assert name_from(stem) == name
    assert parse_preset("stages: [{stage: noise}]", name=f"folder/{stem}.yaml").name == name


@pytest.mark.parametrize("name", ["mine (1)", "100%", "na'me", "../evil", " a", ".a", "-a", ""])
def test_a_wrong_name_is_explained_in_words(name: str) -> None:
    said = str(problems(SMALL.replace("name: small", f'name: "{name}"')))
    assert "p.yaml:1: name: " in said and ("letters, digits, blanks and . + - _" in said)
    assert "^" not in said and "pattern" not in said
    said = str(problems(SMALL.replace("stage: palette", "stage: palette\n    id: a(b)")))
    assert "^" not in said and "pattern" not in said and "letters, digits, blanks and . - _" in said


def test_bounds_are_said(tmp_path: Path) -> None:
    terms = ", ".join("{class: banana}" for _ in range(101))
    told = problems(SMALL.replace("    octaves: 1", f"    objective: [{terms}]"))
    assert "holds 101 objectives, may hold at most 100" in str(told)
    assert "has 65 stages, may have at most 64" in str(problems("stages:\n" + "  - stage: palette\n" * 65))
    many = "".join(f"k{number}: 1\n" for number in range(200))
    assert "has 206 keys, may have at most 100" in str(problems(SMALL + many))
    keys = "".join(f"    k{number}: 1\n" for number in range(90))
    told = problems(SMALL.replace("  - stage: palette\n", f"  - stage: palette\n{keys}"))
    assert len(told.problems) == 51 and "and more; these are the first 50 problems" in str(told)
    (tmp_path / "big.yaml").write_bytes(b"#" * 4_000_000)
    with pytest.raises(PresetError, match=r"big\.yaml: can't be read: holds 4 MB, at most 3 MB"):
        load_preset(tmp_path / "big.yaml")
    with pytest.raises(PresetError, match="a device or a pipe"):
        load_preset("/dev/zero")
    with pytest.raises(PresetError, match="can't be read: embedded null byte"):
        load_preset("a\0b.yaml")


_KEYS = st.sampled_from(["id", "zoom", "pan", "objective", "mask", "layer", "path", "steps", "guide", "a.b", "=", ""])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from(["t", "1/f"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(sorted(ENTRIES)), st.dictionaries(_KEYS, _VALUES, max_size=3))
def test_any_stage_gives_a_preset_or_paths_that_set_takes(stage: str, keys: dict[str, Any]) -> None:
    import json

    text = json.dumps({"size": "64x48", "duration": "4f", "stages": [{"stage": "noise"}, {"stage": stage, **keys}]})
    try:
        parse_preset(text, name="p.yaml")
    except PresetError as error:
        for problem in error.problems:
            if problem.path:
                with pytest.raises(PresetError) as caught:
                    parse_preset(text, overrides=[Override(format_path(problem.path), "[]")])
                assert not [each for each in caught.value.problems if each.where.startswith("--set") and not each.path]
