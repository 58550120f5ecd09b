"""The GPU benchmark's code, tried without a GPU."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import common, gpu
from pipeline.errors import DeviceError


def test_the_dry_run_goes_through_every_variant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "RESULTS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["gpu", "--dry-run"])
    gpu.main()
    rows = json.loads((tmp_path / "gpu-dry-run.json").read_text())["rows"]
    assert {"reference/float32", "graph/bfloat16"} < {row["climb"] for row in rows}
    assert all(row["ms per step"] > 0 for row in rows)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu"])
    with pytest.raises(DeviceError, match="--dry-run"):
        gpu.main()
