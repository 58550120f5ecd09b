"""A climb on a CUDA device: whole steps as graphs against eager ones. `--dry-run` tries the same code on the CPU."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.common import report, time_in_turn
from pipeline import backbones
from pipeline.device import open_device
from pipeline.engines import Climb, EngineChoice, TiledEngine, build_engine, climb, memory_budget
from pipeline.engines.graph import GraphEngine, exact_cudnn
from pipeline.errors import DeviceError
from pipeline.frame import Size
from pipeline.objectives import LayerL2
from pipeline.ops.gradient import smoothing_kernel

LAYERS = {"googlenet": "inception4c", "lite0": "blocks.5.0"}
STEPS = 4


def measure(model: str, size: Size, device: torch.device, rounds: int) -> list[dict[str, Any]]:
    """Milliseconds per ascent step, jitter to update, and what cuDNN's deterministic algorithms cost."""
    layer = LAYERS[model]
    backbone = backbones.load(model, [layer], device, "auto" if model == "lite0" else "random")
    objective, how = LayerL2(layer), Climb(STEPS, 0.01, 32, smoothing_kernel(0.8))
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
    variants["folded/bfloat16, deterministic"] = _deterministic(variants["folded/bfloat16"])
    taken = time_in_turn(variants, rounds, time.perf_counter)
    base = taken[names[0]]
    return [
        {"network": model, "size": str(size), "climb": name, "ms per step": 1e3 * s / STEPS, "ratio": base / s}
        for name, s in taken.items()
    ]


def _deterministic(run: Callable[[], object]) -> Callable[[], object]:
    def again() -> None:
        with exact_cudnn():
            run()

    return again


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main() -> None:
    """Measure at 1080p and 720p; a dry run measures next to nothing on the CPU."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dry-run", action="store_true", help="on the CPU, at 96x64")
    given, _ = parser.parse_known_args()
    if given.dry_run:
        report("gpu-dry-run", measure("lite0", Size(64, 96), open_device("cpu"), 1))
        return
    if not torch.cuda.is_available():
        raise DeviceError("benchmarks.gpu needs a CUDA device; --dry-run tries its code on the CPU")
    device = torch.device("cuda")
    sizes = (Size(1080, 1920), Size(720, 1280))
    report("gpu", [row for model in LAYERS for size in sizes for row in measure(model, size, device, 10)])


if __name__ == "__main__":
    main()
