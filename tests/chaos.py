"""Batches on a Ray cluster of several nodes, whose processes, workers and nodes are killed or frozen at random.

    python -m tests.chaos [--kills 50] [--seed 0]

All runs have to finish with the bytes of single renders, and no frame may be rendered again that a checkpoint counted.
In the first batch, moreover, one run's disk is filled and another's folder is read-only, for which one has to be root:
both have to be given up with the reason, and to finish once that is mended. `make torture` runs it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pipeline
from pipeline.batch import BatchFolder, Work, expand, load_batch
from pipeline.batch.local import Outcome
from pipeline.batch.on_ray import device_kind, render_on_ray
from pipeline.preset import load_preset
from pipeline.run.log import read_log
from tests.processes import ROOT, dreamreel

CHECKPOINT_SECONDS = "0.5"
COMMAND = ("-c", f"import sys; sys.argv += ['--checkpoint-every', '{CHECKPOINT_SECONDS}']; import pipeline.__main__")
NODES = 2
PRESETS = {
    "plain": """\
size: 320x240
fps: 8
duration: 400f
device: cpu
stages:
  - stage: noise
  - {stage: zoom, zoom: 1.3, rotate: 5, edges: noise}
  - {stage: palette}
  - {stage: encode, preset: ultrafast}
""",
    "dreaming": """\
size: 64x48
fps: 8
duration: 200f
device: cpu
stages:
  - stage: noise
  - {stage: zoom, zoom: 1.3}
  - {stage: dream, octaves: 1, steps: 1, first_steps: 2, precision: float32}
  - {stage: palette}
  - {stage: encode, preset: ultrafast}
""",
}
SMALL_DISK_BYTES = 160 << 20
FREEZE = "frozen, taken over, woken"


class Nodes:
    """A head, and nodes beside it that come and go."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._each = {
            "object_store_memory": 80 * 2**20,
            "memory": 4 * 10**9,
            "resources": {device_kind(): 9},
        }
        self._cluster: Any = Cluster(
            initialize_head=True, head_node_args={**self._each, "num_cpus": 0, "include_dashboard": False}
        )
        self._others = [self._added() for _ in range(NODES)]
        self.address: str = self._cluster.address

    def _added(self) -> Any:
        return self._cluster.add_node(**self._each, num_cpus=1)

    def kill_one(self, chance: random.Random) -> None:
        """A node dies with all that works there, and another comes."""
        gone = self._others.pop(chance.randrange(len(self._others)))
        self._cluster.remove_node(gone, allow_graceful=False)
        self._others.append(self._added())

    def close(self) -> None:
        self._cluster.shutdown()


class Chaos:
    """Rounds of a batch, until so many were killed."""

    def __init__(self, folder: Path, kills: int, seed: int) -> None:
        self.killed: Counter[str] = Counter()
        self.failed: list[str] = []
        self.again = 0
        """frames that were rendered more than once"""
        self._folder, self._kills, self._chance = folder, kills, random.Random(seed)
        self._outsiders: list[subprocess.Popen[str]] = []
        self._hit: dict[Path, int] = {}
        for name, text in PRESETS.items():
            (folder / f"{name}.yaml").write_text(text)

    def run(self, nodes: Nodes) -> None:
        """All of it. Raises AssertionError."""
        number = 0
        while self.killed.total() < self._kills:
            names = ", ".join(f"{name}.yaml" for name in PRESETS)
            file = self._folder / f"round{number}.yaml"
            file.write_text(f"presets: [{names}]\nseeds: {2 * number}-{2 * number + 1}\n")
            batch = load_batch(file)
            works = BatchFolder(batch, self._folder / f"round{number}").freeze(expand(batch))
            outcomes = self._rendered(works, nodes)
            for work, reason in self._spoilt(works, number):
                self._require_given_up(outcomes[work.planned.name], reason)
            left = [each.work for each in outcomes.values() if each.standing.state != "finished"]
            for outcome in render_on_ray(left, nodes.address, command=COMMAND) if left else ():
                assert outcome.standing.state == "finished", outcome.said
            for work in works:
                self._require_whole(work)
            number += 1

    def _rendered(self, works: Sequence[Work], nodes: Nodes) -> dict[str, Outcome]:
        """What became of each, with kills meanwhile."""
        outcomes: list[Outcome] = []
        errors: list[BaseException] = []

        def render() -> None:
            try:
                outcomes.extend(render_on_ray(works, nodes.address, command=COMMAND))
            except BaseException as error:
                errors.append(error)

        with spoilt(works) if self._spoils(works) else contextlib.nullcontext():
            batch = threading.Thread(target=render)
            batch.start()
            while batch.is_alive():
                batch.join(self._chance.uniform(0.5, 6))
                if self.killed.total() < self._kills:
                    self._strike(works, nodes)
        for outsider in self._outsiders:
            outsider.communicate()
        self._outsiders.clear()
        assert not errors, errors
        return {each.work.planned.name: each for each in outcomes}

    def _spoils(self, works: Sequence[Work]) -> bool:
        return os.geteuid() == 0 and works[0].folder.path.parent.name == "round0"

    def _spoilt(self, works: Sequence[Work], number: int) -> list[tuple[Work, str]]:
        return (
            [(works[0], "No space left on device"), (works[-1], "Read-only file system")] if self._spoils(works) else []
        )

    def _require_given_up(self, outcome: Outcome, reason: str) -> None:
        assert outcome.standing.state == "stopped" and reason in outcome.said, outcome.said or outcome.standing
        self.failed += [line for line in outcome.said.splitlines() if reason in line][:1]

    def _strike(self, works: Sequence[Work], nodes: Nodes) -> None:
        """Kill something that works for one of them, if anything does."""
        working = [(work, pid) for work in works if (pid := renderer(work)) is not None and self._may_die(work)]
        if not working:
            return
        work, pid = self._chance.choice(working)
        self._hit[work.folder.path] = work.standing().frames
        kind = self._chance.choices(["a process", "a worker", "a node", FREEZE], [9, 6, 4, 1])[0]
        with contextlib.suppress(ProcessLookupError):
            if kind == "a node":
                nodes.kill_one(self._chance)
            elif kind == FREEZE:
                self._freeze(work, pid)
            else:
                os.kill(pid if kind == "a process" else parent(pid), signal.SIGKILL)
            self.killed[kind] += 1

    def _may_die(self, work: Work) -> bool:
        """Whether it has rendered a frame since it was hit last: three times without one, and it would be given up."""
        return self._hit.get(work.folder.path) != work.standing().frames

    def _freeze(self, work: Work, pid: int) -> None:
        """Have another process take the run over, and the frozen one wake."""
        before = takeovers(work)
        os.kill(pid, signal.SIGSTOP)
        outsider = dreamreel("run", str(work.folder.path), "--checkpoint-every", CHECKPOINT_SECONDS)
        self._outsiders.append(outsider)
        while outsider.poll() is None and takeovers(work) == before:
            time.sleep(0.05)
        time.sleep(self._chance.uniform(0, 3))
        os.kill(pid, signal.SIGCONT)

    def _require_whole(self, work: Work) -> None:
        """The bytes of a single render; and it went on from its newest checkpoint each time."""
        whole = pipeline.render(
            load_preset(work.planned.preset, dict(work.planned.values)), self._folder / "one", overwrite=True
        ).path
        assert (work.folder.path / whole.name).read_bytes() == whole.read_bytes(), work.planned.name
        self.again += frames_again(work.folder.log_file)
        left = [path for path in work.folder.path.rglob("*") if ".part-" in path.name or path.name == ".lease"]
        assert not left, left


