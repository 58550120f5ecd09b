"""Texts that are being written: what is wrong and where, controls, completion; and strangers' presets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.preset import shelf
from pipeline.preset.editing import edit
from pipeline.studio.completing import complete
from pipeline.studio.controls import controls
from pipeline.studio.terms import with_term
from tests.conftest import photograph
from tests.studio.conftest import TEXT
from tests.studio.server import Page


def _underlined(text: str, problem: dict[str, Any]) -> str:
    lines = text.split("\n")
    assert problem["line"] == problem["end_line"]
    return lines[problem["line"] - 1][problem["column"] - 1 : problem["end_column"] - 1]


@pytest.mark.parametrize(
    "old, new, under, says",
    [
        ("octaves: 1", "octavs: 1", "octavs", "did you mean 'octaves'"),
        ("octaves: 1", "octaves: 40", "40", "must be at most 12"),
        ("zoom: 1.5", "zoom: 1.5 + tt * 2", "tt", "is unknown"),
        ("engine: packed", "engine: fast", "fast", "must be"),
        ("- stage: noise", "- stage: noize", "noize", "did you mean 'noise'"),
        ("size: 64x48", "size: 64", "64", "WIDTHxHEIGHT"),
        ("    steps: 1\n", "    steps: 1\n    mask: {radial: 1, soft: 9}\n", "9", "at most"),
        ("    steps: 1\n", "    steps: 1\n    steps: 2\n", "steps", "stands twice"),
        ("    steps: 1\n", "    steps: [1\n", ":", "not valid YAML"),
    ],
)
def test_mistakes_are_under_the_very_characters(page: Page, old: str, new: str, under: str, says: str) -> None:
    text = TEXT.replace(old, new, 1)
    problems = page.post("/api/check", text=text)["problems"]
    errors = [each for each in problems if each["severity"] == "error"]
    assert [_underlined(text, each) for each in errors] == [under]
    assert says in errors[0]["message"]


def test_what_is_right_has_no_problem(page: Page) -> None:
    assert page.post("/api/check", text=TEXT) == {"problems": []}
    assert "zoom" in json.dumps(page.get("/api/schema")["properties"]["stages"])


def test_a_strangers_preset_opens_nothing_elsewhere_until_it_is_rendered(page: Page, tmp_path: Path) -> None:
    """`check` tells; a render or a draft names the files, and wants to hear that whoever asks knows."""
    secret = tmp_path / "moves.csv"
    secret.write_text("seconds,value\n0,hidden words\n")
    picture = tmp_path / "guide.png"
    picture.write_bytes(photograph("chelsea.png").read_bytes())
    text = TEXT.replace("zoom: 1.5", f"zoom: {{file: {secret}}}")
    text = text.replace("steps: 1", f"steps: 1\n    objective: {{layer: blocks.2.1, guide: {picture}}}", 1)
    problems = page.post("/api/check", text=text)["problems"]
    assert {each["severity"] for each in problems} == {"warning"} and len(problems) == 2
    assert all("opened only by a render" in each["message"] for each in problems)
    assert "hidden" not in json.dumps(problems)
    for path, more in (("/api/runs", {}), ("/api/drafts", {}), ("/api/runs", {"opens": [str(picture)]})):
        refused = page.send(path, text=text, **more)
        assert refused.status == 409 and set(refused.json["opens"]) == {str(secret), str(picture)}
    known = page.send("/api/runs", text=text, opens=[str(secret), str(picture)])
    assert known.status == 200
    failed = page.wait_for(known.json["id"], lambda run: run["state"] == "failed")
    assert "hidden words" in failed["error"] or "moves.csv" in failed["error"]


def test_a_link_out_of_the_folder_leads_nowhere(page: Page, folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text(TEXT)
    link = folder / "linked.yaml"
    link.symlink_to(outside)
    outside.with_name("cat.png").write_bytes(photograph("chelsea.png").read_bytes())
    (folder / "cat.png").symlink_to(outside.with_name("cat.png"))
    try:
        assert "linked" not in [each["name"] for each in page.get("/api/state")["presets"]]
        problems = page.post("/api/check", text=TEXT.replace("stage: noise", "stage: image\n    path: cat.png"))
        assert [each["severity"] for each in problems["problems"]] == ["warning"]
    finally:
        link.unlink()
        (folder / "cat.png").unlink()


def test_presets_are_listed_read_saved_and_added(page: Page, folder: Path) -> None:
    listed = {each["name"]: each for each in page.get("/api/state")["presets"]}
    mine, shelf = listed["mine"], listed["first-light"]
    assert (
        mine["own"] and mine["title"] == "Small, and soon over." and mine["seconds"] == 3 and mine["size"] == [64, 48]
    )
    assert all(each["poster"] for each in listed.values() if not each["own"])
    assert page.ask("GET", listed["first-light-hd"]["poster"]).headers["content-type"] == "image/jpeg"
    assert not shelf["own"] and page.get(f"/api/presets/{shelf['id']}")["text"].startswith("# An endless zoom")
    refused = page.ask("PUT", f"/api/presets/{shelf['id']}", b'{"text": ""}')
    assert refused.status == 409 and "stays as it is" in refused.json["error"]
    added = page.post("/api/presets", name="../other (1)", text=TEXT)["id"]
    try:
        assert page.send("/api/presets", name="../other (1)", text=TEXT).status == 409
        saved = page.ask("PUT", f"/api/presets/{added}", json.dumps({"text": "# new\n" + TEXT}).encode())
        assert saved.status == 200 and page.get(f"/api/presets/{added}")["text"] == "# new\n" + TEXT
        (path,) = folder.glob("other*")
        assert path.read_text() == "# new\n" + TEXT
    finally:
        for path in folder.glob("other*"):
            path.unlink()


def test_controls_say_what_a_key_takes() -> None:
    groups = {group["stage"]: group for group in controls(TEXT, Path())}
    dream = {control["key"]: control for control in groups["dream"]["controls"]}
    strength = dream["dream.strength"]
    assert (strength["kind"], strength["value"], strength["set"], strength["line"]) == ("number", 0.3, True, 19)
    assert (strength["min"], strength["max"], strength["default"]) == (0, 20, 0.12)
    assert (dream["dream.octaves"]["kind"], dream["dream.octaves"]["step"]) == ("integer", 1)
    assert dream["dream.engine"]["kind"] == "choice" and "packed" in dream["dream.engine"]["choices"]
    assert dream["dream.layer"]["kind"] == "choice" and "blocks.4.1" in dream["dream.layer"]["choices"]
    assert dream["dream.mask"]["kind"] == "text" and not dream["dream.mask"]["set"]
    zoom = {control["key"]: control for control in groups["zoom"]["controls"]}
    assert zoom["zoom.rotate"]["unit"] == "degrees per second" and zoom["zoom.pan"]["value"] == "[0.0, 0.0]"
    top = {control["key"]: control for control in groups["preset"]["controls"]}
    assert top["duration"]["value"] == "3s" and top["seed"]["kind"] == "integer"
    twice = controls(
        "stages: [{stage: noise}, {stage: dream}, {stage: dream, id: more}, {stage: zoom, zoom: 1 + t}]", Path()
    )
    assert [group["id"] for group in twice] == ["", "noise", "stages[1]", "more", "zoom"]
    assert twice[-1]["controls"][0]["kind"] == "text" and twice[-1]["controls"][0]["value"] == "1 + t"


def test_scenes_have_controls_for_what_is_written_in_them() -> None:
    text = shelf()["triptych"].read_text(encoding="utf-8")
    groups = {group["id"]: group for group in controls(text, shelf()["triptych"].parent)}
    (strength,) = groups["scenes[0].stages[0]"]["controls"]
    assert (strength["key"], strength["value"], strength["kind"]) == ("scenes[0].stages[0].strength", 0.09, "number")
    assert (
        groups["scenes[0].stages[0]"]["title"] == "Scene 1: dream" and groups["scenes[1]"]["help"] == "From filigree."
    )
    after, line = edit(text, strength["key"], 0.2)
    assert line == strength["line"] and after == text.replace("strength: 0.09     #", "strength: 0.2      #")


@pytest.mark.parametrize(
    "text, first",
    [
        ("si|\nstages:\n  - stage: noise\n", "size"),
        ("fps: 24\nse|\n", "seed"),
        ("stages:\n  - stage: no|\n", "noise"),
        ("stages:\n  - st|\n", "stage"),
        ("stages:\n  - stage: dream\n    oct|\n  - stage: zoom\n", "octaves"),
        ("stages:\n  - stage: dream\n    layer: blocks.4|\n  - stage: zoom\n", "blocks.4.0"),
        ("stages:\n  - {stage: dream, la|\n  - stage: zoom\n", "layer"),
        ("stages:\n  - {stage: dream, mask: {ra|\n", "radial"),
        ("stages:\n  - {stage: dream, mask: sub|\n", "subject"),
        ("stages:\n  - {stage: dream, mask: {not: ba|}}\n", "background"),
        ("stages:\n  - {stage: dream, mask: {all: [subject, {lu|\n", "luminance"),
        ("stages:\n  - {stage: dream, objective: [{class: banan|}]}\n", "banana"),
        ("stages:\n  - stage: palette\n    to: em|\n", "ember"),
        ("stages:\n  - stage: zoom\n    symmetry:\n      kal|\n", "kaleidoscope"),
        ("stages:\n  - stage: tone\n    shown_only: |\n", "true"),
        ("ext|\n", "extends"),
        ("extends: dros|\n", "droste"),
        ("scenes:\n  - fa|\n", "fade"),
        ("scenes:\n  - extends: tow|\n", "towers"),
        ("scenes:\n  - stages:\n      - sta|\n", "stage"),
        ("scenes:\n  - stages:\n      - stage: dream\n        str|\n", "strength"),
    ],
)
def test_it_completes(text: str, first: str) -> None:
    before = text.partition("|")[0]
    line, column = before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1
    found = complete(text.replace("|", ""), line, column)
    assert found["options"][0]["label"] == first
    assert found["from"]["line"] == line and found["from"]["column"] <= column


def test_an_atlas_puts_its_term_into_the_dream_and_takes_it_out() -> None:
    once, _ = with_term(TEXT, "lite0", "blocks.4.1", 7)
    assert "    objective: [{layer: blocks.4.1, channel: 7}]\n" in once and "# how far" in once
    both, _ = with_term(once, "lite0", "blocks.5.0", None)
    assert "objective: [{layer: blocks.4.1, channel: 7}, {layer: blocks.5.0}]" in both
    back, _ = with_term(both, "lite0", "blocks.4.1", 7)
    assert "    layer: blocks.5.0\n" in back and "objective" not in back
    other, _ = with_term(once, "lite1", "blocks.4.1", 7)
    assert "    model: lite1\n" in other and "objective: [{layer: blocks.4.1, channel: 7}]" in other


def test_a_preset_that_extends_another_has_its_controls_too(page: Page, folder: Path) -> None:
    """What is set goes into the text itself, never into the base; mistakes of either are told."""
    base = folder / "base.yaml"
    base.write_text(TEXT + "vars: {fast: 2}\n".replace("fast", "speed"))
    base.write_text(base.read_text().replace("zoom: 1.5", "zoom: ${speed}"))
    text = "extends: base.yaml   # below\nstages:\n  - {stage: zoom, rotate: 5}\n"
    try:
        groups = {each["stage"]: each for each in page.post("/api/controls", text=text)["stages"]}
        zoom = {each["key"]: each for each in groups["zoom"]["controls"]}
        assert (zoom["zoom.zoom"]["value"], zoom["zoom.zoom"]["set"], zoom["zoom.zoom"]["line"]) == (2, False, None)
        assert (zoom["zoom.rotate"]["value"], zoom["zoom.rotate"]["set"], zoom["zoom.rotate"]["line"]) == (5, True, 3)
        edited = page.post("/api/edit", text=text, key="dream.strength", value=0.7)
        assert edited == {"text": text + "  - {stage: dream, strength: 0.7}\n", "line": 4}
        assert page.post("/api/check", text=edited["text"]) == {"problems": []}
        (wrong,) = page.post("/api/check", text=text.replace("rotate: 5", "rotate: fast"))["problems"]
        assert _underlined(text.replace("rotate: 5", "rotate: fast"), wrong) == "fast"
        base.write_text(base.read_text().replace("octaves: 1", "octaves: 0"))
        (below,) = page.post("/api/check", text=text)["problems"]
        assert _underlined(text, below) == "base.yaml" and below["message"].startswith("base.yaml:16: ")
    finally:
        base.unlink()
