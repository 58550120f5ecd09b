"""The way a film goes on a CUDA device, on one that is only pretended: the CPU's pictures, and no frame that waits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import pipeline
from pipeline import backbones
from pipeline.chain import Chain
from pipeline.device import HostCopies, constant, upload
from pipeline.engines import Climb, climb
from pipeline.engines.folded import FoldedEngine
from pipeline.engines.graph import AscentStep
from pipeline.frame import to_uint8
from pipeline.objectives import LayerL2
from pipeline.ops import mask
from pipeline.ops.gradient import smoothing_kernel
from pipeline.run.log import frame_records
from tests.films import FILMS, FRAMES, film
from tests.pretended import Device, Pretended, pretended_cuda
from tests.run.small import stop_after
from tests.torture import decoded


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    """A pretended device, for one test."""
    with pretended_cuda(monkeypatch) as device:
        yield device


@pytest.mark.parametrize("name", [name for name in FILMS if name != "eight bits" and not name.startswith("scenes")])
def test_no_frame_waits_and_its_picture_is_the_cpus(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight bits are for CPUs; scenes go on from their own frames, and not from the CPU's."""
    expected, differences = list(pipeline.frames(film(name, "cpu"))), []
    with pretended_cuda(monkeypatch) as cuda, Chain(film(name, "cuda")) as chain:
        for index, frame in enumerate(expected):
            # From the CPU's own last frame: a dream makes much of differences in the last digits.
            previous = expected[index - 1].feedback.to("cuda") if index > 0 else None
            with cuda.listening() as notes:
                image = chain.step(index, previous).image
            assert isinstance(image, Pretended)
            changes = index in film(name, "cuda").turns  # which builds stages
            assert changes or not [note for note in notes if note.waits]
            differences.append((image.inner - frame.image).abs())
    # The last digits may switch one of a network's units, which changes a frame a little, here and there.
    assert all(difference.mean() < 1e-3 for difference in differences)
    assert sum(bool(difference.max() > 1e-5) for difference in differences) <= 2


@pytest.mark.parametrize(
    "name", ["zoom, hold, palette", "droste", "moving layers, every third frame", "guided", "wandering"]
)
def test_a_stopped_film_goes_on_to_the_same_bytes(name: str, cuda: Device, tmp_path: Path) -> None:
    whole = pipeline.render(film(name, "cuda"), tmp_path / "whole")
    assert not pipeline.render(film(name, "cuda"), tmp_path / "run", options=stop_after(4)).finished
    assert pipeline.resume(tmp_path / "run").path.read_bytes() == whole.path.read_bytes()


def test_the_film_shows_the_frames(cuda: Device, tmp_path: Path) -> None:
    name = "zoom, hold, palette"
    on_cpu = pipeline.render(film(name, "cpu"), tmp_path / "cpu")
    on_cuda = pipeline.render(film(name, "cuda"), tmp_path / "cuda")
    expected, found = (frame_records(result.folder / "run.jsonl") for result in (on_cpu, on_cuda))
    for index in range(FRAMES):
        for figure in ("brightness", "contrast", "saturation", "sharpness"):
            assert found[index][figure] == pytest.approx(expected[index][figure], abs=1e-3)


def test_an_output_gets_its_pixels_without_touching_the_device(cuda: Device, tmp_path: Path) -> None:
    """Its thread is outside of the pretended device's context, where any of that one's tensors would raise."""
    latest, last = pipeline.Latest(), []
    result = pipeline.render(
        film("zoom, hold, palette", "cuda"),
        tmp_path / "run",
        lambda frame, spec: last.append(frame.image.cpu()),
        outputs=[latest],
    )
    assert not result.notes and latest.shown is not None and latest.shown.frame == FRAMES - 1
    assert (latest.shown.pixels == to_uint8(last[-1])).all()


def test_frames_come_to_the_host_rounded_and_only_when_the_copy_is_done(cuda: Device) -> None:
    frame = torch.rand(1, 3, 48, 64, generator=torch.Generator().manual_seed(0))
    here, copies = frame.to("cuda"), HostCopies(torch.device("cuda"))
    with cuda.listening() as notes:
        arrived = copies(here)
    assert [(note.what, note.waits) for note in notes] == [("copy to the host", False)]
    assert (arrived() == to_uint8(frame)).all()


