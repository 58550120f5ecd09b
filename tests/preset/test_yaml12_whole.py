"""Valid YAML 1.2 that PyYAML refuses, and what is refused on purpose."""

from __future__ import annotations

import pytest

from pipeline.errors import PresetError
from pipeline.preset.scanner import MAX_DEPTH, MAX_NODES
from pipeline.preset.written import plain_yaml
from pipeline.preset.yaml12 import MAX_BYTES, MAX_LINES, read_document, read_value


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("fps: 12\t# rate", {"fps": 12}),
        ("fps:\t12", {"fps": 12}),
        ("fps\t: 12\t", {"fps": 12}),
        ("- 1\n-\t2\t\n", [1, 2]),
        ("a: [1,\t2\t,\n\t3\n]", {"a": [1, 2, 3]}),
        ("a: {b:\t1,\tc: 2}\t# x", {"a": {"b": 1, "c": 2}}),
        ("a: one\ttwo", {"a": "one\ttwo"}),
        ("a: 'q'\t# c\nb: \"r\"\t", {"a": "q", "b": "r"}),
        ("a: 1\n\t\n\t# only a comment\nb: 2\n", {"a": 1, "b": 2}),
        ("a: b\n  \tc\n", {"a": "b c"}),
        ("a:\n  \tb\n", {"a": "b"}),
        ("---\t# start\na: 1\n", {"a": 1}),
        ("a: [what?, b?c, ?d, :e, f:g, http://h/i]", {"a": ["what?", "b?c", "?d", ":e", "f:g", "http://h/i"]}),
        ('{"a":1,"b":[2],"c":{"d":"e"}}', {"a": 1, "b": [2], "c": {"d": "e"}}),
        ("a: &größe.1 3\nb: *größe.1", {"a": 3, "b": 3}),
        ("a: x\u2028y\u0085z # c\u2029d\n", {"a": "x\u2028y\u0085z"}),
        ('a: "\\ud83d\\ude00"', {"a": "😀"}),
        ("a: |\n  \tx\n  y\nb: >-\n  c\n  d\n", {"a": "\tx\ny\n", "b": "c d"}),
        ("a: it's: # x", None),
        ("a: 'it''s'\nb: \"c  \\\n  d\"", {"a": "it's", "b": "c  d"}),
        ("a: b#c  d # e", {"a": "b#c  d"}),
    ],
)
def test_it_is_read_as_yaml_12_says(text: str, data: object) -> None:
    if data is None:
        with pytest.raises(PresetError, match=r"p:1: is not valid YAML"):
            read_document(text.encode(), "p")
        return
    assert read_document(text.encode(), "p").data == data


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-be"])
def test_a_byte_order_mark_says_the_encoding(encoding: str) -> None:
    mark = "\ufeff" if encoding.endswith("be") else ""
    assert read_document(f"{mark}name: é\n".encode(encoding), "p").data == {"name": "é"}


@pytest.mark.parametrize(
    ("text", "line"),
    [("a:\n\t- 1\n", 2), ("a: 1\n\tb: 2\n", 2), ("-\t- 1\n", 1), ("- a: 1\n-\tb: 2\n", 2), ("a:\n  \tb: 1\n", 2)],
)
def test_tabs_never_indent(text: str, line: int) -> None:
    with pytest.raises(PresetError, match=rf"^p:{line}: a tab stands where YAML wants spaces"):
        read_document(text.encode(), "p")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"a: [" + b"x," * (MAX_NODES + 1) + b"]", f"p:1: holds more than {MAX_NODES} values"),
        (b"[" * 100_000, f"p:1: is nested too deeply, more than {MAX_DEPTH} levels"),
        (b"\n" * (MAX_LINES + 1), f"has more than {MAX_LINES} lines"),
        (b"a: " + b"x " * (MAX_BYTES // 2), "bytes long"),
        (b"? " + b"k" * 300 + b"\n: 1\n", "p:1: a key is 300 letters long"),
        (b'a: "\\ud83d"', "p:1: holds half of a letter"),
        (b'a: "\\udd00"', "p:1: holds half of a letter"),
        (b'a: "\\UFFFFFFFF"', "p:1: holds an escape that stands for no character"),
    ],
)
def test_what_is_beyond_a_bound_is_said(raw: bytes, words: str) -> None:
    with pytest.raises(PresetError) as caught:
        read_document(raw, "p")
    assert words in str(caught.value)


def test_the_largest_texts_are_read_at_once() -> None:
    words = "x " * (MAX_BYTES // 2 - 10)
    for text in (f"a: {words}", f'a: "{words}"', f"a: '{words}'"):
        assert read_document(text.encode(), "p").data["a"].strip() == words.strip()


@pytest.mark.parametrize("text", ["\udcff.png", "é\udc80/\udcff\udcfe", "😀\udcff"])
def test_names_of_bytes_are_written_and_read_back(text: str) -> None:
    assert read_document(plain_yaml({"path": text}).encode(), "p").data == {"path": text}
    assert read_value(text, "--set path") == text and read_value(f"[{text}]", "--set path") == [text]
