"""The GPU benchmark's code, tried without a GPU."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import pytest
import torch

from benchmarks import common, gpu
from pipeline.errors import DeviceError


def test_the_dry_run_goes_through_every_variant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "RESULTS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["gpu", "--dry-run"])
    gpu.main()
    climbs, loop, captures = (
        json.loads((tmp_path / f"gpu-{part}dry-run.json").read_text())["rows"] for part in ("", "loop-", "capture-")
    )
    assert {"reference/float32", "graph/bfloat16"} < {row["climb"] for row in climbs}
    assert all(row["ms per step"] > 0 for row in climbs)
    assert loop[0]["frames per second"] > 0 and loop[0]["synchronisations"] == 0
    assert len({row["octave"] for row in captures}) == gpu.OCTAVES
    assert all(row["first step, s"] > 0 for row in captures)


def test_synchronisations_are_counted_by_torchs_own_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[str] = []
    monkeypatch.setattr(torch.cuda, "set_sync_debug_mode", modes.append)
    with gpu.synchronisations(torch.device("cuda")) as found:
        for text in (
            "called a synchronizing CUDA operation",
            "of another kind",
            "called a synchronizing CUDA operation",
        ):
            warnings.warn(text, stacklevel=1)
    assert len(found) == 2 and modes == ["warn", "default"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_gpu_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu"])
    with pytest.raises(DeviceError, match="--dry-run"):
        gpu.main()
