from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import PresetError
from pipeline.frame import Size
from pipeline.preset import Override, find_preset, load_preset, parse_preset, shelf
from pipeline.stages.dream import DreamConfig
from tests.clips import counter
from tests.conftest import SMALL, photograph
from tests.entries import ENTRIES

Write = Callable[[str], Path]


def problems_of(path: Path, *overrides: Override) -> str:
    with pytest.raises(PresetError) as caught:
        load_preset(path, overrides)
    return str(caught.value)


def test_a_small_preset_is_read(small_preset: Path) -> None:
    preset = load_preset(small_preset)
    assert preset.name == "small" and preset.size == Size(48, 64) and preset.fps == Fraction(12)
    assert [config.id for config in preset.stages] == ["noise", "zoom", "dream", "palette", "encode"]


def test_the_resolved_preset_loads_to_the_same(small_preset: Path) -> None:
    preset = load_preset(small_preset)
    again = parse_preset(preset.to_yaml().encode())
    assert again.resolved() == preset.resolved()
    assert "octave_scale" in preset.to_yaml()


def test_curves_are_written_back_as_they_were_read(write_preset: Write) -> None:
    curves = """zoom: {0s: 1.2, 8s: [2, hold], 12s: 1.5, ease: smooth}
    rotate: {deforum: '0:(1.02), 50:(1.1*sin(t))', fps: 15}
    pan: [0.1*noise(t), {deforum: '0:(3)', fps: 30000/1001, width: 512}]"""
    text = SMALL.replace("zoom: 1.5\n    rotate: 20", curves)
    text = text.replace(
        "octaves: 1", "layer: {0s: blocks.2.1, 1s: blocks.4.1}\n    octaves: 1\n    octave_weights: [1+t]"
    )
    preset = load_preset(write_preset(text))
    again = parse_preset(preset.to_yaml().encode())
    assert again.resolved() == preset.resolved() and again.stages == preset.stages


def test_endless_films_have_no_progress_and_are_checked_for_ten_minutes(write_preset: Write) -> None:
    text = SMALL.replace("duration: 4f", "duration: endless")
    assert "an endless film does not have" in problems_of(write_preset(text.replace("zoom: 1.5", "zoom: 1 + p")))
    late = problems_of(write_preset(text.replace("zoom: 1.5", "zoom: 1/(f - 7000)**2 + 0.1")))
    assert "at 583.33s (frame 7000)" in late
    assert load_preset(write_preset(text.replace("zoom: 1.5", "zoom: 1/(f - 7300)**2 + 0.1")))


