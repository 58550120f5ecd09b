from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import PresetError
from pipeline.preset.yaml12 import MAX_BYTES, plain_scalar, read_document


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-2", 0.01),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("-3", -3),
        ("0x1f", 31),
        ("0o17", 15),
        ("010", 10),
        ("1:30", "1:30"),
        ("on", "on"),
        ("no", "no"),
        ("yes", "yes"),
        ("1_000", "1_000"),
        ("2026-11-21", "2026-11-21"),
        ("true", True),
        ("null", None),
        ("~", None),
        (".inf", math.inf),
        ("30000/1001", "30000/1001"),
    ],
)
def test_scalars_are_yaml_12(text: str, value: object) -> None:
    found = read_document(f"key: {text}".encode(), "p").data["key"]
    assert found == value and type(found) is type(value)


def test_quoted_numbers_stay_text() -> None:
    assert read_document(b"a: '1'\nb: \"2\"", "p").data == {"a": "1", "b": "2"}


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"a: 1\nb: 2\na: 3\n", ["p:3", "a: stands twice", "line 1"]),
        (b"a:\n\t- 1\n", ["p:2", "tab"]),
        (b"\x89PNG\r\n\x1a\n\x00\xff", ["p", "UTF-8"]),
        (b"a: \x00", ["zero bytes"]),
        (b"a: [1, 2", ["p:1", "not valid YAML"]),
        (b"a: !!python/object/apply:os.system [ls]", ["tag"]),
        (b"a: &x [*x]", ["alias"]),
        (b"? [1]\n: 2", ["plain word"]),
        (b"[" * 5000, ["nested too deeply"]),
        (b"a: 1\n---\nb: 2\n", ["p:2", "single document"]),
        (b"#" * (MAX_BYTES + 1), ["bytes long"]),
    ],
)
def test_bad_yaml_is_refused_with_its_place(raw: bytes, words: list[str]) -> None:
    with pytest.raises(PresetError) as caught:
        read_document(raw, "p")
    for word in words:
        assert word in str(caught.value)


def test_alias_bombs_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    with pytest.raises(PresetError, match="aliases counted"):
        read_document("\n".join(lines).encode(), "p")


def test_plain_aliases_work() -> None:
    assert read_document(b"a: &x [1]\nb: *x", "p").data == {"a": [1], "b": [1]}


def test_places_are_known() -> None:
    document = read_document(b"a: 1\nstages:\n  - stage: noise\n    kind: pink\n", "p.yaml")
    assert document.problem(("stages", 0, "kind"), "x").line == 4
    assert document.problem(("stages", 0, "missing"), "x").line == 3
    assert str(document.problem(("nowhere",), "x")) == "p.yaml:1: nowhere: x"


@settings(deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode()))
def test_any_bytes_give_data_or_a_preset_error(raw: bytes) -> None:
    try:
        read_document(raw, "p")
    except PresetError as error:
        assert str(error).startswith("p")


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_round_trip(value: float) -> None:
    assert float(plain_scalar(repr(value))) == value
