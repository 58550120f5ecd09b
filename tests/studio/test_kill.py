"""The renderer is a process of its own: whatever becomes of the studio, the film has the bytes of a render alone."""

from __future__ import annotations

import signal
from pathlib import Path

from pipeline.run import report
from tests.processes import run_dreamreel
from tests.studio.conftest import TEXT
from tests.studio.server import shown, studio


def test_a_killed_studio_harms_no_render_and_finds_it_again(tmp_path: Path) -> None:
    text = TEXT.replace("duration: 3s", "duration: 10s")
    folder = tmp_path / "films"
    folder.mkdir()
    with studio(folder) as page:
        run = page.post("/api/runs", text=text)["id"]
        with page.live() as socket:
            socket.send(f'{{"watch": "{run}", "width": 64}}')
            assert shown(socket)[0]["frame"] >= 0
        page.process.send_signal(signal.SIGKILL)
        page.process.wait()
    path = folder / "renders" / "mine"
    assert report(path).state == "rendering"
    with studio(folder) as page:
        found = page.get(f"/api/runs/{run}")
        assert found["state"] in ("rendering", "finished") and found["total"] == 80
        page.finished(run)
    alone = tmp_path / "alone"
    run_dreamreel("render", str(path / "mine.yaml"), "--relative-to", str(folder), "--out", str(alone))
    assert (alone / "mine.mp4").read_bytes() == (path / "mine.mp4").read_bytes()