def test_the_name_comes_from_the_file(write_preset: Write) -> None:
    assert load_preset(write_preset("stages: [{stage: noise}]")).name == "preset"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("  - stage: zoom", "  - stage: zooom"), [":9: stages[1].stage", "'zooom'", "did you mean 'zoom'"]),
        (("    octaves: 1", "    octavs: 1"), [":13: stages[2].octavs", "did you mean 'octaves'"]),
        (("fps: 12", "fsp: 12"), [":3: fsp", "did you mean 'fps'"]),
        (("    octaves: 1", "    octaves: 0"), [":13: stages[2].octaves", "is 0, must be at least 1"]),
        (("    octaves: 1", "    octaves: 1.5"), ["is 1.5, must be a whole number"]),
        (("    octaves: 1", "    octaves: many"), ["is 'many', must be a whole number"]),
        (("    zoom: 1.5", "    zoom: .inf"), ["must be a finite number"]),
        (("    octaves: 1", "    normalise: laplace"), ["must be mean or laplacian; did you mean 'laplacian'?"]),
        (("    zoom: 1.5", "    pan: [1]"), [":10: stages[1].pan"]),
        (("  - stage: noise\n", ""), ["has no source; begin with one of noise, image"]),
        (("  - stage: palette", "  - stage: noise"), [":16: stages[3].stage", "second source"]),
        (("  - stage: noise\n", "  - stage: palette\n  - stage: noise\n"), ["noise is a source; it must stand first"]),
        (("  - stage: palette", "  - stage: encode\n  - stage: palette"), ["must stand last"]),
        (("  - stage: noise", "  - stage: image"), [":8: stages[0].path", "is missing"]),
        (("  - stage: noise", "  - stage: image\n    path: nowhere.png"), [":9: stages[0].path", "nowhere.png"]),
        (
            ("  - stage: noise", "  - stage: image\n    path: 'package:no_such/x.png'"),
            ["'no_such' is not installed"],
        ),
        (("    octaves: 1", "    layer: blocks.5.9"), [":13: stages[2].layer", "blocks.5.3", "dreamreel layers"]),
        (("    octaves: 1", "    model: lite00"), [":13: stages[2].model", "did you mean 'lite0'"]),
        (("    octaves: 1", "    octaves: 4"), ["smallest octave would be 19x14", "needs 32x32", "use at most 2"]),
        (("size: 64x48", "size: 32x16"), ["layer blocks.5.0 needs 32x32", "larger `size`"]),
        (("size: 64x48", "size: 65x48"), [":17: stages[4]", "64x48 or 66x48"]),
        (("size: 64x48", "size: large"), [":2: size", "WIDTHxHEIGHT"]),
        (("duration: 4f", "duration: 4"), [":4: duration", "needs a unit"]),
        (("seed: 3", "seed: -3"), [":5: seed", "at least 0"]),
        (("device: cpu", "device: gpu"), [":6: device", "cuda"]),
        (("name: small", "name: ../evil"), [":1: name"]),
        (("  - stage: palette", "  - stage: palette\n    to: neon"), ["is 'neon'", "ember"]),
        (("  - stage: palette", "  - palette"), [":16: stages[3]", "must be a mapping"]),
        (
            ("zoom: 1.5", "zoom: 1/abs(f-2)"),
            [":10: stages[1].zoom", "no finite value at 0.17s (frame 2)", "divides by zero"],
        ),
        (("zoom: 1.5", "zoom: 1/(t-0.1)"), [":10: stages[1].zoom", "is -10 at 0.00s (frame 0), must be at least 0.01"]),
        (("zoom: 1.5", "zoom: sin(pi*f)*9 + where(t*12*2 > 3, 1e9, 1)"), [":10: stages[1].zoom", "at most 100"]),
        (("zoom: 1.5", "zoom: p**0 + n*0 + q"), [":10: stages[1].zoom", "'q' is unknown", "noise"]),
        (("zoom: 1.5", "zoom: {0s: [1, hold], 0.25s: 200}"), ["is 200 at 0.25s (frame 3), must be at most 100"]),
        (("zoom: 1.5", "zoom: {0s: 1, soon: 2}"), ["'soon' is no time", "1m30s"]),
        (("zoom: 1.5", "zoom: {0s: 1, 1s: 2, ease: jump}"), ["'jump' must be one of linear, smooth"]),
        (
            ("zoom: 1.5", "zoom: {deforum: '0:(1.02), 2:(1), 3:(0)'}"),
            ["is 0 at 0.25s (frame 3), must be at least 0.01"],
        ),
        (("zoom: 1.5", "zoom: {deforum: '0:(1.02'}"), ["leaves a bracket open"]),
        (("zoom: 1.5", "pan: [{deforum: '0:(5)'}, 0]"), [":10: stages[1].pan", "width: 512"]),
        (("zoom: 1.5", "pan: [0, 1/f]"), [":10: stages[1].pan", "[1] has no finite value at 0.00s (frame 0)"]),
        (("    steps: 1\n", "    steps: 1.5\n"), ["stages[2].steps", "must be a whole number"]),
        (
            ("    octaves: 1", "    octaves: 1\n    octave_weights: [1, 2]"),
            ["has 2 values, must have one for each of 1"],
        ),
        (
            ("    octaves: 1", "    octaves: 1\n    layer: {0s: blocks.2.1, 2s: blocks.9.1}"),
            ["blocks.9.1", "blocks.5.1"],
        ),
        (("    octaves: 1", "    octaves: 1\n    layer: {1s: blocks.2.1, 2f: blocks.4.1}"), ["out of order"]),
        (("  - stage: palette", "  - to: ember"), [":16: stages[3]", "has no `stage:`"]),
        (("seed: 3", "seed: 3\nseed: 4"), [":6: seed", "stands twice"]),
        (("seed: 3", "\tseed: 3"), ["tab"]),
        (("  - stage: zoom", "  - stage: zoom\n    id: noise"), ["which another stage has already"]),
    ],
)
def test_mistakes_are_named_with_place_and_remedy(
    write_preset: Write, change: tuple[str, str], words: list[str]
) -> None:
    assert change[0] in SMALL
    message = problems_of(write_preset(SMALL.replace(*change)))
    for word in words:
        assert word in message, message


def test_several_mistakes_are_told_at_once(write_preset: Write) -> None:
    text = SMALL.replace("fps: 12", "fps: never").replace("zoom: 1.5", "zoom: 0").replace("steps: 1", "stesp: 1", 1)
    message = problems_of(write_preset(text))
    assert len(message.splitlines()) == 3


def test_what_the_run_says_is_told_beside_what_can_t_be_read(write_preset: Write) -> None:
    text = SMALL.replace("    octaves: 1", "    octaves: 1\n    layer: blocks.9.1").replace("zoom: 1.5", "zoom: 1000")
    message = problems_of(write_preset(text))
    assert "blocks.9.1" in message and "must be at most 100" in message


