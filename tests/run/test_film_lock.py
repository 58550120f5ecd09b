"""One process at a time replaces the film or clears away what is half-written."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pipeline
from pipeline.errors import RunError
from pipeline.media.joining import count_frames
from pipeline.preset import Override, Preset, load_preset
from pipeline.run import Options, film_writer, status
from tests.run.quick import quick, stop_after


@pytest.fixture
def preset(tmp_path: Path) -> Preset:
    return quick(tmp_path)


class Held:
    """A function that waits in its middle until it is let go."""

    def __init__(self, real: Callable[..., Any]) -> None:
        self._real, self.reached, self.go = real, threading.Event(), threading.Event()

    def __call__(self, *arguments: Any, **keys: Any) -> Any:
        self.reached.set()
        assert self.go.wait(60)
        return self._real(*arguments, **keys)


def beside(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    done: list[Any] = []
    thread = threading.Thread(target=lambda: done.append(work()))
    thread.start()
    return thread, done


def test_a_run_that_finishes_waits_for_an_assembly(
    preset: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = pipeline.render(preset, tmp_path / "run", options=stop_after(12)).folder
    held = Held(status.write_output)
    monkeypatch.setattr(status, "write_output", held)
    assembly, _ = beside(lambda: pipeline.assemble(run))  # of the 12 frames there are
    assert held.reached.wait(60)
    said: list[str] = []
    finishing, done = beside(lambda: pipeline.resume(run, options=Options(on_message=said.append)))
    time.sleep(1.5)
    assert not done
    held.go.set()
    assembly.join(60), finishing.join(60)
    assert count_frames(done[0].path) == 21
    assert any("another process is writing the film" in line for line in said)


def test_an_assembly_waits_for_a_run_that_finishes(
    preset: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = pipeline.render(preset, tmp_path / "run", options=stop_after(12)).folder
    held = Held(film_writer.write_output)
    monkeypatch.setattr(film_writer, "write_output", held)
    finishing, done = beside(lambda: pipeline.resume(run))
    assert held.reached.wait(60)
    said: list[str] = []
    assembly, assembled = beside(lambda: pipeline.assemble(run, on_message=said.append))
    until = time.monotonic() + 60
    while not said and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(0.5)
    assert not assembled and said == [f"another process is writing the film in {run}: waiting for it"]
    held.go.set()
    assembly.join(60), finishing.join(60)
    assert assembled[0][1] == 21 and count_frames(done[0].path) == 21


def test_a_resume_leaves_what_an_assembly_is_writing(
    preset: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = pipeline.render(preset, tmp_path / "run", options=stop_after(12)).folder
    held = Held(status.write_output)
    monkeypatch.setattr(status, "write_output", held)
    assembly, assembled = beside(lambda: pipeline.assemble(run))
    assert held.reached.wait(60)
    (piece,) = (run / "segments").glob("*-assembly.part-*.mp4")
    resuming, done = beside(lambda: pipeline.resume(run, options=stop_after(1)))
    time.sleep(0.5)
    assert piece.exists()
    held.go.set()
    assembly.join(60), resuming.join(60)
    assert assembled[0][1] == 12 and done[0].frames == 13 and not piece.exists()


def test_dead_processes_leavings_go(preset: Preset, tmp_path: Path) -> None:
    run = pipeline.render(preset, tmp_path / "run", options=stop_after(12)).folder
    left = ["quick.part-77.mp4", "quick.part-77.txt", "segments/000001-assembly.part-77.mp4"]
    left += ["segments/000001.part-77.mp4", "state/000000013.part-77.safetensors", "quick-silent.part-77.mp4"]
    for name in left:
        (run / name).write_text("half")
    pipeline.resume(run)
    assert not any((run / name).exists() for name in left)


def test_an_endless_film_that_falls_back_keeps_the_longer_one(preset: Preset, tmp_path: Path) -> None:
    endless = load_preset(str(preset.origin), [Override("duration", "endless")])
    result = pipeline.render(endless, tmp_path / "run", options=stop_after(14))
    assert count_frames(result.path) == 14
    (result.folder / "state/000000014.json").write_text("damaged")
    (result.folder / "state/000000013.json").replace(result.folder / "state/old.json")
    (result.folder / "state/000000014.json").unlink()
    with pytest.raises(RunError):
        pipeline.resume(tmp_path / "nowhere")
    shorter = pipeline.resume(result.folder, options=stop_after(3))  # from its first frame: no checkpoint is left
    assert shorter.frames == 3 and count_frames(result.path) == 14


def test_assembling_while_rendering_never_breaks_either(preset: Preset, tmp_path: Path) -> None:
    whole = pipeline.render(preset, tmp_path / "whole").path.read_bytes()
    run = pipeline.render(preset, tmp_path / "run", options=stop_after(2)).folder
    rendering, done = beside(lambda: pipeline.resume(run, options=Options(checkpoint_seconds=0.0)))
    lengths = []
    while rendering.is_alive():
        lengths.append(pipeline.assemble(run)[1])
    rendering.join()
    assert lengths == sorted(lengths)
    assert done[0].path.read_bytes() == whole
