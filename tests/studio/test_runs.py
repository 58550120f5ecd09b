"""Runs from the page: begun, watched, stopped, gone on with, branched; their frames, figures and films."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.media.joining import count_frames
from tests.processes import run_dreamreel
from tests.studio.conftest import TEXT
from tests.studio.server import Page, shown, told


def test_a_film_is_watched_stopped_and_gone_on_with(page: Page, folder: Path) -> None:
    text = TEXT.replace("duration: 3s", "duration: 200s").replace("name: mine", "name: long")
    run = page.post("/api/runs", text=text)["id"]
    with page.live() as socket:
        socket.send(json.dumps({"watch": run, "width": 32}))
        frames = []
        while len(frames) < 5:
            about, picture = shown(socket)
            frames.append(about["frame"])
            size = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
            assert size is not None and size.shape == (24, 32, 3) and about["id"] == run
        assert frames == sorted(set(frames))
        state = next(each for each in told(socket, "state")["runs"] if each["id"] == run)
        assert state["state"] == "rendering" and state["total"] == 1600 and state["fps"] == 8
        assert page.send(f"/api/runs/{run}/resume").status == 409
        page.post(f"/api/runs/{run}/stop")
        stopped = page.wait_for(run, lambda found: found["state"] == "stopped")
    assert stopped["frames"] > 5 and stopped["error"] is None and stopped["text"] == text
    page.post(f"/api/runs/{run}/resume")
    page.wait_for(run, lambda found: found["state"] == "rendering" and found["frames"] > stopped["frames"])
    page.post(f"/api/runs/{run}/stop")
    page.wait_for(run, lambda found: found["state"] == "stopped")
    shutil.rmtree(folder / "renders" / "long")


def test_frames_are_found_by_their_exact_numbers(page: Page, folder: Path, film: str) -> None:
    """Each is nearest to the finished film's frame of its number, and near."""
    capture = cv2.VideoCapture(str(folder / "renders" / "mine" / "mine.mp4"))
    wanted = [capture.read()[1].astype(int) for _ in range(24)]
    for number in (0, 15, 16, 23):
        answer = page.ask("GET", f"/api/runs/{film}/frames/{number}.jpg")
        found = cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_COLOR)
        assert answer.headers["content-type"] == "image/jpeg" and found is not None
        away = [np.abs(found.astype(int) - each).mean() for each in wanted]
        assert int(np.argmin(away)) == number and away[number] < 15
    assert page.ask("GET", f"/api/runs/{film}/frames/24.jpg").status == 404
    assert page.ask("GET", f"/api/runs/{film}/frames/5.jpg?width=20").status == 200


def test_the_film_comes_in_parts(page: Page, folder: Path, film: str) -> None:
    whole = (folder / "renders" / "mine" / "mine.mp4").read_bytes()
    answer = page.ask("GET", f"/api/runs/{film}/films/1", Range="bytes=100-199")
    assert answer.status == 206 and answer.body == whole[100:200]
    assert answer.headers["content-type"] == "video/mp4"


def test_pages_without_scripts_see_it_too(page: Page, film: str) -> None:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=30)
    connection.request("GET", f"/api/runs/{film}/live.mjpg", headers={"Cookie": page.cookie})
    response = connection.getresponse()
    assert response.headers["content-type"].startswith("multipart/x-mixed-replace; boundary=")
    assert b"image/jpeg" in response.read(200)
    connection.close()


def test_the_curves_are_those_of_the_log(page: Page, folder: Path, film: str) -> None:
    found = page.get(f"/api/runs/{film}/figures")
    log = [json.loads(line) for line in (folder / "renders" / "mine" / "run.jsonl").read_text().splitlines()]
    assert found["frames"] == list(range(24)) and found["fps"] == 8
    wanted = {record["frame"]: record["sharpness"] for record in log if "frame" in record and "event" not in record}
    assert found["series"]["sharpness"] == pytest.approx(list(wanted.values()), abs=1e-4)
    assert set(found["series"]) == set(found["labels"])


def test_a_branch_is_what_its_preset_gives_from_nothing(page: Page, folder: Path, film: str, tmp_path: Path) -> None:
    text = TEXT.replace("strength: 0.3 ", "strength: 0.9 ").replace("zoom: 1.5", "zoom: 2 - t / 10")
    branch = page.post(f"/api/runs/{film}/branch", at=16, text=text)["id"]
    found = page.finished(branch)
    assert found["parent"] == {"id": film, "name": "mine", "frame": 16, "seconds": 2.0}
    assert "changes: [{at: 16f, " in found["text"] and "# how far" in found["text"]
    path, again = folder / "renders" / found["name"], tmp_path / "again"
    run_dreamreel("render", str(path / f"{found['name']}.yaml"), "--out", str(again))
    assert _segments(again) == _segments(path)
    shared = [(path / "segments" / name).stat().st_nlink > 1 for name in sorted(_segments(path))]
    assert shared == [True, False]
    refused = page.send(f"/api/runs/{film}/branch", at=16, text=text.replace("seed: 3", "seed: 4"))
    assert refused.status == 409 and "keeps the seed" in refused.json["error"]
    assert "no frame 99 yet" in page.send(f"/api/runs/{film}/branch", at=99, set={"dream.strength": 1}).json["error"]


def _segments(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (run / "segments").glob("*.mp4")}


def test_what_fails_says_why(page: Page, film: str) -> None:
    refused = page.send("/api/runs", text=TEXT.replace("octaves: 1", "octaves: 0"))
    assert refused.status == 422 and refused.json["problems"][0]["line"] == 16
    branch = page.post(f"/api/runs/{film}/branch", at=8, set={"dream.octaves": 0})["id"]
    found = page.wait_for(branch, lambda run: run["state"] == "failed")
    assert "must be at least 1" in found["error"]
    assert page.send(f"/api/runs/{film}/resume").json["error"].startswith("mine is finished")


def test_where_no_file_manager_is_the_folder_is_told(page: Page, folder: Path, film: str) -> None:
    answer = page.send(f"/api/runs/{film}/reveal")
    assert answer.status == 200 or str(folder / "renders" / "mine") in answer.json["error"]


def test_runs_of_the_command_line_are_found(page: Page, folder: Path) -> None:
    run_dreamreel(
        "render", str(folder / "mine.yaml"), "--set", "duration=1s", "--out", str(folder / "renders" / "other")
    )
    listed = {each["name"]: each for each in page.get("/api/state")["runs"]}
    found = page.get(f"/api/runs/{listed['other']['id']}")
    assert found["state"] == "finished" and found["frames"] == 8 and "stage: zoom" in found["text"]
    assert count_frames(folder / "renders" / "other" / "mine.mp4") == 8