@pytest.mark.parametrize("text", ["", "# nothing\n", "- a\n- b\n", "just words", "42"])
def test_what_is_no_mapping_is_refused(write_preset: Write, text: str) -> None:
    message = problems_of(write_preset(text))
    assert "empty" in message or "mapping" in message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "can't be read: No such file" in problems_of(tmp_path / "none.yaml")
    assert "can't be read: is a folder" in problems_of(tmp_path)


def test_damaged_pictures_are_refused(tmp_path: Path, write_preset: Write) -> None:
    good = photograph("chelsea.png").read_bytes()
    done, jpeg = cv2.imencode(".jpg", np.full((64, 64, 3), 90, np.uint8))
    assert done
    cases = {
        "short.png": (good[: len(good) // 2], "ends early"),
        "short.jpg": (jpeg.tobytes()[:300], "ends early"),
        "text.png": (b"not a picture at all", "not a picture"),
        "empty.png": (b"", "is empty"),
    }
    for name, (data, words) in cases.items():
        (tmp_path / name).write_bytes(data)
        text = SMALL.replace("stage: noise", f"stage: image\n    path: {name}")
        message = problems_of(write_preset(text))
        assert words in message and name in message and "stages[0].path" in message


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("stage: noise", "stage: [noise]", "stages[0].stage: unknown stage"),
        ("stage: zoom", "stage: {a: 1}", "stages[1].stage: unknown stage"),
        ("stage: zoom", "stage: zoom\n    id: [1]", "stages[1].id: is [1], must be text"),
        ("stage: zoom", "stage: zoom\n    id: {a: 1}", "stages[1].id: is a mapping, must be text"),
        ("stage: zoom", "stage: zoom\n    id: v/1", "letters, digits, blanks and . - _"),
        ("name: small", f"name: {'あ' * 80}", "takes 240 bytes, a file's name has room for 200"),
        ("name: small", "name: film.part-1", "must not hold '.part'"),
        ("stage: noise", "stage: noise\n    path: cat.png", "noise takes no file: `image` takes a picture"),
        ("stage: noise", "stage: image\n    path: ~nosuchuser/cat.png", "there is no home folder ~nosuchuser"),
        ("stage: noise", f"stage: image\n    path: {'x' * 300}.png", "can't be looked up: File name too long"),
        ("stage: noise", f"stage: video\n    path: {'x' * 300}.mp4", "can't be looked up: File name too long"),
        ("stage: dream", f"stage: dream\n    weights: {'x' * 300}.pth", "can't be looked up: File name too long"),
        ("seed: 3", f"audio: {'x' * 300}.wav", "can't be looked up: File name too long"),
        ("stage: noise", "stage: image\n    path: none.png", "No such file or directory; check its path"),
        ("stage: noise", "stage: video\n    path: none.mp4", "no such file; check its path"),
    ],
)
def test_odd_names_are_problems(write_preset: Write, old: str, new: str, words: str) -> None:
    message = problems_of(write_preset(SMALL.replace(old, new)))
    assert words in message, message


def test_a_film_is_no_picture(tmp_path: Path, write_preset: Write) -> None:
    film = counter(tmp_path / "film.mp4", 5)
    for path in (film, Path(str(photograph("chelsea.png").parent))):
        message = problems_of(write_preset(SMALL.replace("stage: noise", f"stage: image\n    path: {path}")))
        assert "is no picture but footage; use `stage: video`" in message and "over-footage" in message


def test_presets_are_read_from_text() -> None:
    assert parse_preset(SMALL).resolved() == parse_preset(SMALL.encode()).resolved()
    with pytest.raises(PresetError, match="UTF-8"):
        parse_preset("name: \ud800")


@pytest.mark.parametrize("name", ["chelsea", "chelsea-hd"])
def test_chelsea_takes_the_colours_of_any_picture(name: str) -> None:
    chain = load_preset(shelf()[name]).resolved()["stages"]
    (palette,) = (stage for stage in chain if stage["stage"] == "palette")
    assert palette["to"] == "seed" and "image" not in palette


