"""Growth from 256p to 2160p: time and memory of a step, whole and in tiles. Each case runs in a process of its own."""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from typing import Any

import torch

from benchmarks.common import report
from pipeline import backbones
from pipeline.device import open_device
from pipeline.engines import EngineChoice, TiledEngine, build_engine, memory_budget
from pipeline.frame import Size
from pipeline.objectives import LayerL2

SIZES = {"256p": Size(256, 456), "512p": Size(512, 912), "720p": Size(720, 1280), "1080p": Size(1080, 1920)}
SIZES["2160p"] = Size(2160, 3840)
LAYERS = {"lite0": "blocks.5.0", "googlenet": "inception4c"}
# Engine, memory budget, and the largest picture tried.
CASES = [
    ("reference/float32", "64GB", "1080p"),
    ("packed/bfloat16", "64GB", "2160p"),
    ("packed/bfloat16", "350MB", "1080p"),
    ("packed/bfloat16", "1GB", "2160p"),
]


def one(model: str, size: Size, engine: str, memory: str) -> dict[str, Any]:
    """A step's processor seconds in one thread, and how far it raised the process's peak memory, in MB."""
    torch.set_num_threads(1)
    backbone = backbones.load(model, [LAYERS[model]], open_device("cpu"), "auto" if model == "lite0" else "random")
    built = TiledEngine(
        build_engine(backbone, EngineChoice.parse(engine)), backbone, memory_budget(memory, open_device("cpu"))
    )
    image, objective = torch.rand(1, 3, *size), LayerL2(LAYERS[model])
    before = _peak_megabytes()
    built(image, objective)
    start = time.thread_time()
    built(image, objective)
    tile = built.tile_for(size)
    seconds = time.thread_time() - start
    return {"seconds": seconds, "MB": _peak_megabytes() - before, "tile": "whole" if tile is None else str(tile)}


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Run every case, or, with --one, a single one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=4, metavar=("MODEL", "SIZE", "ENGINE", "MEMORY"))
    parser.add_argument("--networks", nargs="*", default=list(LAYERS))
    given, _ = parser.parse_known_args()
    if given.one:
        model, size, engine, memory = given.one
        print(json.dumps(one(model, SIZES[size], engine, memory)))
        return
    rows: list[dict[str, Any]] = []
    for model in given.networks:
        for name in SIZES:
            for engine, memory, largest in CASES:
                if list(SIZES).index(name) <= list(SIZES).index(largest):
                    command = [sys.executable, "-m", "benchmarks.growth", "--one", model, name, engine, memory]
                    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
                    rows.append({"network": model, "size": name, "engine": engine, "budget": memory} | found)
    report("growth", rows)


if __name__ == "__main__":
    main()
