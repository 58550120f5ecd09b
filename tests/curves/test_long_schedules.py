"""Schedules with a key a frame, in a preset and in files of their own."""

from __future__ import annotations

import os
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pipeline.curves import Clock, Curve, Deforum, Keyframes, Moments, curves_of, parse_curve
from pipeline.curves.keyframes import _spline_slopes, _tridiagonal
from pipeline.errors import PresetError
from pipeline.preset import Override, load_preset, parse_preset
from tests.conftest import SMALL

FPS = Fraction(24)
MANY = 100_000
LEVELS = [1 + (number * 7919 % 1000) / 10_000 for number in range(MANY)]
SCHEDULE = ", ".join(f"{number}:({level})" for number, level in enumerate(LEVELS))


def moments(first: int, count: int, frames: int | None = MANY) -> Moments:
    return Clock(FPS, frames, 0).at_frames(np.arange(first, first + count, dtype=np.float64))


def with_zoom(zoom: str, duration: str = f"{MANY}f") -> str:
    return SMALL.replace("    zoom: 1.5\n    rotate: 20", f"    zoom: {zoom}").replace(
        "duration: 4f", f"duration: {duration}"
    )


def test_a_hundred_thousand_keys_are_right_and_quick() -> None:
    keyframes = Keyframes({f"{number}f": level for number, level in enumerate(LEVELS)})
    deforum = Deforum(SCHEDULE)
    for curve in (deforum, keyframes):
        assert curve.values(moments(0, MANY)).tolist() == LEVELS
        between = (moments(500, 1).seconds + moments(501, 1).seconds) / 2
        value = curve.values(Clock(FPS, MANY, 0).at_seconds(between))[0]
        assert value == pytest.approx(LEVELS[501] if curve is deforum else (LEVELS[500] + LEVELS[501]) / 2)
        began = time.process_time()
        for number in range(200):
            curve.values(moments(number * 400, 2))
        assert time.process_time() - began < 1  # a lookup, not a walk along all keys


def test_a_long_schedule_renders_from_its_preset() -> None:
    began = time.process_time()
    preset = parse_preset(with_zoom(f"{{deforum: '{SCHEDULE}'}}"))
    assert time.process_time() - began < 12  # a second or two on a quiet machine
    assert parse_preset(preset.to_yaml()).stages == preset.stages
    broken = SCHEDULE.replace(f", 48000:({LEVELS[48000]})", ", 48000:(0.59)")
    with pytest.raises(PresetError, match=r"is 0.0017792 at 4000.00s \(frame 48000\), must be at least 0.01"):
        parse_preset(with_zoom(f"{{deforum: '{broken}'}}"))


def test_more_than_that_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match=r"needs 1 to 100000 keyframes, .* here are 100001"):
        Deforum(SCHEDULE + ", 100000:(1)")
    with pytest.raises(ValueError, match="keyframes need 1 to 100000 times"):
        Keyframes({f"{number}f": 1 for number in range(MANY + 1)})
    with pytest.raises(ValueError, match="more than 5000 different expressions"):
        Deforum(", ".join(f"{number}:({number}*t)" for number in range(6000)))
    with pytest.raises(ValueError, match="at most 4000000"):
        Deforum("0:(1)" + " " * 4_000_000)


def test_a_long_spline_is_the_short_ones_kind() -> None:
    times, numbers = np.cumsum(np.linspace(0.1, 2, 300)), np.sin(np.arange(300.0))
    short = _spline_slopes(times, numbers)
    length, rise = np.diff(times), np.diff(numbers)
    inverse = 1 / length
    main = np.concatenate([[2.0], 2 * (inverse[:-1] + inverse[1:]), [2.0]])
    right = np.concatenate(
        [
            [3 * rise[0] / length[0]],
            3 * (rise[:-1] / length[:-1] ** 2 + rise[1:] / length[1:] ** 2),
            [3 * rise[-1] / length[-1]],
        ]
    )
    long = _tridiagonal(np.append(inverse[:-1], 1.0), main, np.append(1.0, inverse[1:]), right)
    assert long == pytest.approx(short, abs=1e-12)
    curve = Keyframes({**{f"{number}f": level for number, level in enumerate(LEVELS[:5000])}, "ease": "spline"})
    assert curve.values(moments(0, 5000)) == pytest.approx(LEVELS[:5000])


def of_file(path: Path, **options: object) -> Curve:
    return parse_curve({"file": path.name, **options}, path.parent)


