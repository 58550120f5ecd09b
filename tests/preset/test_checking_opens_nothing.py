"""A check opens no device and changes nothing in the process; a render does so before anything else."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline import device
from pipeline.errors import DeviceError
from pipeline.preset import load_preset, parse_preset
from pipeline.run import render
from pipeline.times import parse_duration
from pipeline.units import MAX_FPS, parse_fps
from tests.conftest import SMALL


@pytest.fixture
def nothing_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_: Any) -> None:
        raise AssertionError("a check opened a device")

    for name in ("open_device", "keep_freed_memory", "be_exact"):
        monkeypatch.setattr(device, name, opened)
    monkeypatch.setattr("pipeline.chain.links.open_device", opened)
    monkeypatch.setattr(torch.cuda, "set_device", opened)


@pytest.mark.parametrize("name", ["cpu", "auto", "cuda", "cuda:7"])
def test_a_check_opens_nothing(name: str, nothing_opens: None) -> None:
    flags = (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32)
    found = parse_preset(SMALL.replace("device: cpu", f"device: {name}"))
    assert found.device == name and found.spec().device.type in ("cpu", "cuda")
    assert flags == (
        torch.backends.cudnn.deterministic,
        torch.backends.cudnn.benchmark,
        torch.backends.cudnn.allow_tf32,
    )


@pytest.mark.skipif(torch.cuda.device_count() > 63, reason="such a device is there")
def test_a_preset_for_another_machine_is_checked_and_not_rendered(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        SMALL.replace("device: cpu", "device: cuda:63").replace("    octaves: 1", "    octaves: 1\n    engine: graph")
    )
    found = load_preset(path)
    assert found.notes == ("the device 'cuda:63' is not on this machine: it can be checked here, not rendered",)
    with pytest.raises(DeviceError, match=r"'cuda:63' is not there"):
        render(found, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("there", [True, False])
def test_auto_takes_cuda_where_there_is_one(there: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2 if there else 0)
    assert device.likely_device("auto") == torch.device("cuda" if there else "cpu")
    assert device.open_device("auto").type == ("cuda" if there else "cpu")
    assert [device.is_there(torch.device(name)) for name in ("cpu", "cuda", "cuda:1", "cuda:2")] == [
        True,
        there,
        there,
        False,
    ]


def test_frame_rates_end_at_the_bound() -> None:
    assert parse_fps(MAX_FPS) == MAX_FPS == 1000 and parse_fps("1000000/1000") == 1000
    assert parse_fps("1/1000000") == Fraction(1, 1_000_000)
    for beyond in (1001, "1000.001", "1000001/1000"):
        with pytest.raises(ValueError, match="must be more than 0 and at most 1000"):
            parse_fps(beyond)
    for beyond in ("1/1000001", "1000001/1000002"):
        with pytest.raises(ValueError, match="of at most 1000000"):
            parse_fps(beyond)


@pytest.mark.parametrize("text", ["9" * 5000 + "s", "9" * 5000 + "h", "1" * 12 + "f", "0." + "1" * 40 + "s"])
def test_absurd_durations_are_refused_at_once(text: str) -> None:
    with pytest.raises(ValueError, match="must be a length such as 20s"):
        parse_duration(text)
