"""Films on a CUDA device, where there is one; `tests.pretended` stands for it elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import pipeline
from benchmarks.gpu import synchronisations
from pipeline import backbones
from pipeline.chain import Chain
from pipeline.device import open_device
from pipeline.engines import Climb, EngineChoice, build_engine, climb
from pipeline.errors import PipelineError
from pipeline.objectives import LayerL2
from pipeline.ops.gradient import smoothing_kernel
from pipeline.preset import parse_preset
from tests.films import FILMS, film
from tests.run.small import stop_after

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
ENGINES = ("folded", "graph")
NAMES = [name for name in FILMS if name != "eight bits"]  # which are for CPUs
SMALL = """\
size: 96x64
fps: 12
duration: 8f
device: cuda
stages:
  - {stage: noise}
  - {stage: zoom, zoom: 1.4}
  - {stage: dream, octaves: 2, steps: 2}
  - {stage: palette}
"""


@pytest.fixture(autouse=True, scope="module")
def cuda() -> torch.device:
    return open_device("cuda")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", NAMES)
def test_a_stopped_film_goes_on_to_the_same_bytes(name: str, engine: str, tmp_path: Path) -> None:
    whole = pipeline.render(film(name, "cuda", engine), tmp_path / "whole")
    assert not pipeline.render(film(name, "cuda", engine), tmp_path / "run", options=stop_after(4)).finished
    assert pipeline.resume(tmp_path / "run").path.read_bytes() == whole.path.read_bytes()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("scenes")])
def test_no_frame_waits_and_its_picture_is_the_cpus(name: str, engine: str) -> None:
    expected, differences, waits = list(pipeline.frames(film(name, "cpu"))), [], []
    with Chain(film(name, "cuda", engine)) as chain:
        for index, frame in enumerate(expected):
            # From the CPU's own last frame: a dream makes much of differences in the last digits.
            previous = expected[index - 1].feedback.to("cuda") if index > 0 else None
            with synchronisations(torch.device("cuda")) as found:
                image = chain.step(index, previous).image
            if index >= 4 and index not in film(name, "cuda").turns:  # stages are built, graphs captured before
                waits += [f"{index}: {warning.filename}:{warning.lineno}" for warning in found]
            differences.append(float((image.cpu() - frame.image).abs().mean()))
    assert not waits
    # Two steps into noise are the first frame: whether one neuron wakes there decides much. With what convolutions give
    # off by a ten-millionth it moves by 0.0015 on the CPU itself, the others by 3e-8.
    assert differences[0] < 1e-2 and max(differences[1:]) < 1e-3, differences


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("laplacian", [False, True])
def test_a_captured_climb_is_the_folded_one(precision: str, laplacian: bool, cuda: torch.device) -> None:
    backbone = backbones.load("lite0", ["blocks.2.1"], cuda)
    how = Climb(3, 0.02, 12, smoothing_kernel(0.8).to(cuda), laplacian)
    image = torch.rand(1, 3, 96, 128, generator=torch.Generator().manual_seed(0)).to(cuda)
    objective, found = LayerL2("blocks.2.1"), {}
    for engine in ENGINES:
        made = build_engine(backbone, EngineChoice.parse(f"{engine}/{precision}"))
        climb(made, objective, image, how, torch.Generator().manual_seed(7))  # captured with other shifts
        found[engine] = climb(made, objective, image, how, torch.Generator().manual_seed(1))
    torch.testing.assert_close(found["graph"], found["folded"], atol=1e-4, rtol=0)


def test_what_auto_chose_is_what_a_run_goes_on_with(tmp_path: Path) -> None:
    preset = parse_preset(SMALL.encode(), name="small")
    whole = pipeline.render(preset, tmp_path / "whole")
    assert not pipeline.render(preset, tmp_path / "run", options=stop_after(3)).finished
    assert pipeline.resume(tmp_path / "run").path.read_bytes() == whole.path.read_bytes()
    precision = "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    pinned = (tmp_path / "whole" / "preset.yaml").read_text()
    assert "engine: graph" in pinned and f"precision: {precision}" in pinned


def test_too_little_memory_is_said(tmp_path: Path) -> None:
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(0.002)
    try:
        large = parse_preset(SMALL.replace("96x64", "3840x2160").encode(), name="large")
        with pytest.raises(PipelineError, match="out of memory"):
            pipeline.render(large, tmp_path / "run")
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