def frames_again(log: Path) -> int:
    """How many frames were rendered more than once. Raises AssertionError for one that a checkpoint had counted."""
    counted, again, seen = 0, 0, set[int]()
    for line in log.read_bytes().splitlines():
        with contextlib.suppress(ValueError):
            record = json.loads(line)
            if record.get("event") == "checkpoint":
                counted = record["frame"]
            if "frame" in record and "event" not in record:
                assert record["frame"] >= counted, f"{log}: frame {record['frame']} again, though {counted} were saved"
                again += record["frame"] in seen
                seen.add(record["frame"])
    return again


@contextlib.contextmanager
def spoilt(works: Sequence[Work]) -> Iterator[None]:
    """The first run's disk gets full, and the last one's folder read-only, once they have some frames."""
    small, fixed = works[0].folder.path, works[-1].folder.path
    kept = {path.name: path.read_bytes() for path in small.iterdir() if path.is_file()}
    mount("-t", "tmpfs", "-o", f"size={SMALL_DISK_BYTES}", "tmpfs", str(small))
    for name, data in kept.items():
        (small / name).write_bytes(data)
    for name in ("state", "segments"):
        (small / name).mkdir()
    ended = threading.Event()

    def spoil() -> None:
        left = [works[0], works[-1]]
        while left and not ended.wait(0.05):
            for work in [each for each in left if each.standing().frames > 20]:
                left.remove(work)
                if work is works[0]:
                    with contextlib.suppress(OSError), (small / "filler").open("wb") as filler:
                        while True:
                            filler.write(bytes(1 << 20))
                else:
                    mount("--bind", str(fixed), str(fixed))
                    mount("-o", "remount,bind,ro", str(fixed))

    spoiling = threading.Thread(target=spoil)
    spoiling.start()
    try:
        yield
    finally:
        ended.set()
        spoiling.join()
        (small / "filler").unlink(missing_ok=True)
        subprocess.run(["umount", "--lazy", str(fixed)], check=False, capture_output=True)


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def takeovers(work: Work) -> int:
    """How often a run was taken over from a process that might have lived."""
    return sum(record.get("event") == "taken over" for record in read_log(work.folder.log_file))


def renderer(work: Work) -> int | None:
    """The process that renders a run for Ray, if there is one."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                words = (folder / "cmdline").read_bytes().split(b"\0")
                if COMMAND[1].encode() in words and bytes(work.folder.preset_file.parent) in words:
                    return int(folder.name)
    return None


def parent(pid: int) -> int:
    """Raises ProcessLookupError."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])
    except FileNotFoundError:
        raise ProcessLookupError(pid) from None


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    os.environ |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0"}
    with tempfile.TemporaryDirectory() as folder:
        chaos, nodes = Chaos(Path(folder), arguments.kills, arguments.seed), Nodes()
        try:
            chaos.run(nodes)
        finally:
            nodes.close()
            subprocess.run(["umount", *map(str, Path(folder).glob("round0/*"))], check=False, capture_output=True)
    print(f"{chaos.killed.total()} killed, the same bytes: {dict(chaos.killed)}; {chaos.again} frames rendered again")
    print("\n".join(["given up, and finished once it was mended:", *chaos.failed]))


if __name__ == "__main__":
    sys.exit(main())
