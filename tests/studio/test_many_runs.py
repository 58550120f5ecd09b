"""Runs that are more than one film: of batches, shots, scenes, written in several ways, on other machines."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.films import SONG
from tests.processes import run_dreamreel
from tests.run.cuts import CUTS, FRAMES, HEAD, STAGES, cut_film
from tests.studio.conftest import TEXT
from tests.studio.server import Page, shown

SCENES = """\
name: scenes
size: 64x48
fps: 8
device: cpu
scenes:
  - {duration: 1s, stages: [{stage: noise}, {stage: zoom, zoom: 1.5}]}
  - {duration: 1s, stages: [{stage: noise, kind: white}, {stage: zoom, zoom: 0.8, edges: noise}]}
stages:
  - {stage: encode, preset: ultrafast}
"""
QUIET = TEXT.replace("  - stage: dream", "  - stage: grain").partition("    engine")[0]
"""A film without a network."""


def listed(page: Page, name: str) -> dict[str, Any]:
    return next(each for each in page.get("/api/state")["runs"] if each["name"] == name)


def test_runs_of_a_batch_stand_together(page: Page, folder: Path) -> None:
    (folder / "quiet.yaml").write_text(QUIET)
    (folder / "batch.yaml").write_text("presets: [quiet.yaml]\nseeds: 0-1\nset: {duration: 1s}\n")
    run_dreamreel("batch", "batch.yaml", cwd=folder)
    runs = [each for each in page.get("/api/state")["runs"] if each["group"] == "batch"]
    assert [(each["name"], each["state"], each["frames"]) for each in runs] == [
        ("quiet_seed=0", "finished", 8),
        ("quiet_seed=1", "finished", 8),
    ]
    assert page.ask("GET", f"/api/runs/{runs[1]['id']}/frames/7.jpg").status == 200
    branch = page.post(f"/api/runs/{runs[0]['id']}/branch", at=4, set={"zoom.zoom": 2})["id"]
    assert page.finished(branch)["parent"]["id"] == runs[0]["id"]
    assert not [each for each in page.get("/api/state")["presets"] if each["name"] == "batch"]


def test_films_of_scenes_get_no_branch_here_and_are_told_where(page: Page) -> None:
    run = page.post("/api/runs", text=SCENES)["id"]
    page.finished(run)
    refused = page.send(f"/api/runs/{run}/branch", at=4, set={"scenes[1].zoom.zoom": 2})
    assert refused.status == 409 and "dreamreel branch RUN" in refused.json["error"]


@pytest.fixture(scope="module")
def cut(page: Page, folder: Path) -> Iterator[str]:
    """A film of three shots, begun by the studio."""
    cut_film(folder / "cut.mp4")
    run = page.post("/api/runs", text="name: cut\n" + HEAD + STAGES)["id"]
    page.wait_for(run, lambda found: found["state"] == "rendering")
    page.finished(run)
    yield run
    shutil.rmtree(folder / "renders" / "cut")


def test_a_film_of_shots_has_the_frames_of_all(page: Page, cut: str) -> None:
    found = page.get(f"/api/runs/{cut}")
    assert (found["frames"], found["total"], found["whole"]) == (FRAMES, FRAMES, True)
    shots = [each for each in page.get("/api/state")["runs"] if each["group"] == "shots of cut"]
    assert [each["name"] for each in shots] == ["cut shot 1", "cut shot 2", "cut shot 3"]
    for shot, first in zip(shots, (0, *CUTS), strict=True):
        for frame in (0, shot["frames"] - 1):
            alone = page.get(f"/api/runs/{shot['id']}/frames/{frame}.jpg")
            assert page.get(f"/api/runs/{cut}/frames/{first + frame}.jpg") == alone
    assert page.ask("GET", f"/api/runs/{cut}/frames/{FRAMES}.jpg").status == 404
    curves = page.get(f"/api/runs/{cut}/figures")
    assert curves["frames"] == list(range(FRAMES)) and None not in curves["series"]["brightness"]
    with page.live() as socket:
        socket.send(json.dumps({"watch": cut, "width": 32}))
        assert shown(socket)[0]["frame"] == FRAMES - 1
    assert page.send(f"/api/runs/{shots[1]['id']}/branch", at=4, set={"tone.saturation": 0}).status == 200


@pytest.mark.parametrize("text", [SCENES, "name: tried\n" + HEAD + STAGES], ids=["scenes", "shots"])
def test_films_of_scenes_and_of_shots_are_tried_from_their_beginning(page: Page, folder: Path, text: str) -> None:
    cut_film(folder / "cut.mp4")
    draft = page.post("/api/drafts", text=text)["id"]
    with page.live() as socket:
        socket.send(json.dumps({"watch": draft, "width": 32}))
        frames = [shown(socket)[0]["frame"] for _ in range(3)]
        page.post(f"/api/drafts/{draft}/steer", text=text.replace("zoom: 1.", "zoom: 2."))
        assert frames == sorted(frames) and shown(socket)[0]["frame"] >= 0
    page.post(f"/api/drafts/{draft}/stop")


def test_every_output_is_there_to_be_saved(page: Page, folder: Path) -> None:
    outputs = "  - {stage: encode, id: film, preset: ultrafast}\n  - {stage: encode, id: loop, format: gif}\n"
    found = page.finished(page.post("/api/runs", text=QUIET + outputs, name="outputs")["id"])
    kinds = [page.ask("GET", film["url"]).headers["content-type"] for film in found["films"]]
    assert kinds == ["video/mp4", "image/gif"] and len({film["name"] for film in found["films"]}) == 2
    assert page.ask("GET", f"/api/runs/{found['id']}/films/3").status == 404
    gif = folder / "renders" / "outputs" / found["films"][1]["name"]
    gif.unlink()
    gif.symlink_to("/etc/hostname")
    assert page.ask("GET", found["films"][1]["url"]).status == 404


def test_a_run_on_another_machine_is_told_and_not_stopped_here(page: Page, folder: Path, film: str) -> None:
    there = folder / "renders" / "elsewhere"
    shutil.copytree(folder / "renders" / "mine", there)
    log = [json.loads(line) for line in (there / "run.jsonl").read_text().splitlines()]
    log = [record | {"host": "renderbox"} if record.get("event") == "begin" else record for record in log]
    kept = [json.dumps(record) + "\n" for record in log if record.get("event") != "finished"]
    (there / "run.jsonl").write_text("".join(kept))
    owner = {"number": 1, "token": "x", "host": "renderbox", "pid": 7, "machine": "another", "started": 1}
    (there / ".lease").write_text(json.dumps(owner | {"beat_seconds": 1.0}))
    found = listed(page, "elsewhere")
    assert (found["state"], found["host"]) == ("rendering", "renderbox")
    refused = page.send(f"/api/runs/{found['id']}/stop")
    assert refused.status == 409 and "is rendered on renderbox" in refused.json["error"]
    shutil.rmtree(there)


def test_a_film_is_heard_before_it_is_finished(page: Page, folder: Path, tmp_path: Path) -> None:
    """By its song, where that lies among the files that the studio opens; else by the finished film."""
    outside = tmp_path / "own.m4a"
    shutil.copy(SONG, outside)
    for song, heard in ((SONG, True), (outside, False)):
        text = QUIET.replace("seed: 3", f"seed: 3\nlisten: {{path: {song}, start: 12s}}\nduration: 400s")
        text = text.replace("duration: 3s\n", "")
        run = page.post("/api/runs", text=text, name=f"heard-{heard}", opens=[str(song)])["id"]
        page.wait_for(run, lambda found: found["frames"] > 0)
        page.post(f"/api/runs/{run}/stop")
        page.wait_for(run, lambda found: found["state"] == "stopped")
        sound = page.get(f"/api/runs/{run}")["sound"]
        assert sound == ({"url": f"/api/runs/{run}/song", "since": 12.0} if heard else None)
        answer = page.ask("GET", f"/api/runs/{run}/song", Range="bytes=0-9")
        assert answer.status == (206 if heard else 404)
        shutil.rmtree(folder / "renders" / f"heard-{heard}")
