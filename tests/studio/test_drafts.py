"""Drafts: a film tried from a frame of a run on, steered while it plays, and kept as a branch."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.chain import Chain
from pipeline.preset import parse_preset
from pipeline.run import render
from pipeline.run.small import small
from pipeline.studio.beginning import beginning, take_over
from pipeline.studio.drafting import Draft
from tests.studio.conftest import TEXT
from tests.studio.server import Page, shown, told

FASTER = TEXT.replace("strength: 0.3 ", "strength: 0.9 ")
MORE_STAGES = """\
  - {stage: palette, to: seed}
  - {stage: hold, contrast: first, settle: 2f}
  - {stage: loop, over: 4f}
  - {stage: tone, vignette: 0.3, shown_only: true}
"""


@pytest.fixture(scope="module")
def draft(page: Page, film: str) -> str:
    return str(page.post("/api/drafts", text=TEXT, run=film, frame=11, width=None)["id"])


def test_a_draft_plays_on_from_the_frame_that_was_looked_at(page: Page, draft: str) -> None:
    with page.live() as socket:
        socket.send(f'{{"watch": "{draft}", "width": 320}}')
        assert draft in (told(socket, "draft")["id"] for _ in range(4))  # other tests' drafts may play
        about, picture = shown(socket)
        assert picture[:2] == b"\xff\xd8" and about["frame"] == 12 and about["seconds"] == 1.5
        later = [shown(socket)[0]["frame"] for _ in range(3)]
        assert later == sorted(set(later)) and later[0] > 12


def test_it_is_steered_between_two_frames(page: Page, draft: str) -> None:
    """What is asked is taken; what is wrong is told, and the draft plays on; what fits no film that is begun, too."""
    with page.live() as socket:
        socket.send(f'{{"watch": "{draft}", "width": 320}}')
        shown(socket)
        page.post(f"/api/drafts/{draft}/steer", text=FASTER)  # answered when it is taken
        wrong = page.send(f"/api/drafts/{draft}/steer", text=TEXT.replace("octaves: 1", "octaves: 0"))
        assert wrong.status == 422 and wrong.json["problems"][0]["line"] == 16
        page.post(f"/api/drafts/{draft}/steer", text=FASTER.replace("seed: 3", "seed: 4"))
        page.post(f"/api/drafts/{draft}/steer", text=FASTER)
        assert shown(socket)[0]["frame"] >= 12


class Watched(io.BytesIO):
    """What a draft says: at its third frame it is asked for another text, and at its sixth it is over."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self.draft: Draft | None = None

    def write(self, data: Any) -> int:
        line = json.loads(bytes(data).split(b"\n", 1)[0])
        self.said += line.keys() & {"frame", "steered"}
        assert self.draft is not None
        if "frame" in line and self.said == ["frame"] * 3:
            self.draft.ask({"steer": 1, "text": FASTER, "base": "."})
        if self.said.count("frame") == 6:
            raise StopIteration
        return len(data)


def test_what_is_asked_acts_on_the_very_next_frame(tmp_path: Path) -> None:
    out = Watched()
    out.draft = Draft(out, tmp_path)
    out.draft.ask({"text": TEXT, "base": "."})
    with pytest.raises(StopIteration):
        out.draft.run()
    assert out.said == ["frame", "frame", "frame", "steered", "frame", "frame", "frame"]


def test_what_is_kept_is_a_branch_of_the_real_size(page: Page, folder: Path, film: str, draft: str) -> None:
    kept = page.post(f"/api/drafts/{draft}/keep", name="kept")["id"]
    found = page.finished(kept)
    assert found["name"] == "kept" and found["parent"]["id"] == film and found["parent"]["frame"] == 12
    changed = yaml.safe_load((folder / "renders" / "kept" / "preset.yaml").read_text())["changes"]
    assert changed == [{"at": "12f", "set": {"dream.strength": 0.9}}]
    assert page.send(f"/api/drafts/{draft}/steer", text=TEXT).status == 404


def test_a_draft_of_no_run_begins_a_film(page: Page) -> None:
    text = TEXT.replace("name: mine", "name: fresh")
    draft = page.post("/api/drafts", text=text)["id"]
    with page.live() as socket:
        socket.send(f'{{"watch": "{draft}", "width": 64}}')
        assert shown(socket)[0]["frame"] >= 0
    page.post(f"/api/drafts/{draft}/stop")
    assert page.send(f"/api/drafts/{draft}/keep").status == 404


def test_a_draft_is_small_and_knows_what_the_run_knew(tmp_path: Path) -> None:
    text = TEXT.replace("64x48", "640x480").replace("octaves: 1", "octaves: 3").replace("duration: 3s", "duration: 20f")
    text = text.replace("  - stage: encode", MORE_STAGES + "  - stage: encode")
    render(parse_preset(text), tmp_path / "run")
    assert beginning(tmp_path / "run", 14).index == 15, "no state is before it: the frame goes on"
    begun = beginning(tmp_path / "run", 18)
    assert begun.index == 16, "what only the film shows is not to go round"
    made, differs = small(parse_preset(text), tmp_path)
    assert max(made.size) <= 320 and any("motifs are as large" in each for each in differs)
    with Chain(made, begun.index) as chain:
        previous = take_over(chain, begun)
        assert previous is not None and previous.shape[-2:] == made.size
        known = chain.state_dict()
        assert {"hold/targets", "palette/mean", "loop/first"} <= known.keys()
        assert known["loop/first"].shape[-2:] == made.size
        first = chain.step(begun.index, previous)
        assert first.image.shape[-2:] == made.size
