"""A checkpoint is read like anything from outside: damaged or foreign, it is told and never trusted."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import pipeline
from pipeline import checkpoint
from pipeline.disk import digest_of
from pipeline.errors import RunError
from pipeline.preset import Preset
from pipeline.run import Options
from pipeline.run.settings import Settings
from tests.run.quick import quick, stop_after


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> Preset:
    return quick(tmp_path_factory.mktemp("preset"))


@pytest.fixture(scope="module")
def whole(preset: Preset, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return pipeline.render(preset, tmp_path_factory.mktemp("whole")).path.read_bytes()


@pytest.fixture
def run(preset: Preset, tmp_path: Path) -> Path:
    return pipeline.render(preset, tmp_path / "run", options=stop_after(12)).folder


def resigned(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the newest record, and its digest with it: as another version or another program might have written it."""
    path = run / "state/000000012.json"
    record = json.loads(path.read_text())
    del record["digest"]
    change(record)
    record["digest"] = digest_of(json.dumps(record, sort_keys=True).encode())
    path.write_text(json.dumps(record))


SETTINGS = Settings.now().model_dump()
FACTS: dict[str, list[Any]] = {
    "preset": [None, 3, "x", {}, {"duration": 3}, {"duration": "for ever"}],
    "inputs": [None, [], {"a": 1}, {"a": {"digest": 1, "size": 1}}],
    "built": [None, {"a": 1}],
    "environment": [None, {"torch": 2}],
    "settings": [None, 1, {}, *({**SETTINGS, "threads": n} for n in (None, "1", 0, -1, 10**9, 1.5))],
    "seconds": [None, "x", -1.0],
    "spools": [None, {"1": 1}, []],
}


def test_facts_of_other_kinds_fall_back_to_the_checkpoint_before(run: Path, whole: bytes) -> None:
    original = (run / "state/000000012.json").read_text()
    for key, values in FACTS.items():
        for value in ["nothing", *values]:
            (run / "state/000000012.json").write_text(original)

            def change(record: dict[str, Any], key: str = key, value: Any = value) -> None:
                if value == "nothing":
                    del record["facts"][key]
                else:
                    record["facts"][key] = value

            resigned(run, change)
            found = pipeline.report(run)
            assert found.frames == 11 and key in found.checkpoints[12], (key, value)
    said: list[str] = []
    assert pipeline.resume(run, options=Options(on_message=said.append)).path.read_bytes() == whole
    assert "the checkpoint at frame 12 can't be used" in said[0]


RECORDS: dict[str, bytes] = {
    "nothing": b"",
    "a list": b"[]",
    "null": b"null",
    "deep": b"[" * 100000,
    "a long number": b'{"digest": ' + b"9" * 5000 + b"}",
    "no text": b"\xff\x00",
    "large": b" " * ((1 << 26) + 1),
    "no facts": b"",
}


@pytest.mark.parametrize("name", RECORDS)
def test_records_of_any_kind_fall_back(run: Path, whole: bytes, name: str) -> None:
    if name == "no facts":
        resigned(run, lambda record: record.update(facts=[1]))
    else:
        (run / "state/000000012.json").write_bytes(RECORDS[name])
    assert pipeline.report(run).frames == 11
    assert pipeline.resume(run).path.read_bytes() == whole


@pytest.mark.parametrize("kind", ["folder", "pipe", "sparse", "other frame", "no frame"])
def test_tensors_of_any_kind_fall_back(run: Path, whole: bytes, kind: str) -> None:
    path = run / "state/000000012.safetensors"
    if kind in ("folder", "pipe"):
        path.unlink()
        path.mkdir() if kind == "folder" else os.mkfifo(path)
    elif kind == "sparse":
        os.truncate(path, 1 << 40)  # reading it would take hours
    else:
        found = checkpoint.load(run / "state", 12)
        found.tensors["previous"] = torch.zeros(1, 3, 4, 4)
        if kind == "no frame":
            del found.tensors["previous"]
        checkpoint.save(run / "state", found)
    assert pipeline.report(run).frames == 11
    if kind == "folder":
        path.rmdir()
    assert pipeline.resume(run).path.read_bytes() == whole


def test_a_state_of_other_stages_is_told(run: Path) -> None:
    found = checkpoint.load(run / "state", 12)
    checkpoint.save(
        run / "state", checkpoint.Checkpoint(12, found.tensors | {"zoom/strange": torch.ones(1)}, found.facts)
    )
    with pytest.raises(RunError, match="the checkpoint at frame 12 is not one of these stages"):
        pipeline.resume(run)


def test_none_that_can_be_used_says_both_ways_out(run: Path) -> None:
    for path in (run / "state").glob("*.json"):
        path.write_text("{}")
    with pytest.raises(RunError, match=r"dreamreel assemble .*--overwrite --out"):
        pipeline.resume(run)