def test_a_file_holds_what_a_key_could(tmp_path: Path) -> None:
    film = moments(0, 48)
    texts = {"d.txt": "0:(1.02),\n20:(1.5*sin(t/9)),\n 40: (3)", "e.txt": "1.3 + 0.2*sin(t)\n", "n.txt": "\ufeff1.5\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        plain = {"deforum": " ".join(text.splitlines())} if name == "d.txt" else text.strip().strip("\ufeff")
        assert np.array_equal(of_file(tmp_path / name).values(film), parse_curve(plain).values(film))
    slow = of_file(tmp_path / "d.txt", fps=12, width=512)
    assert isinstance(slow, Deforum) and (slow.fps, slow.width) == (12, 512)


def test_a_csv_may_have_many_columns_and_count_frames(tmp_path: Path) -> None:
    (tmp_path / "moves.csv").write_text("Frame;zoom;turn\n0;1;10\n24;2;20\n")
    given = {"file": str(tmp_path / "moves.csv"), "column": "turn"}
    assert parse_curve(given).source == given and parse_curve(given).content == {"0f": 10.0, "24f": 20.0}
    assert parse_curve({**given, "fps": 48}).content == {"0.000000000s": 10.0, "0.500000000s": 20.0}


def test_a_csv_holds_times_and_values(tmp_path: Path) -> None:
    path = tmp_path / "moves.CSV"
    path.write_text("time, value\n# from a song\n0,1\n\n0.5;2\n1m2s\t3\n1500f,-1e-2\n")
    curve = of_file(path, ease="smooth")
    plain = Keyframes({"0s": 1.0, "0.5s": 2.0, "1m2s": 3.0, "1500f": -0.01, "ease": "smooth"})
    assert np.array_equal(curve.values(moments(0, 1600)), plain.values(moments(0, 1600)))
    path.write_text("\n".join(f"{number / 24!r},{level}" for number, level in enumerate(LEVELS[:20_000])))
    assert of_file(path).values(moments(0, 20_000)) == pytest.approx(LEVELS[:20_000], abs=1e-6)


@pytest.mark.parametrize(
    ("name", "text", "options", "words"),
    [
        ("a.csv", "0,1\n1,2,3\n", {}, r"a\.csv: line 2: has 3 columns, must be TIME,VALUE"),
        ("a.csv", "0,1\nx,2\n", {}, r"a\.csv: line 2: 'x,2' must be TIME,VALUE"),
        ("a.csv", "0,1\n0.0,2\n", {}, r"line 2: the time 0\.0 stands twice"),
        ("a.csv", "2,1\n1,2\n", {}, "keyframes must stand in the order"),
        ("a.csv", "", {}, "holds no lines of TIME,VALUE"),
        ("a.csv", "0,1", {"fps": 3}, "`fps` says how fast frames are, and its first column is not called frame"),
        ("a.csv", "0,1", {"width": 3}, "beside a file with csv there may be no key 'width'"),
        ("a.csv", "time,zoom,turn\n0,1,2\n", {}, r"has 3 columns \(zoom, turn\); name the one with the values"),
        ("a.csv", "time,zoom\n0,1\n", {"column": "pan"}, "has no column 'pan'; there are zoom"),
        ("a.csv", "0,1\n", {"column": "pan"}, "its first line must name its columns"),
        ("a.csv", "frame,zoom\n1.5,1\n", {}, "line 2: '1.5,1' must be TIME,VALUE"),
        ("a.txt", "0:(1", {}, "leaves a bracket open"),
        ("a.txt", "", {}, "is empty"),
        ("a.txt", "sin(", {}, "can't be read; write it as"),
        ("a.txt", "t", {"ease": "smooth"}, "beside a file with expression there may be no key 'ease'"),
        ("none.txt", None, {}, "none.txt: can't be read: No such file"),
        ("~nosuchuser/x.txt", None, {}, "there is no home folder ~nosuchuser here; write the path out"),
        ("a\0b", None, {}, "null byte"),
    ],
)
def test_wrong_files_are_problems(
    tmp_path: Path, name: str, text: str | None, options: dict[str, object], words: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=words):
        parse_curve({"file": name, **options}, tmp_path)


def test_only_regular_files_of_bounded_size_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "big.txt").write_bytes(b" " * 9_000_000)
    (tmp_path / "picture.txt").write_bytes(b"\xff\xd8\xff")
    for name, words in {
        "pipe.txt": "a device or a pipe",
        "/dev/zero": "a device or a pipe",
        ".": "is a folder",
        "big.txt": "holds 9 MB, at most 8 MB",
        "picture.txt": "is not text in UTF-8",
    }.items():
        with pytest.raises(ValueError, match=words):
            parse_curve({"file": name}, tmp_path)


def test_a_preset_takes_files_from_its_own_folder_and_shows_them(tmp_path: Path) -> None:
    (tmp_path / "zoom.txt").write_text("0:(1.01), 3:(1.02)")
    (tmp_path / "pan.csv").write_text("0,0\n1,0.5\n")
    path = tmp_path / "p.yaml"
    path.write_text(with_zoom("{file: zoom.txt}\n    pan: [{file: pan.csv, ease: smooth}, 0]", "4f"))
    preset = load_preset(path)
    files = [curve.file for _, _, curve, _ in curves_of(preset.stages[1]) if curve.file is not None]
    assert files == [str(tmp_path / "zoom.txt"), str(tmp_path / "pan.csv")]
    again = parse_preset(preset.to_yaml())
    assert again.stages == preset.stages and again.resolved() == preset.resolved()
    assert preset.resolved()["stages"][1]["zoom"] == {"file": files[0]}
    (tmp_path / "zoom.txt").unlink()
    gone = parse_preset(preset.to_yaml(), checked=False)  # a run is looked at, though a file is gone
    assert gone.resolved() == preset.resolved()
    with pytest.raises(PresetError, match=r"p\.yaml:10: stages\[1\]\.zoom: .*zoom\.txt: can't be read: No such file"):
        load_preset(path)


def test_a_file_is_found_as_every_other_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "presets").mkdir()
    path = tmp_path / "presets/p.yaml"
    path.write_text(with_zoom("1", "4f"))
    (tmp_path / "typed.csv").write_text("0,1.5\n")
    monkeypatch.chdir(tmp_path)  # what is typed is meant from here, what a preset says from where it lies
    typed = load_preset(path, [Override("zoom.zoom", "{file: typed.csv}")])
    assert typed.inputs()["zoom.zoom.file"].path == (tmp_path / "typed.csv").resolve()
    with pytest.raises(PresetError, match=r"typed\.csv: can't be read"):
        parse_preset(with_zoom("{file: typed.csv}", "4f"), folder=tmp_path / "presets")
    package = tmp_path / "moves_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "zoom.csv").write_text("0,1.25\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert parse_curve({"file": "package:moves_package/zoom.csv"}).values(moments(0, 1)) == [1.25]
