"""Drafts: a film tried from a frame of a run on, steered while it plays, and kept as a branch."""

from __future__ import annotations

import time

import pytest
import yaml

from pipeline.run import render
from pipeline.preset import load_preset
from tests.studio.conftest import TEXT
from tests.studio.server import Page, shown, told

FASTER = TEXT.replace("strength: 0.3 ", "strength: 0.9 ")


@pytest.fixture(scope="module")
def draft(page: Page, film: str) -> str:
    return str(page.post("/api/drafts", text=TEXT, run=film, frame=11, width=None)["id"])


def test_a_draft_plays_on_from_the_frame_that_was_looked_at(page: Page, draft: str) -> None:
    with page.live() as socket:
        socket.send(f'{{"watch": "{draft}", "width": 320}}')
        assert told(socket, "draft")["id"] == draft
        about, picture = shown(socket)
        assert picture[:2] == b"\xff\xd8" and about["frame"] == 12 and about["seconds"] == 1.5
        later = [shown(socket)[0]["frame"] for _ in range(3)]
        assert later == sorted(set(later)) and later[0] > 12