def test_overrides_reach_every_key(small_preset: Path) -> None:
    preset = load_preset(
        small_preset,
        [Override("fps", "30000/1001"), Override("dream.steps", "7"), Override("stages[1].pan", "[0.1, 0]")],
    )
    assert preset.fps == Fraction(30000, 1001)
    dream = preset.stages[2]
    assert isinstance(dream, DreamConfig) and dream.steps.source == 7


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("fsp", "3", ["--set fsp=3", "did you mean 'fps'"]),
        ("dreem.steps", "3", ["--set dreem.steps=3", "did you mean 'dream'"]),
        ("dream.steps", "0", ["--set dream.steps=0", "stages[2].steps", "at least 1"]),
        ("stages[9].steps", "1", ["stages has no [9]"]),
        ("dream.steps.deep", "1", ["has no deep"]),
        ("dream.steps", "[1", ["--set dream.steps=[1", "not valid YAML"]),
        ("", "1", ["needs a key"]),
        ("zoom", "1", ["zoom is a stage", "zoom.zoom=VALUE"]),
        ("dream", "1", ["dream is a stage", "dream.KEY=VALUE", "dreamreel stages dream"]),
        ("zoom.id", "[1]", ["stages[1].id: is [1], must be text"]),
    ],
)
def test_bad_overrides_name_themselves(small_preset: Path, key: str, value: str, words: list[str]) -> None:
    message = problems_of(small_preset, Override(key, value))
    for word in words:
        assert word in message, message


def test_an_override_of_one_of_two_stages_wants_an_index(write_preset: Write) -> None:
    path = write_preset(SMALL.replace("  - stage: palette", "  - stage: dream\n    octaves: 1\n  - stage: palette"))
    assert "stages[2] or stages[3]" in problems_of(path, Override("dream.steps", "1"))
    assert load_preset(path).stages[3].id == "dream-2"


def test_shelf_presets_are_right() -> None:
    assert "first-light" in shelf()
    for name, path in shelf().items():
        assert load_preset(path).name == path.stem == name


def test_presets_are_found_by_name_or_path(small_preset: Path) -> None:
    assert find_preset("first-light") == shelf()["first-light"]
    assert find_preset(str(small_preset)) == small_preset
    with pytest.raises(PresetError, match="did you mean 'first-light'"):
        find_preset("first-ligth")
    with pytest.raises(PresetError, match=r"no home folder ~nosuchuser here; .*dreamreel presets"):
        find_preset("~nosuchuser/film.yaml")
    with pytest.raises(PresetError, match="File name too long"):
        find_preset("x" * 300 + ".yaml")


def test_every_key_says_what_it_means() -> None:
    for name, config in ENTRIES.items():
        for key, field in config.model_fields.items():
            assert field.description, f"{name}.{key}"


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
_KEYS = st.sampled_from(["stage", "steps", "zoom", "to", "id", "path", "size", "fps", "stages", "x"])
_STAGE = st.dictionaries(_KEYS, _SCALARS | st.sampled_from(sorted(ENTRIES)), max_size=4)


_CURVES = (
    _SCALARS
    | st.sampled_from(
        ["t", "1/t", "1.2 + p", "noise(f)/n", "sin(t", "t**t**t", "where(t<1,2,3)", "eval(1)", "0x1for t"]
    )
    | st.dictionaries(st.sampled_from(["0s", "1s", "9f", "ease", "x", "deforum", "fps", "width"]), _SCALARS, max_size=3)
    | st.lists(_SCALARS | st.sampled_from(["t", "1/(t-0.1)"]), max_size=3)
    | st.builds(
        lambda text: {"deforum": text}, st.sampled_from(["0:(1.02)", "0:(1/t), 3:(max_f)", "0:(1", "t:(1)", "9:t"])
    )
    | st.builds(lambda text, fps: {"deforum": f"0:({text})", "fps": fps}, st.text("0123.t+*/()", max_size=6), _SCALARS)
)
_MOVING = st.dictionaries(
    st.sampled_from(
        [
            *((1, key) for key in ("zoom", "rotate", "pan", "centre", "shear", "tilt", "edges")),
            *((2, key) for key in ("strength", "steps", "layer", "octave_weights", "every", "new_strength")),
            *((3, key) for key in ("strength", "contrast")),
        ]
    ),
    _CURVES,
    max_size=4,
)


@settings(deadline=None, max_examples=150)
@given(_MOVING, st.sampled_from(["4f", "endless", "1s"]))
def test_any_curve_gives_a_preset_or_a_preset_error(keys: dict[tuple[int, str], object], duration: str) -> None:
    import yaml

    data = yaml.safe_load(SMALL)
    data["duration"] = duration
    for (stage, key), value in keys.items():
        data["stages"][stage][key] = value
    try:
        preset = parse_preset(yaml.safe_dump(data).encode())
    except PresetError as error:
        assert error.problems
    else:
        assert parse_preset(preset.to_yaml().encode()).resolved() == preset.resolved()


@settings(deadline=None, max_examples=150)
@given(st.dictionaries(_KEYS, _SCALARS | st.lists(_SCALARS | _STAGE, max_size=4), max_size=5))
def test_any_data_gives_a_preset_or_a_preset_error(data: dict[str, object]) -> None:
    import yaml

    try:
        parse_preset(yaml.safe_dump(data).encode())
    except PresetError as error:
        assert error.problems