def ascent(device: str, laplacian: bool) -> tuple[FoldedEngine, Any, Tensor, Climb]:
    backbone = backbones.load("lite0", ["blocks.2.1"], torch.device(device))
    image = torch.rand(1, 3, 48, 64, generator=torch.Generator().manual_seed(0)).to(device)
    kernel = smoothing_kernel(0.8).to(device)
    return FoldedEngine(backbone, "float32"), LayerL2("blocks.2.1"), image, Climb(3, 0.02, 12, kernel, laplacian)


@pytest.mark.parametrize("laplacian", [False, True])
def test_a_step_that_is_captured_leaves_the_host_alone(laplacian: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, objective, image, how = ascent("cpu", laplacian)
    expected = climb(engine, objective, image, how, torch.Generator().manual_seed(1))
    with pretended_cuda(monkeypatch) as cuda:
        engine, objective, image, how = ascent("cuda", laplacian)
        step = AscentStep(engine, objective, image, how.kernel, laplacian)
        actual = step.climb(image, how, torch.Generator().manual_seed(1))
        assert torch.allclose(actual.cpu(), expected, atol=1e-4)
        with cuda.listening() as notes:
            step._step()
        assert not notes
        with cuda.listening() as notes:
            step.climb(image, how, torch.Generator().manual_seed(1))
        assert notes and not [note for note in notes if note.waits]


def test_a_film_whose_steps_can_t_be_captured_is_led_step_by_step(
    cuda: Device, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    def refuse(self: AscentStep) -> None:
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(AscentStep, "_captured", refuse)
    name = "fine octaves seldom"
    folded = pipeline.render(film(name, "cuda"), tmp_path / "folded")
    whole = pipeline.render(film(name, "cuda", "graph"), tmp_path / "whole")
    assert caplog.text.count("can't be captured") == 3  # once for each octave
    assert not pipeline.render(film(name, "cuda", "graph"), tmp_path / "run", options=stop_after(4)).finished
    assert pipeline.resume(tmp_path / "run").path.read_bytes() == whole.path.read_bytes()
    assert decoded(whole.path) == decoded(folded.path)


def test_the_device_refuses_tensors_of_the_cpu(cuda: Device) -> None:
    ones = torch.ones(2, device="cuda")
    with pytest.raises(AssertionError, match="on cpu"):
        ones + torch.ones(2)
    assert (ones + torch.tensor(2.0)).tolist() == [3, 3]


@pytest.mark.parametrize(
    "act",
    [
        lambda x: float(x[0]),
        lambda x: bool((x > 0).any()),
        lambda x: x.cpu(),
        lambda x: x[x > 0],
        lambda x: x[[0, 1]],
        lambda x: x.nonzero(),
        lambda x: torch.ones(2).to(x.device),
        lambda x: torch.ones(2).to(x.device, non_blocking=True),
        lambda x: x.new_tensor([1.0, 2.0]),
        lambda x: torch.empty(2).copy_(x, non_blocking=True),
        lambda x: torch.linalg.eigh(torch.outer(x, x)),
        lambda x: torch.linalg.inv(torch.outer(x, x) + torch.eye(2, device=x.device)),
    ],
)
def test_what_waits_is_noted(act: Any, cuda: Device) -> None:
    x = torch.ones(2, device="cuda")
    with cuda.listening() as notes:
        act(x)
    assert any(note.waits for note in notes)


@pytest.mark.parametrize(
    "act",
    [
        lambda x: x.mul_(2)[:1].add_(1).sum(),
        lambda x: x.to("cpu", non_blocking=True),
        lambda x: upload(torch.ones(2), x.device),
        lambda x: constant((1.0, 2.0), x),
        lambda x: torch.linalg.cholesky_ex(torch.outer(x, x) + torch.eye(2, device=x.device)),
    ],
)
def test_what_does_not_wait_is_free(act: Any, cuda: Device) -> None:
    x = torch.ones(2, device="cuda")
    with cuda.listening() as notes:
        act(x)
    assert not any(note.waits for note in notes)


def test_a_note_tells_the_line_of_the_pipeline(cuda: Device) -> None:
    with cuda.listening() as notes:
        to_uint8(torch.ones(1, 3, 4, 4, device="cuda"))
    assert [note.where.partition(":")[0] for note in notes] == ["frame.py"]


@pytest.mark.parametrize("sigma_px", [0.5, 2.5, 40.0])
def test_masks_are_softened_alike(sigma_px: float, cuda: Device) -> None:
    area = (torch.rand(1, 1, 48, 64, generator=torch.Generator().manual_seed(0)) > 0.7).float()
    assert torch.allclose(mask.soften(area.to("cuda"), sigma_px).cpu(), mask.soften(area, sigma_px), atol=1e-6)
