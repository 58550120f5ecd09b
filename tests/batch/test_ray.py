"""Runs on a local Ray cluster of several nodes: the same bytes, whatever dies."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import pipeline
from pipeline.batch import Work
from pipeline.batch.local import Outcome
from pipeline.batch.on_ray import device_kind, render_on_ray
from pipeline.errors import RunError
from pipeline.preset import load_preset
from tests.batch.small import works_of
from tests.processes import ROOT

ray = pytest.importorskip("ray")

# Ray's own code leaves files and sockets open, and asks NumPy in old ways.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two nodes with a processor each."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    each = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "memory": 4 * 10**9, "resources": {device_kind(): 9}}
    made = Cluster(initialize_head=True, head_node_args={**each, "include_dashboard": False})
    try:
        made.other = made.add_node(**each)
        yield made
    finally:
        made.shutdown()


def _are_whole(works: list[Work], folder: Path) -> None:
    for work in works:
        preset = load_preset(work.planned.preset, dict(work.planned.values))
        whole = pipeline.render(preset, folder / "one", overwrite=True).path
        assert (work.folder.path / whole.name).read_bytes() == whole.read_bytes()


def test_a_killed_process_and_a_killed_node_cost_nothing_but_time(cluster: Any, tmp_path: Path) -> None:
    works = works_of(tmp_path, "presets: a.yaml\nseeds: 0-1\n", frames=600)
    outcomes: list[Outcome] = []
    worker = threading.Thread(target=lambda: outcomes.extend(render_on_ray(works, cluster.address)))
    worker.start()
    while min(work.standing().frames for work in works) < 20:
        time.sleep(0.1)
    os.kill(_renderer(works[0]), signal.SIGKILL)
    time.sleep(1)
    cluster.remove_node(cluster.other)
    worker.join()
    assert {each.standing.state for each in outcomes} == {"finished"} and not any(each.said for each in outcomes)
    assert {work.note["kind"] for work in works} == {device_kind()}
    _are_whole(works, tmp_path)


def _renderer(work: Work) -> int:
    """The process that renders a run."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"pipeline" in words and bytes(work.folder.preset_file.parent) in words:
                return int(folder.name)
    raise AssertionError("nobody renders it")


@pytest.mark.parametrize("heard", [True, False])
def test_what_fails_is_named_and_ctrl_c_stops_the_rest(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heard: bool
) -> None:
    if not heard:  # a worker that is busy may never be told
        monkeypatch.setattr(ray, "cancel", lambda task: None)
    works = works_of(tmp_path, "presets: a.yaml\nseeds: 0-1\n", frames=30000)
    broken = works[0].folder.preset_file
    broken.write_text(broken.read_text().replace("zoom: 1.5", "zoom: fast"))
    ended: list[Outcome] = []
    outcomes = render_on_ray(
        works, cluster.address, ended.append, lambda: bool(ended) and works[1].standing().frames > 20
    )
    said = {each.work.planned.name: (each.standing.state, each.said) for each in outcomes}
    assert said["a_seed=0"][0] == "failed" and "fast" in said["a_seed=0"][1]
    assert said["a_seed=1"] == ("stopped", "stopped")
    assert not (tmp_path / "out" / ".stop").exists()


def test_no_cluster_is_said(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no Ray cluster can be joined there"):
        render_on_ray(works_of(tmp_path, "presets: a.yaml\n"), "127.0.0.1:1")
