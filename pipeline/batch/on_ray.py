"""Runs of a batch on a Ray cluster: a task for each, around a process of its own. Only paths and words are passed."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from pipeline.batch import worker
from pipeline.batch.local import AGAIN, FRUITLESS, Outcome
from pipeline.batch.planning import Work
from pipeline.errors import RunError

KIND = "dreamreel-"
_STORE_BYTES = 100 * 2**20  # Ray takes a third of the machine by default, for objects that we have none of
_LOOK_SECONDS = 0.5
_PATIENCE_SECONDS = 10.0
_PLENTY = 1_000_000
_STOP = ".stop"


def render_on_ray(
    works: Sequence[Work],
    address: str | None,
    on_change: Callable[[Outcome], None] = lambda outcome: None,
    should_stop: Callable[[], bool] = lambda: False,
    gpus: float = 0.0,
    command: Sequence[str] = ("-m", "pipeline"),
) -> list[Outcome]:
    """Render runs on the cluster at `address`, or on one that is started here; the outcome of each, as they ended.

    A run whose worker or node dies goes on elsewhere, on the same kind of device. Each takes `gpus` of a GPU, as many
    processors as OMP_NUM_THREADS says (1 if it says nothing), and the memory that it is expected to need. Raises
    RunError without Ray, or without its cluster.
    """
    ray = _joined(address)
    ray.cloudpickle.register_pickle_by_value(worker)
    _tell_to_stop(works, False)
    try:
        kinds = {name: count for name, count in ray.cluster_resources().items() if name.startswith(KIND)}
        threads = int(os.environ.get("OMP_NUM_THREADS") or 1)
        waiting: dict[Any, Work] = {}
        for number, work in enumerate(works):
            needs = {kind: 1.0} if (kind := _kind_of(work, number, kinds)) else {}
            task = ray.remote(
                num_cpus=threads,
                num_gpus=gpus,
                memory=work.expected_memory() or None,
                resources=needs,
                max_retries=-1,
            )(worker.render)
            folder = str(work.folder.preset_file.parent)
            words = [sys.executable, *command, "run", folder]
            environment = {"OMP_NUM_THREADS": str(threads)}
            waiting[task.remote(words, folder, environment, AGAIN, FRUITLESS, str(_stop_file(work)))] = work
        return list(_ended(ray, waiting, on_change, should_stop))
    finally:
        ray.shutdown()
        _tell_to_stop(works, False)


def device_kind() -> str:
    """The resource that a node of this kind offers, so that a run stays on its kind: `dreamreel-avx2`."""
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else torch.backends.cpu.get_cpu_capability()
    return KIND + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _joined(address: str | None) -> Any:
    """Ray, connected."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ImportError:
        raise RunError("Ray is not installed; pip install 'dreamreel[ray]'") from None
    _require_listener(address)
    here: Mapping[str, Any] = {
        "include_dashboard": False,
        "object_store_memory": _STORE_BYTES,
        "resources": {device_kind(): _PLENTY},
    }
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **(here if address is None else {}))
    except (ConnectionError, RuntimeError, ValueError) as error:
        said = str(error).strip().splitlines()
        raise RunError(f"--address {address}: no Ray cluster can be joined there: {said[0] if said else ''}") from None
    return ray


def _require_listener(address: str | None) -> None:
    """Ray itself goes on trying for minutes. Raises RunError."""
    host, _, port = (address or "").rpartition(":")
    if not host or "/" in host or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=_PATIENCE_SECONDS).close()
    except OSError as error:
        said = f"--address {address}: no Ray cluster can be joined there: {error.strerror or error}"
        raise RunError(f"{said}; `ray status` on its head shows whether it runs") from None


def _kind_of(work: Work, number: int, kinds: Mapping[str, float]) -> str | None:
    """The kind of device that a run was begun on; for a new one, one after the other; None where nodes tell none."""
    begun = work.note.get("kind")
    if begun in kinds:
        return str(begun)
    if not kinds or begun is not None:
        return None
    chosen = sorted(kinds)[number % len(kinds)]
    work.take_note(kind=chosen)
    return chosen


def _tell_to_stop(works: Sequence[Work], told: bool) -> None:
    """By a file beside the runs' folders: a task that is cancelled may never hear of it."""
    for file in set(map(_stop_file, works)):
        with contextlib.suppress(OSError):
            file.touch() if told else file.unlink()


def _stop_file(work: Work) -> Path:
    return work.folder.preset_file.parent.parent / _STOP


def _ended(
    ray: Any, waiting: dict[Any, Work], on_change: Callable[[Outcome], None], should_stop: Callable[[], bool]
) -> Sequence[Outcome]:
    outcomes, told = list[Outcome](), 0.0
    while waiting:
        # Again after a while: a worker that was about to begin, or died of it, begins anew.
        if should_stop() and time.monotonic() > told + _PATIENCE_SECONDS:
            told = time.monotonic()
            _tell_to_stop(list(waiting.values()), True)
            for task in waiting:
                ray.cancel(task)
        ready, _ = ray.wait(list(waiting), timeout=_LOOK_SECONDS)
        for task in ready:
            work = waiting.pop(task)
            try:
                status, said = ray.get(task)
            except Exception as error:
                status, said = 1, "stopped" if told else str(error).strip().splitlines()[-1]
            stands = work.standing()
            good = stands.state == "finished"
            said = "stopped" if told and status in AGAIN else said
            outcome = Outcome(work, stands, "" if good else stands.error or said or f"exit status {status}")
            outcomes.append(outcome)
            on_change(outcome)
    return outcomes
