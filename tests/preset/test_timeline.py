"""Presets that change on the way: what a change makes of them, and what is wrong with one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import pipeline
from pipeline.chain import Chain
from pipeline.errors import PresetError
from pipeline.preset import Preset, load_preset, parse_preset
from pipeline.preset.plot import plot_preset
from tests.conftest import SMALL, photograph

FILM = SMALL.replace("duration: 4f", "duration: 12f")


def changed(changes: str) -> Preset:
    return parse_preset(f"{FILM}changes:\n{changes}", name="film.yaml")


def problems(changes: str) -> str:
    with pytest.raises(PresetError) as caught:
        changed(changes)
    return str(caught.value)


def test_each_change_builds_on_those_before() -> None:
    preset = changed("  - {at: 3f, set: {zoom.zoom: 2}}\n  - {at: 0.5s, set: {zoom.rotate: 5, dream.steps: 3}}\n")
    assert list(preset.turns) == [3, 6]
    zooms = [next(s for s in preset.at(frame).resolved()["stages"] if s["stage"] == "zoom") for frame in (2, 3, 5, 6)]
    assert [(zoom["zoom"], zoom["rotate"]) for zoom in zooms] == [(1.5, 20), (2, 20), (2, 20), (2, 5)]
    assert preset.at(2) is preset and not preset.at(3).changes


def test_a_resolved_preset_says_the_same_again() -> None:
    preset = changed("  - {at: 3f, set: {dream.layer: blocks.4.1}}\n  - {at: 5f, set: {palette.strength: 0.1}}\n")
    again = parse_preset(preset.to_yaml())
    assert again.resolved() == preset.resolved()
    assert {k: p.resolved() for k, p in again.turns.items()} == {k: p.resolved() for k, p in preset.turns.items()}
    assert preset.resolved()["changes"][0] == {"at": "3f", "set": {"dream.layer": "blocks.4.1"}}


def test_an_instant_between_two_frames_changes_the_next() -> None:
    assert list(changed("  - {at: 0.26s, set: {zoom.zoom: 2}}\n").turns) == [4]  # 3.12 frames
    assert list(changed("  - {at: 0.25s, set: {zoom.zoom: 2}}\n").turns) == [3]


def test_changes_at_one_frame_are_one() -> None:
    preset = changed("  - {at: 0.25s, set: {zoom.zoom: 2}}\n  - {at: 3f, set: {zoom.rotate: 0}}\n")
    (after,) = preset.turns.values()
    zoom = after.resolved()["stages"][1]
    assert (zoom["zoom"], zoom["rotate"]) == (2, 0)


def test_an_objective_takes_the_place_of_the_layer_and_back() -> None:
    preset = changed(
        "  - {at: 2f, set: {dream.objective: {class: banana}}}\n  - {at: 4f, set: {dream.layer: blocks.2.1}}\n"
    )
    first, second = (after.resolved()["stages"][2] for after in preset.turns.values())
    assert "layer" not in first and "objective" in first
    assert second["layer"] == "blocks.2.1" and "objective" not in second


def test_another_chain_is_written_as_the_first() -> None:
    preset = changed("  - {at: 2f, set: {stages: [{stage: noise}, {stage: tone, gamma: 2}]}}\n")
    (after,) = preset.turns.values()
    assert [stage["stage"] for stage in after.resolved()["stages"]] == ["noise", "tone", "encode"]
    assert after.encode == preset.encode


def test_what_changes_nothing_is_left_out() -> None:
    assert (
        changed("  - {at: 2f, set: {zoom.zoom: 1.5}}\n").resolved() == parse_preset(FILM, name="film.yaml").resolved()
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("dream.layr: x", r"film.yaml:22: stages[2].layr: unknown key 'layr'; did you mean 'layer'?"),
        ("dream.layer: blocks.77", "film.yaml:22: stages[2].layer: lite0 has no layer 'blocks.77'"),
        ("dream.octaves: 5", "film.yaml:22: stages[2].octaves: is 5: the smallest octave would be"),
        ("zoom.zoom: {0s: 1, 1s: -3}", "film.yaml:22: stages[1].zoom"),
        ("seed: 4", "film.yaml:22: changes[1].set.seed: belongs to the whole film"),
        ("encode.crf: 4", "says how the whole film is written"),
        ("drem.steps: 4", "unknown key 'drem'"),
        ('"stages[9].zoom": 1', "has no [9]"),
        ("stages: [{stage: noise}, {stage: loop, over: 2f}]", "has to be there from the beginning"),
    ],
)
def test_a_mistake_is_told_at_its_change(change: str, said: str) -> None:
    assert said in problems(f"  - {{at: 1f, set: {{zoom.zoom: 2}}}}\n  - at: 2f\n    set: {{{change}}}\n")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            "  - {at: 5f, set: {zoom.zoom: 2}}\n  - {at: 2f, set: {zoom.zoom: 1}}\n",
            "film.yaml:21: changes[1].at: is 2f",
        ),
        ("  - {at: 5, set: {zoom.zoom: 2}}\n", "needs a unit: 5s for seconds, or 5f"),
        ("  - {at: 5f}\n", "changes[0].set: is missing"),
        ("  - {at: 5f, set: {}}\n", "changes[0].set"),
        ("  - {at: 4b, set: {zoom.zoom: 2}}\n", "counts beats"),
    ],
)
def test_changes_that_are_none_are_told(changes: str, said: str) -> None:
    assert said in problems(changes)


def test_all_mistakes_are_told_at_once() -> None:
    said = problems("  - {at: 1f, set: {zoom.zom: 2}}\n  - {at: 2f, set: {dream.octaves: 0}}\n")
    assert "film.yaml:20" in said and "film.yaml:21" in said


def test_a_change_past_the_end_is_a_note() -> None:
    (note,) = changed("  - {at: 20s, set: {zoom.zoom: 2}}\n").notes
    assert "20s" in note and "past the end" in note


def test_a_file_in_a_change_is_an_input_of_the_film(write_preset: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(photograph("chelsea.png").read_bytes())
    path = write_preset(f"{FILM}changes:\n  - {{at: 2f, set: {{palette.image: cat.png}}}}\n")
    preset = load_preset(path)
    key = "changes[0].set.'palette.image'"
    assert preset.inputs()[key].path == tmp_path / "cat.png"
    assert preset.with_inputs({key: "elsewhere.png"})["changes"][0]["set"]["palette.image"] == "elsewhere.png"


def test_frames_are_those_of_a_chain_that_is_changed_by_hand() -> None:
    preset = changed("  - {at: 2f, set: {zoom.zoom: 2}}\n  - {at: 4f, set: {dream.strength: 0.5}}\n")
    found = [frame.image for frame in pipeline.frames(preset)]
    previous = None
    with Chain(parse_preset(FILM)) as chain:
        for index, expected in enumerate(found):
            if index in preset.turns:
                chain.change(preset.turns[index], index)
            made = chain.step(index, previous)
            previous = made.feedback
            assert torch.equal(made.image, expected), index


def test_a_changed_preset_that_changes_later_takes_its_own_changes() -> None:
    preset = changed("  - {at: 4f, set: {dream.strength: 0.5}}\n")
    expected = [frame.image for frame in pipeline.frames(preset)]
    previous = None
    with Chain(parse_preset(FILM)) as chain:
        for index, picture in enumerate(expected):
            if index == 2:
                chain.change(preset, index)
            made = chain.step(index, previous)
            previous = made.feedback
            assert torch.equal(made.image, picture)


def test_the_plot_shows_numbers_that_change(tmp_path: Path) -> None:
    preset = changed("  - {at: 4f, set: {zoom.zoom: 2, dream.strength: '0.1 + t'}}\n")
    assert plot_preset(preset, tmp_path / "plot.png") == 2
