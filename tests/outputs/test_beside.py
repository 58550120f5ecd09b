"""Outputs beside the film: what they see, when they are slow, and when they fail."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

import pipeline
from pipeline import Latest, Output
from pipeline.errors import PipelineError
from pipeline.frame import Frame, to_uint8
from pipeline.outputs import WhenSlow, require_output
from pipeline.preset import Preset
from pipeline.run import Options
from pipeline.stages import RunSpec
from tests.run.quick import quick, stop_after

FRAMES = 21


@pytest.fixture
def preset(tmp_path: Path) -> Preset:
    return quick(tmp_path)


@pytest.fixture
def whole(preset: Preset, tmp_path: Path) -> bytes:
    return pipeline.render(preset, tmp_path / "whole").path.read_bytes()


class Seeing(Output):
    """Notes what is called, in which thread."""

    def __init__(self, when_slow: WhenSlow = "hold") -> None:
        self.when_slow = when_slow
        self.seen: list[int] = []
        self.calls: list[str] = []
        self.threads: set[int] = set()

    def open(self, spec: RunSpec) -> None:
        self.calls.append(f"open {spec.size} {spec.fps} {spec.frames}")

    def put(self, frame: Frame) -> None:
        self.seen.append(frame.index)
        self.threads.add(threading.get_ident())

    def close(self) -> None:
        self.calls.append("close")


class Stuck(Seeing):
    """Looks at its first frame until it is let go."""

    def __init__(self, when_slow: WhenSlow) -> None:
        super().__init__(when_slow)
        self.go, self.came = threading.Event(), threading.Event()

    def put(self, frame: Frame) -> None:
        super().put(frame)
        self.came.set()
        assert self.go.wait(60)


class Failing(Seeing):
    """Raises at one of its calls."""

    def __init__(self, at: str | int, error: BaseException) -> None:
        super().__init__()
        self._at, self._error = at, error

    def open(self, spec: RunSpec) -> None:
        super().open(spec)
        self._maybe("open")

    def put(self, frame: Frame) -> None:
        super().put(frame)
        self._maybe(frame.index)

    def close(self) -> None:
        super().close()
        self._maybe("close")

    def _maybe(self, at: str | int) -> None:
        if at == self._at:
            raise self._error


def test_each_sees_all_frames_in_a_thread_of_its_own(preset: Preset, whole: bytes, tmp_path: Path) -> None:
    one, two = Seeing(), Seeing()
    result = pipeline.render(preset, tmp_path / "run", outputs=[one, two])
    assert result.path.read_bytes() == whole and not result.notes
    for each in (one, two):
        assert each.seen == list(range(FRAMES)) and each.calls == ["open 64x48 4 21", "close"]
    assert len(one.threads | two.threads | {threading.get_ident()}) == 3


def test_a_slow_one_that_drops_never_holds_the_loop(preset: Preset, whole: bytes, tmp_path: Path) -> None:
    stuck, made = Stuck("drop"), []

    def see(frame: Frame, spec: RunSpec) -> None:
        assert stuck.came.wait(60)
        made.append(frame.index)
        if len(made) == FRAMES:  # every frame is made while the output still looks at the first one it got
            assert len(stuck.seen) == 1
            stuck.go.set()

    assert pipeline.render(preset, tmp_path / "run", see, outputs=[stuck]).path.read_bytes() == whole
    assert made == list(range(FRAMES)) and stuck.seen == [0, FRAMES - 1] and stuck.calls[-1] == "close"


def test_a_slow_one_that_holds_sees_every_frame(preset: Preset, whole: bytes, tmp_path: Path) -> None:
    stuck, made = Stuck("hold"), []

    def see(frame: Frame, spec: RunSpec) -> None:
        made.append(frame.index)
        if len(made) == 2:
            assert stuck.came.wait(60)
            threading.Timer(0.5, lambda: (ahead.append(len(made)), stuck.go.set())).start()

    ahead: list[int] = []
    assert pipeline.render(preset, tmp_path / "run", see, outputs=[stuck]).path.read_bytes() == whole
    assert ahead[0] < 6, "the loop went on without it"
    assert stuck.seen == list(range(FRAMES))


@pytest.mark.parametrize("error", [ZeroDivisionError("the user's"), SystemExit(3)], ids=["an error", "an exit"])
@pytest.mark.parametrize("at", ["open", 0, 12, 20, "close"])
def test_one_that_fails_is_told_and_the_film_is_whole(
    preset: Preset, tmp_path: Path, at: str | int, error: BaseException
) -> None:
    failing, other, said = Failing(at, error), Seeing(), list[str]()
    options = Options(on_message=said.append)
    threads = set(threading.enumerate())
    result = pipeline.render(preset, tmp_path / "run", outputs=[failing, other], options=options)
    assert result.finished and result.frames == FRAMES and other.seen == list(range(FRAMES))
    (note,) = result.notes
    assert note.startswith(f"the output Failing failed ({type(error).__name__}") and f"note: {note}" in said
    assert failing.calls.count("close") == (0 if at == "open" else 1)
    assert failing.seen == list(range(0 if at == "open" else FRAMES if at == "close" else int(at) + 1))
    assert set(threading.enumerate()) <= threads


def test_they_are_closed_when_the_render_fails(preset: Preset, tmp_path: Path) -> None:
    seeing = Seeing()

    def fail(frame: Frame, spec: RunSpec) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        pipeline.render(preset, tmp_path / "run", fail, outputs=[seeing])
    assert seeing.calls[-1] == "close" and seeing.seen in ([], [0])


def test_a_resumed_run_shows_them_the_frames_from_there_on(preset: Preset, whole: bytes, tmp_path: Path) -> None:
    first, second = Seeing(), Seeing()
    pipeline.render(preset, tmp_path / "run", outputs=[first], options=stop_after(12))
    assert pipeline.resume(tmp_path / "run", outputs=[second]).path.read_bytes() == whole
    assert first.seen == list(range(12)) and second.seen == list(range(12, FRAMES))


def test_a_lead_in_is_not_shown(tmp_path: Path) -> None:
    seeing = Seeing()
    pipeline.render(quick(tmp_path, more="lead_in: 5f\n"), tmp_path / "run", outputs=[seeing])
    assert seeing.seen == list(range(FRAMES))


class Spoiling(Output):
    def put(self, frame: Frame) -> None:
        frame.pixels[:] = 7
        frame.image.zero_()
        frame.feedback.fill_(9)
        frame.times.clear()


class Keeping(Output):
    def __init__(self) -> None:
        self.frames: list[Frame] = []

    def put(self, frame: Frame) -> None:
        self.frames.append(frame)


def test_frames_are_theirs_to_spoil(preset: Preset, whole: bytes, tmp_path: Path) -> None:
    keeping = Keeping()
    assert pipeline.render(preset, tmp_path / "run", outputs=[Spoiling(), keeping]).path.read_bytes() == whole
    for kept, frame in zip(keeping.frames, pipeline.frames(preset), strict=True):
        assert torch.equal(kept.image, frame.image) and torch.equal(kept.feedback, frame.feedback) and kept.times
        assert np.array_equal(kept.pixels, to_uint8(frame.image)) and np.array_equal(frame.pixels, kept.pixels)


def test_the_latest_frame_is_there_for_whoever_asks(preset: Preset, whole: bytes, tmp_path: Path) -> None:
    latest, found = Latest(), []
    assert latest.shown is None and latest.wait(timeout_s=0.0) is None

    def poll() -> None:
        since = -1
        while since < FRAMES - 1:
            shown = latest.wait(since, timeout_s=60)
            assert shown is not None
            found.append(shown.frame)
            since = shown.frame

    viewer = threading.Thread(target=poll)
    viewer.start()
    assert pipeline.render(preset, tmp_path / "run", outputs=[latest]).path.read_bytes() == whole
    viewer.join(60)
    assert found == sorted(set(found)) and found[-1] == FRAMES - 1
    *_, last = pipeline.frames(preset)
    assert latest.shown is not None and np.array_equal(latest.shown.pixels, to_uint8(last.image))
    with pytest.raises(ValueError, match="read-only"):
        latest.shown.pixels[0] = 0


class _Misspelt(Output):
    when_slow = "Drop"  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("given", "said"),
    [(3, "is of type int"), (Latest, "is a class"), (_Misspelt(), "must be 'hold' or 'drop'")],
)
def test_what_is_no_output_is_refused(given: object, said: str) -> None:
    with pytest.raises(PipelineError, match=said):
        require_output(given)
