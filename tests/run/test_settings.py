"""A notebook may have set torch and OpenCV otherwise: the same bytes, or a clear error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import cv2
import pytest
import torch

import pipeline
from pipeline.chain import Frame
from pipeline.errors import PipelineError
from pipeline.preset import Preset
from pipeline.run.settings import Settings
from pipeline.stages import RunSpec
from tests.clips import counter
from tests.run.quick import HEAD, quick, stop_after

USUAL = Settings.now()
OTHER = USUAL.model_copy(update={"opencv_optimised": False, "onednn": False, "matmul": "medium", "deterministic": 1})
STAGES = """\
stages:
  - {stage: video, path: film.mp4, motion: dis}
  - stage: flow
  - {stage: dream, octaves: 1, steps: 1, first_steps: 1, layer: blocks.2.1, engine: folded, precision: float32}
  - {stage: encode, preset: ultrafast}
"""


@pytest.fixture
def preset(tmp_path: Path) -> Preset:
    counter(tmp_path / "film.mp4", 12, "4")
    return quick(tmp_path, head=HEAD.replace("21f", "9f"), stages=STAGES)


@contextmanager
def default_dtype(kind: torch.dtype) -> Iterator[None]:
    torch.set_default_dtype(kind)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


UNUSUAL: dict[str, tuple[AbstractContextManager[object], str]] = {
    "inference": (torch.inference_mode(), r"torch\.inference_mode\(\) is on"),
    "autocast": (torch.autocast("cpu", torch.bfloat16), r"torch\.autocast\(\) is on"),
    "float64": (default_dtype(torch.float64), r"default type is torch\.float64: call torch\.set_default_dtype"),
    "device": (torch.device("meta"), r"default device is meta: call torch\.set_default_device\(None\)"),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_what_no_film_comes_out_with_is_told_before_anything_is_written(
    preset: Preset, tmp_path: Path, name: str
) -> None:
    settings, said = UNUSUAL[name]
    begun = pipeline.frames(preset)
    next(begun)
    with settings:
        with pytest.raises(PipelineError, match=said):
            pipeline.render(preset, tmp_path / "run")
        with pytest.raises(PipelineError, match=said):
            next(pipeline.frames(preset))
        with pytest.raises(PipelineError, match=said):  # switched on between two frames
            next(begun)
    assert not (tmp_path / "run").exists()


def test_without_gradients_around_it_the_frames_are_the_same(preset: Preset) -> None:
    with torch.no_grad():
        inside = [frame.image for frame in pipeline.frames(preset)]
    assert all(map(torch.equal, inside, (frame.image for frame in pipeline.frames(preset))))


def test_a_run_goes_on_with_the_settings_it_was_begun_with(preset: Preset, tmp_path: Path) -> None:
    with OTHER.kept():
        whole = [frame.image for frame in pipeline.frames(preset)]
        pipeline.render(preset, tmp_path / "run", options=stop_after(3))
    usual = [frame.image for frame in pipeline.frames(preset)]
    assert not all(map(torch.equal, whole, usual))  # or this would prove nothing
    seen: list[int] = []

    def compare(frame: Frame, spec: RunSpec) -> None:
        seen.append(frame.index)
        assert Settings.now() == OTHER and torch.equal(frame.image, whole[frame.index])

    assert pipeline.resume(tmp_path / "run", compare).finished
    assert seen == list(range(3, 9)) and Settings.now() == USUAL


def test_settings_are_put_back_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), OTHER.kept():
        assert not cv2.useOptimized()
        raise ZeroDivisionError
    assert Settings.now() == USUAL


def test_a_precision_that_torch_can_not_tell_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def both() -> str:
        raise RuntimeError("PyTorch is checking the matmul precision without a specific backend name")

    monkeypatch.setattr(torch, "get_float32_matmul_precision", both)
    with pytest.raises(PipelineError, match=r"call torch\.set_float32_matmul_precision\('highest'\)"):
        Settings.now()
