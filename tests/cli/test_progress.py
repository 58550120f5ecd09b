"""Progress that never stands still, and what it says is left."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from pipeline import activity
from pipeline.chain import frames
from pipeline.cli import watch
from pipeline.cli.pace import Pace, first_frame_weight
from pipeline.cli.progress import RenderProgress
from pipeline.cli.watch import Watch
from pipeline.media.ahead import Ahead
from pipeline.media.behind import Behind
from pipeline.preset import load_preset, parse_preset
from tests.conftest import SMALL
from tests.processes import COMMAND, Terminal

Heard = list[tuple[str, int, int | None]]


def test_reports_reach_the_listener_from_any_depth_and_thread() -> None:
    heard: Heard = []
    activity.report("nobody hears")
    with activity.listening(lambda *said: heard.append(said)):
        ahead = Ahead(iter(map(lambda n: activity.report("ahead", n, 1), range(1))))
        assert list(ahead) == [None]
        with Behind("behind", 1) as behind:
            behind.put(lambda: activity.report("behind"))
    activity.report("nobody hears")
    assert heard == [("ahead", 0, 1), ("behind", 0, None)]


def test_two_renders_in_two_threads_are_told_apart() -> None:
    heard: dict[str, Heard] = {"a": [], "b": []}

    def work(name: str) -> None:
        with activity.listening(lambda *said: heard[name].append(said)):
            activity.report(name)

    threads = [threading.Thread(target=work, args=(name,)) for name in heard]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == {"a": [("a", 0, None)], "b": [("b", 0, None)]}


def test_every_step_of_the_first_frame_is_told_in_pixels_and_watching_changes_no_bit() -> None:
    preset = parse_preset(
        SMALL.replace("size: 64x48", "size: 128x96").replace("octaves: 1", "octaves: 2\n    engine: reference")
    )
    (unwatched,) = (frame.image for frame in [next(frames(preset))])
    heard: Heard = []
    with activity.listening(lambda *said: heard.append(said)):
        watched = next(frames(preset)).image
    assert watched.equal(unwatched)
    dreaming = [(done, total) for what, done, total in heard if what == "dreaming"]
    small, large = 85 * 64, 128 * 96
    assert dreaming == [(done, 2 * (small + large)) for done in (0, small, 2 * small, 2 * small + large)] + [
        (2 * (small + large), 2 * (small + large))
    ]


def test_the_first_frame_counts_as_what_it_is() -> None:
    pace = Pace(101, lead_in=0, first_weight=8.0)
    assert pace.left(0.0) is None
    pace.partly(0.0, 0.0)
    pace.partly(0.5, 20.0)  # 40 s for the first, so 5 for each of the others
    assert pace.per_frame() == pytest.approx(5.0) and pace.left(20.0) == pytest.approx(20 + 100 * 5)
    pace.frame(0, 40.0, 40.0)
    assert pace.left(40.0) == pytest.approx(500)
    for index in range(1, 4):
        pace.frame(index, 4.0, 40.0 + 4 * index)
    assert pace.per_frame() == pytest.approx(4.0) and pace.left(52.0) == pytest.approx(97 * 4)
    assert pace.left(55.0) == pytest.approx(97 * 4 - 3)


def test_a_lead_in_counts_and_a_film_without_end_has_nothing_left() -> None:
    pace = Pace(10, lead_in=5, first_weight=1.0)
    pace.frame(-5, 1.0, 1.0)
    assert pace.left(1.0) == pytest.approx(14)
    pace = Pace(10, lead_in=5, first_weight=2.0)
    pace.partly(0.0, 100.0)  # what came before set things up
    pace.frame(-5, 100.0, 104.0)
    assert pace.per_frame() == pytest.approx(2.0)
    endless = Pace(None, 0, None)
    endless.frame(7, 1.0, 1.0)
    assert endless.left(1.0) is None and endless.per_frame() == 1.0


def test_the_weight_of_the_first_frame_is_that_of_its_steps() -> None:
    assert first_frame_weight(parse_preset(SMALL)) == 2.0
    assert first_frame_weight(parse_preset(SMALL.replace("steps: 1\n", "steps: 4\n    every: 2\n", 1))) == 1.0


def test_where_nothing_lives_a_line_comes_after_some_silence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "SILENT_SECONDS", 0.2)
    with Watch("reading x\x1b", stderr=True):
        activity.report("looking", 1, 4)
        time.sleep(0.7)
    lines = capsys.readouterr().err.splitlines()
    assert 2 <= len(lines) <= 3 and lines[0].startswith(r"reading x\x1b: looking 25 %, 0.")


def test_the_first_frame_is_heard_of_before_it_is_done(
    small_preset: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "SILENT_SECONDS", 0.2)
    with RenderProgress(load_preset(small_preset)) as progress:
        progress.hear("dreaming", 1, 4)
        time.sleep(0.5)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "small: 4 frames, 64x48, 12 fps, seed 3"
    assert said[1].startswith("0/4 frames, ") and "s left, dreaming 25 %" in said[1]


def test_a_lead_in_is_counted_from_the_start_and_the_bar_never_goes_back() -> None:
    progress = RenderProgress(parse_preset(SMALL.replace("duration: 4f", "duration: 4f\nlead_in: 3f")))
    (task,) = progress._bar.tasks
    said, bar = [progress._counted()], [task.completed]
    for done in range(1, 4):
        progress.hear("dreaming", 1, 2)
        bar.append(task.completed)
        progress.on_lead_in(done, 3)
        bar.append(task.completed)
        said.append(progress._counted())
    assert said == [
        "lead-in, 3 frames before the first",
        "lead-in, 2 frames before the first",
        "lead-in, 1 frame before the first",
        "0/4 frames",
    ]
    assert bar == [0, 0.5, 1, 1.5, 2, 2.5, 3] and task.total == 7


@pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals")
@pytest.mark.parametrize("kind", ["xterm", "dumb"])
def test_on_a_terminal_the_first_frame_moves(kind: str, tmp_path: Path) -> None:
    text = SMALL.replace("first_steps: 2", "first_steps: 10000\n    engine: reference").replace(
        "\n  - stage: palette", ""
    )
    (tmp_path / "slow.yaml").write_text(text)
    with Terminal((*COMMAND, "render", "slow.yaml"), tmp_path, TERM=kind) as terminal:
        terminal.wait_for(rb"dreaming [1-9]\d? %")
        assert b"0/4 frames" in terminal.seen
