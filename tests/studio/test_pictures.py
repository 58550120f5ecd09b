"""Atlas and stills: pictures drawn in processes of their own."""

from __future__ import annotations

import io
import time

import cv2
import numpy as np
import pytest

from pipeline import load_preset
from pipeline.disk import cache_folder
from pipeline.preset import shelf
from pipeline.studio.drawing import Drawing, dream_keys
from tests.conftest import photograph
from tests.studio.conftest import TEXT
from tests.studio.server import PATIENCE, Page, told

CAT = photograph("chelsea.png").read_bytes()


def test_a_channel_is_drawn_once_and_kept(page: Page) -> None:
    layers = page.get("/api/atlas/lite0")["layers"]
    assert {"layer": "blocks.1.0", "channels": 24, "ready": 0} in layers
    place = "/api/atlas/lite0/blocks.1.0/5.jpg"
    answer = page.ask("GET", place)
    assert answer.status == 202 and answer.json["wait"] > 0
    until = time.monotonic() + PATIENCE
    while answer.status == 202 and time.monotonic() < until:
        time.sleep(0.2)
        answer = page.ask("GET", place)
    picture = cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_COLOR)
    assert answer.status == 200 and picture is not None and picture.shape == (160, 160, 3) and picture.std() > 5
    assert {"layer": "blocks.1.0", "channels": 24, "ready": 1} in page.get("/api/atlas/lite0")["layers"]
    assert list(cache_folder().glob("plates-*/lite0/blocks.1.0/5.jpg"))
    assert page.ask("GET", "/api/atlas/lite0/blocks.1.0/24.jpg").status == 404
    assert page.ask("GET", "/api/atlas/lite0/blocks.9/0.jpg").status == 404


def test_a_picture_is_dropped_and_dreamt_on(page: Page) -> None:
    added = page.ask("POST", "/api/stills?name=../../My%20cat.PNG", CAT, Content_Type="image/png").json
    assert (added["width"], added["height"]) == (451, 300)
    place = f"/api/stills/{added['id']}"
    assert page.ask("GET", f"{place}/result.png").status == 404
    with page.live() as socket:
        page.post(f"{place}/dream", text=TEXT.replace("first_steps: 2", "first_steps: 1"))
        states = []
        while not states or states[-1] not in ("finished", "failed"):
            news = told(socket, "still")
            states.append(news["state"])
        assert states[-1] == "finished", news
    was, now = (page.ask("GET", f"{place}/{name}.jpg").body for name in ("original", "result"))
    before, after = (cv2.imdecode(np.frombuffer(each, np.uint8), cv2.IMREAD_COLOR) for each in (was, now))
    assert before is not None and after is not None and before.shape == after.shape == (300, 451, 3)
    assert 0 < np.abs(before.astype(int) - after.astype(int)).mean() < 40
    saved = page.ask("GET", f"{place}/result.png")
    assert saved.body[:8] == b"\x89PNG\r\n\x1a\n" and 'filename="My%20cat-dream.png"' in saved.headers[
        "content-disposition"
    ].replace("filename*=utf-8''My%20cat-dream.png", 'filename="My%20cat-dream.png"').replace("My cat", "My%20cat")


def test_a_text_without_a_dream_is_told(page: Page) -> None:
    added = page.ask("POST", "/api/stills?name=cat", CAT, Content_Type="image/png").json
    refused = page.send(f"/api/stills/{added['id']}/dream", text="size: 64x48\nstages: [{stage: noise}]\n")
    assert refused.status == 409 and "has no dream" in refused.json["error"]


def test_a_dream_of_a_scene_is_taken_and_one_that_goes_with_a_song_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(".")  # and back: the job goes where its preset is
    triptych, pulse = (shelf()[name] for name in ("triptych", "pulse"))
    keys, seed = dream_keys(triptych.read_text(encoding="utf-8"), triptych.parent)
    assert "palace" in keys["objective"]["nearest"] and seed == load_preset("towers").seed
    said = io.BytesIO()
    job = {"kind": "dream", "text": pulse.read_text(encoding="utf-8"), "base": str(pulse.parent)}
    Drawing(said).do(job | {"path": str(photograph("chelsea.png"))})
    assert b"goes with a song, and a picture has none" in said.getvalue()
