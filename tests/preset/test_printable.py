"""Nothing that a preset or a file's name holds acts on the terminal that a message is printed on."""

from __future__ import annotations

import pytest

from pipeline.errors import (
    MediaError,
    PipelineError,
    PresetError,
    Problem,
    format_path,
    parse_path,
    printable,
    reason_of,
    split_setting,
)
from pipeline.preset import Override, parse_preset
from tests.conftest import SMALL

EVIL = "\x1b]0;x\x07\x9b31m\x7f\u202e\u2066\u2028\r\udcff\ud800"


def test_escapes_are_shown_and_letters_stay() -> None:
    assert printable(EVIL) == r"\x1b]0;x\x07\x9b31m\x7f\u202e\u2066\u2028\r\xff\ud800"
    assert printable("é あ हिन्दी 👩\u200d🚀 \u202f") == "é あ हिन्दी 👩\u200d🚀 \u202f"
    assert printable("a\nb") == r"a\nb" and printable("a\nb", lines=True) == "a\nb"
    assert printable(printable(EVIL)) == printable(EVIL)


def test_every_error_and_problem_is_printable() -> None:
    for error in (PipelineError(EVIL), MediaError(f"{EVIL}: gone"), PresetError([Problem(EVIL, (EVIL, 0), EVIL, 3)])):
        assert str(error).isprintable(), str(error)
    assert str(MediaError("one\ntwo")) == "one\ntwo"


@pytest.mark.parametrize(
    "text",
    [
        SMALL + '"\\e]0;x\\a\\n\\u202e": 1\n',
        SMALL.replace("name: small", 'name: "\\e]0;x\\a"'),
        SMALL.replace("stage: palette", 'stage: palette\n    to: "\\e[31m"'),
        SMALL.replace("stage: palette", 'stage: "\\e[31m"'),
        SMALL.replace("zoom: 1.5", 'zoom: "1\\e[31m+"'),
        SMALL.replace("zoom: 1.5", 'zoom: {"\\e[31m": 1}'),
        SMALL.replace("stage: noise", 'stage: image\n    path: "\\e[31m.png"'),
        SMALL.replace("    octaves: 1", '    model: "\\e[31m"'),
        "a: !\x85tag 1",
    ],
)
def test_no_message_of_a_preset_holds_escapes(text: str) -> None:
    with pytest.raises(PresetError) as caught:
        parse_preset(text, name="p\x1b.yaml", overrides=[Override("seed", "1")])
    assert printable(str(caught.value), lines=True) == str(caught.value)
    assert "\x1b" not in str(caught.value) and r"\x1b" in str(caught.value)


@pytest.mark.parametrize(
    "path",
    [("a", 0, "b"), ("a.b",), ("",), ("x=y", 3), ("it's",), ('"',), ("\x1b",), ("a b",), (" a",), ("[0]",), ("\\",)],
)
def test_paths_are_read_back_as_they_are_printed(path: tuple[str | int, ...]) -> None:
    text = format_path(path)
    assert parse_path(text) == path and printable(text) == text
    assert split_setting(f"{text}=a=b") == (text, "a=b")


@pytest.mark.parametrize("text", ["a..b", ".a", "a[", "a]", "a[x]", "'a", "a."])
def test_what_is_no_path_is_said(text: str) -> None:
    with pytest.raises(ValueError, match="no path of keys"):
        parse_path(text)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device", "x.png"), "No space left on device"),
        (
            ValueError("cannot identify image file <_io.BytesIO object at 0x7f370ed77830>"),
            "cannot identify image file it",
        ),
        (ValueError("bad <function read at 0x7f37>\nand more\nlines"), "bad it"),
        (KeyError(), "KeyError"),
        (ValueError("x" * 1000), "x" * 200),
    ],
)
def test_a_librarys_reason_is_one_line_without_its_innards(error: Exception, said: str) -> None:
    assert reason_of(error) == said
