"""One key set in a preset's text: all else stays as it is, to the last blank."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import PresetError
from pipeline.preset import shelf
from pipeline.preset.editing import edit
from pipeline.preset.spans import spans_of
from pipeline.preset.yaml12 import read_document

BLOCK = """\
name: x
stages:
  - stage: dream   # hi
    objective:
      # one
      - layer: a
        weight: 2
      - layer: b
    mask:
    # end
  - stage: zoom
    zoom: |
      2 + t
    rotate: 'a''b'   # said
"""
FLOW = "stages: [{stage: noise}, {stage: zoom, zoom: 1.5, pan: [0.1, 0.2]}, {stage: hold}] # all\n"


def _changed(before: str, after: str) -> list[str]:
    lines = difflib.unified_diff(before.split("\n"), after.split("\n"), lineterm="", n=0)
    return [line for line in list(lines)[2:] if not line.startswith("@@")]


@pytest.mark.parametrize(
    "text, key, value, lines",
    [
        (BLOCK, "zoom.rotate", 4, ["-    rotate: 'a''b'   # said", "+    rotate: 4        # said"]),
        (BLOCK, "zoom.zoom", 2, ["-    zoom: |", "-      2 + t", "+    zoom: 2"]),
        (BLOCK, "zoom.tilt", "[1, 2]", ["+    tilt: [1, 2]"]),
        (BLOCK, "dream.mask.radial", 0.5, ["-    mask:", "+    mask: {radial: 0.5}"]),
        (BLOCK, "dream.objective[0].weight", -1, ["-        weight: 2", "+        weight: -1"]),
        (BLOCK, "dream.mask", None, ["-    mask:"]),
        (BLOCK, "name", "'y, z: w'", ["-name: x", "+name: 'y, z: w'"]),
        (BLOCK, "fps", 30, ["+fps: 30"]),
        (FLOW, "zoom.rotate", "2 * t", ["-" + FLOW.strip(), "+" + FLOW.strip().replace("0.2]", "0.2], rotate: 2 * t")]),
        (FLOW, "zoom.zoom", None, ["-" + FLOW.strip(), "+" + FLOW.strip().replace(" zoom: 1.5,", "")]),
        (
            FLOW,
            "hold.contrast",
            "first",
            ["-" + FLOW.strip(), "+" + FLOW.strip().replace("hold", "hold, contrast: first")],
        ),
    ],
)
def test_only_what_is_meant_changes(text: str, key: str, value: object, lines: list[str]) -> None:
    edited, line = edit(text, key, value)
    assert sorted(_changed(text, edited)) == sorted(lines)
    assert (
        value is None
        or key.rpartition(".")[2] in edited.split("\n")[line - 1]
        or "mask" in edited.split("\n")[line - 1]
    )


@pytest.mark.parametrize(
    "text, key",
    [
        ("a: &x 1\nb: *x\nstages: []\n", "a"),
        ("stages: [{stage: noise}]\n", "dream.steps"),
        ("stages: [", "fps"),
        ("- a", "fps"),
    ],
)
def test_what_no_small_change_does_is_refused(text: str, key: str) -> None:
    with pytest.raises(PresetError):
        edit(text, key, 2)


@pytest.mark.parametrize("name", list(shelf()))
def test_every_key_of_the_shelf_is_set_and_taken_out_in_place(name: str) -> None:
    """Whatever a preset holds, a key gets its value, and its old one back: the text is what it was, but for blanks."""
    text = shelf()[name].read_text()
    data = read_document(text.encode(), name).data
    for index, entry in enumerate(data["stages"]):
        for key, value in entry.items():
            if key in ("stage", "id"):
                continue
            path = f"stages[{index}].{key}"
            there, _ = edit(text, path, "changed")
            assert read_document(there.encode(), name).data["stages"][index][key] == "changed"
            assert there.count("#") >= text.count("#") - str(value).count("#") or isinstance(value, list | dict)
            gone, _ = edit(text, path, None)
            assert key not in read_document(gone.encode(), name).data["stages"][index]


@settings(deadline=None)  # other programs may have the processor
@given(
    st.dictionaries(
        st.sampled_from(["steps", "layer", "mask", "x y"]), st.text(max_size=8) | st.floats(-9, 9), min_size=1
    )
)
def test_any_value_is_read_back_as_it_was_meant(values: dict[str, object]) -> None:
    text = BLOCK
    for key, value in values.items():
        meant = {"held": value}
        try:
            text, _ = edit(text, f"dream.{key}", meant)
        except PresetError:  # letters that no YAML holds
            return
        assert read_document(text.encode(), "").data["stages"][0][key] == meant


def test_spans_are_the_characters_themselves() -> None:
    spans = spans_of(BLOCK)
    for path, said in {
        ("name",): "x",
        ("stages", 0, "objective", 1, "layer"): "b",
        ("stages", 1, "rotate"): "'a''b'",
        ("stages", 1, "zoom"): "|\n      2 + t",
    }.items():
        place = spans.spans[path].value
        assert BLOCK[place.start : place.end] == said
        assert spans.index(place.line, place.column) == place.start
    broken = spans_of("stages: [a: b\n").broken
    assert broken is not None and broken.line == 1
