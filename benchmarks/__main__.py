"""All measurements, one after the other."""

from __future__ import annotations

import torch

from benchmarks import (
    busy,
    cadence,
    footage,
    gpu,
    growth,
    large,
    quality,
    run_folder,
    sampler,
    settings,
    startup,
    step,
    still,
    zoom,
    zoom_out,
)

if __name__ == "__main__":
    for measurement in (
        startup,
        busy,
        settings,
        step,
        cadence,
        footage,
        quality,
        still,
        zoom,
        zoom_out,
        growth,
        large,
        run_folder,
        sampler,
    ):
        measurement.main()
    if torch.cuda.is_available():
        gpu.main()
