"""A CUDA device: whole steps as graphs against eager ones, an endless zoom, and what a graph's capture takes.

`--dry-run` tries the same code on the CPU.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from benchmarks.common import report, time_in_turn
from pipeline import backbones
from pipeline.chain import Chain
from pipeline.device import HostCopies, open_device
from pipeline.engines import Climb, EngineChoice, TiledEngine, build_engine, climb, memory_budget
from pipeline.engines.graph import GraphEngine
from pipeline.errors import DeviceError
from pipeline.frame import Size
from pipeline.objectives import LayerL2
from pipeline.ops.gradient import smoothing_kernel
from pipeline.ops.pyramid import octave_sizes
from pipeline.preset import Override, parse_preset

LAYERS = {"googlenet": "inception4c", "lite0": "blocks.5.0"}
STEPS = 4
OCTAVES, OCTAVE_SCALE = 3, 1.5
WARM_UPS = 3
ZOOM = b"""
duration: endless
stages:
  - stage: noise
  - {stage: zoom, zoom: 1.3, rotate: 5}
  - {stage: dream, octaves: 1, steps: 2}
  - stage: palette
"""


def measure(model: str, size: Size, device: torch.device, rounds: int) -> list[dict[str, Any]]:
    """Milliseconds per ascent step, jitter to update, and what cuDNN's deterministic algorithms cost."""
    layer = LAYERS[model]
    backbone = backbones.load(model, [layer], device, "auto" if model == "lite0" else "random")
    objective, how = LayerL2(layer), Climb(STEPS, 0.01, 32, smoothing_kernel(0.8).to(device))
    image = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0)).to(device)

    def climbing(text: str) -> Callable[[], object]:
        choice = EngineChoice.parse(text)
        engine = GraphEngine(backbone, choice.precision) if choice.engine == "graph" else build_engine(backbone, choice)
        tiled = TiledEngine(engine, backbone, memory_budget("auto", device))

        def run() -> None:
            climb(tiled, objective, image, how, torch.Generator().manual_seed(1))
            _wait(device)

        return run

    names = ["reference/float32", "folded/bfloat16", "graph/float32", "graph/bfloat16"]
    variants = {name: climbing(name) for name in names}
    variants["folded/bfloat16, not deterministic"] = _as_cudnn_likes(variants["folded/bfloat16"])
    taken = time_in_turn(variants, rounds, time.perf_counter)
    base = taken[names[0]]
    return [
        {"network": model, "size": str(size), "climb": name, "ms per step": 1e3 * s / STEPS, "ratio": base / s}
        for name, s in taken.items()
    ]


def _as_cudnn_likes(run: Callable[[], object]) -> Callable[[], object]:
    def free() -> None:
        with torch.backends.cudnn.flags(enabled=True, benchmark=True, deterministic=False, allow_tf32=True):  # type: ignore[no-untyped-call, unused-ignore]
            run()

    return free


def measure_loop(size: Size, device: torch.device, engine: str, frames: int) -> list[dict[str, Any]]:
    """Frames per second of an endless zoom of 2 steps a frame, on their way to the host but not encoded."""
    keys = {"size": str(size), "device": str(device), "dream.engine": engine}
    preset = parse_preset(ZOOM, name="zoom", overrides=[Override(key, value) for key, value in keys.items()])
    copies = HostCopies(device)
    with Chain(preset) as chain:
        frame = chain.step(0, None)
        for index in range(1, WARM_UPS):
            frame = chain.step(index, frame.feedback)
        with synchronisations(device) as found:
            frame = chain.step(WARM_UPS, frame.feedback)
        last = copies(frame.image)
        _wait(device)
        start = time.perf_counter()
        for index in range(WARM_UPS + 1, WARM_UPS + 1 + frames):
            frame = chain.step(index, frame.feedback)
            arriving = copies(frame.image)
            last()  # one frame behind, as the recorder does
            last = arriving
        last()
        rate = frames / (time.perf_counter() - start)
    return [{"size": str(size), "engine": engine, "frames per second": rate, "synchronisations": len(found)}]


@contextmanager
def synchronisations(device: torch.device) -> Iterator[list[warnings.WarningMessage]]:
    """What makes the host wait for a CUDA device within the block, as far as torch tells; the list fills at its end."""
    found: list[warnings.WarningMessage] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if device.type == "cuda":
            torch.cuda.set_sync_debug_mode("warn")
        try:
            yield found
        finally:
            if device.type == "cuda":
                torch.cuda.set_sync_debug_mode("default")
    found += [warning for warning in caught if "called a synchronizing CUDA operation" in str(warning.message)]


def measure_capture(model: str, size: Size, device: torch.device) -> list[dict[str, Any]]:
    """Seconds of the first step on each octave, which plans, folds, warms up and captures, and of the next."""
    layer = LAYERS[model]
    backbone = backbones.load(model, [layer], device, "auto" if model == "lite0" else "random")
    engine, objective, how = GraphEngine(backbone, "bfloat16"), LayerL2(layer), Climb(1, 0.01, 32, None)
    rows = []
    for octave in octave_sizes(size, OCTAVES, OCTAVE_SCALE):
        image = torch.rand(1, 3, *octave, generator=torch.Generator().manual_seed(0)).to(device)
        first, later = (_seconds(engine, objective, image, how, device) for _ in range(2))
        rows.append({"network": model, "octave": str(octave), "first step, s": first, "later, s": later})
    return rows


def _seconds(engine: GraphEngine, objective: LayerL2, image: torch.Tensor, how: Climb, device: torch.device) -> float:
    _wait(device)
    start = time.perf_counter()
    engine.climb_whole(image, objective, how, torch.Generator().manual_seed(1))
    _wait(device)
    return time.perf_counter() - start


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main() -> None:
    """Measure at 1080p, climbs at 720p too; a dry run measures next to nothing on the CPU."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dry-run", action="store_true", help="on the CPU, at 96x64")
    given, _ = parser.parse_known_args()
    if given.dry_run:
        small, cpu = Size(64, 96), open_device("cpu")
        report("gpu-dry-run", measure("lite0", small, cpu, 1))
        report("gpu-loop-dry-run", measure_loop(small, cpu, "folded", 2))
        report("gpu-capture-dry-run", measure_capture("lite0", Size(160, 240), cpu))
        return
    if not torch.cuda.is_available():
        raise DeviceError("benchmarks.gpu needs a CUDA device; --dry-run tries its code on the CPU")
    device = open_device("cuda")
    large, sizes = Size(1080, 1920), (Size(1080, 1920), Size(720, 1280))
    report("gpu", [row for model in LAYERS for size in sizes for row in measure(model, size, device, 10)])
    report("gpu-loop", [row for engine in ("graph", "folded") for row in measure_loop(large, device, engine, 240)])
    report("gpu-capture", [row for model in LAYERS for row in measure_capture(model, large, device)])


if __name__ == "__main__":
    main()
