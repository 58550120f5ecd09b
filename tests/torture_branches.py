"""Runs, their branches and the branches of those, killed, resumed and deleted at random; then the same bytes as anew?

    python -m tests.torture_branches [--rounds 60] [--seed 0]

`make torture` runs it.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pipeline
from pipeline.preset import Preset
from pipeline.run.folder import RunFolder
from tests.films import CARPHONE, SONG
from tests.forks import Fork
from tests.torture import wait_for_work

FRAMES = 44
GROWING = """\
stages:
  - {stage: noise}
  - {stage: zoom, zoom: 1.3, rotate: 20}
  - {stage: dream, octaves: 1, steps: 1, first_steps: 2, jitter: 4, every: 2, precision: float32}
  - {stage: palette}
  - {stage: encode, preset: ultrafast}
changes: {at: 22f, set: {zoom.rotate: -40}}
"""
FOOTAGE = f"""\
stages:
  - {{stage: video, path: {CARPHONE}, speed: 0.3}}
  - {{stage: zoom, zoom: 1.2}}
  - {{stage: flow, half_life: 2}}
  - {{stage: palette, strength: 0.4}}
  - {{stage: hold, contrast: first}}
  - {{stage: encode, preset: ultrafast}}
"""
SCENES = f"""\
listen: {{path: {SONG}, start: 12s, bpm: 96}}
scenes:
  - {{duration: 20f, stages: [{{stage: noise}}, {{stage: zoom, zoom: "1.2 + 0.4 * kick"}}, {{stage: palette}}]}}
  - duration: 20f
    fade: 4f
    lead_in: 3f
    stages:
      - {{stage: noise}}
      - {{stage: zoom, zoom: 1.3, punch: "0.1 * decay(kick, 0.2)"}}
      - {{stage: dream, octaves: 1, steps: 1, first_steps: 2, every: 2, precision: float32}}
    changes: {{at: 22f, set: {{zoom.rotate: -40}}}}
  - duration: 12f
    fade: 4f
    stages: [{{stage: video, path: {CARPHONE}, speed: 0.3}}, {{stage: palette}}, {{stage: hold, contrast: first}}]
stages:
  - {{stage: encode, preset: ultrafast}}
"""
HEAD = f"name: film\nsize: 64x48\nfps: 4\nduration: {FRAMES}f\ndevice: cpu\n"
# Eight frames a segment. A state is kept of every one, of every second, and of none.
PRESETS = [HEAD + f"keep: {keep}\n" + stages for stages in (GROWING, FOOTAGE, SCENES) for keep in ("2s", "4s", "none")]
CHANGES = ("zoom.zoom=0.8", "zoom.zoom={0s: 1.5, 11s: 0.7}", "zoom.rotate=30 * t", "palette.strength=0.1")
CHANGES += (
    "palette.match=distribution",
    "dream.layer=blocks.4.1",
    "dream.every=1",
    "video.speed=0.35",
    "hold.settle=2f",
)


class Torture:
    """A wood of runs that grows and is cut at random."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder, self._chance = folder, random.Random(seed)
        self._busy: dict[Path, Fork] = {}
        self._made = 0
        self.done: Counter[str] = Counter()

    def round(self) -> None:
        """One thing happens, and perhaps one of the processes at work is killed."""
        runs = [run for run in self._runs() if run not in self._busy]
        action = self._chance.choices((self._render, self._branch, self._resume, self._delete), (2, 6, 3, 1))[0]
        action(self._chance.choice(runs) if runs else None)
        for run in [*self._busy]:
            if len(self._busy) > 2 or self._chance.random() < 0.5:
                self._end(run, self._busy.pop(run))

    def _runs(self) -> list[Path]:
        return sorted(path for path in self._folder.iterdir() if RunFolder(path).holds_run())

    def _new(self) -> Path:
        self._made += 1
        return self._folder / f"run-{self._made}"

    def _begin(self, run: Path, *command: str) -> None:
        self.done[command[0]] += 1
        self._busy[run] = Fork(*command, "--checkpoint-every", self._chance.choice(("0", "30")))

    def _render(self, run: Path | None) -> None:
        preset = self._folder / "film.yaml"
        preset.write_text(self._chance.choice(PRESETS))
        new = self._new()
        self._begin(new, "render", str(preset), "-o", str(new))
        wait_for_work(self._busy[new], new)  # it has read the preset

    def _branch(self, idle: Path | None) -> None:
        runs = self._runs()  # those at work too
        parent = self._chance.choice(runs) if runs else None
        frames = 0 if parent is None else RunFolder(parent).pieces(RunFolder(parent).load_preset()).frames()
        if parent is None or not frames:
            return self._render(idle)
        frame, new = self._chance.randrange(min(frames, FRAMES - 1) + 1), self._new()
        usable = settings(RunFolder(parent).load_preset(), frame)
        sets = [word for change in self._chance.sample(usable, 2) for word in ("--set", change)]
        self._begin(new, "branch", str(parent), "--at", f"{frame}f", "-o", str(new), *sets)
        return None

    def _resume(self, idle: Path | None) -> None:
        if idle is not None:
            self._begin(idle, "resume", str(idle))

    def _delete(self, idle: Path | None) -> None:
        if idle is not None and len(self._runs()) > 3:
            self.done["delete"] += 1
            shutil.rmtree(idle)

    def _end(self, run: Path, process: Fork) -> None:
        if self._chance.random() < 0.7:
            wait_for_work(process, run)
            try:
                process.wait(self._chance.uniform(0, 1.0))
            except subprocess.TimeoutExpired:
                self.done["kill"] += 1
                process.kill()
        _, errors = process.communicate()
        # A parent that was deleted, or that another one was branched from meanwhile, is no fault of the branch's.
        assert process.returncode in (0, -9) or "holds no run" in errors, errors

    def compare(self) -> int:
        """Finish every run and render its preset from nothing. Returns how many there are."""
        for run, process in self._busy.items():
            self._end(run, process)
        runs = self._runs()
        for run in runs:
            require_same_from_nothing(run, self._folder / "anew")
        return len(runs)


def settings(preset: Preset, frame: int) -> list[str]:
    """Which changes a film's stages can take from a frame on: in one of scenes, those of all that are not over."""
    heads = {"": preset}
    if preset.scenes:
        there = (pair for pair in enumerate(preset.scenes) if not pair[1].over_by(frame))
        heads = {f"scenes[{number}].": scene.preset for number, scene in there}
    return [
        f"{head}{change}"
        for head, each in heads.items()
        for change in CHANGES
        if change.split(".")[0] in {config.id for config in each.chain}
    ]


def require_same_from_nothing(run: Path, anew: Path) -> None:
    """Finish a run, and render its preset into another folder. Raises AssertionError when the bytes are others."""
    found = pipeline.resume(run).path.read_bytes()
    made = pipeline.render(pipeline.load_preset(run / "preset.yaml"), anew, overwrite=True)
    assert made.path.read_bytes() == found, f"{run}: other bytes than from nothing"


def torture(folder: Path, rounds: int, seed: int) -> tuple[int, Counter[str]]:
    """So many things happen at random; then every run that is left is compared with its preset rendered from nothing.

    Returns how many these are, and what happened how often. Raises AssertionError when the bytes are others.
    """
    wood = Torture(folder, seed)
    for _ in range(rounds):
        wood.round()
    return wood.compare(), wood.done


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs, done = torture(Path(folder), arguments.rounds, arguments.seed)
    print(f"{runs} runs and branches, each the bytes of its preset from nothing; {dict(done)}")


if __name__ == "__main__":
    sys.exit(main())
