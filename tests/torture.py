"""A real render in a process of its own, killed at random moments until it is done; then the same bytes?

    python -m tests.torture [--kills 25] [--seed 0] [--lead-in 16 | --scenes] [--device cpu]

`make torture` runs it; `make test` calls it with a handful of kills.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.conftest import SMALL
from tests.films import SONG
from tests.forks import Fork
from tests.processes import dreamreel, run_dreamreel

# Eight frames a segment and a checkpoint after every frame: a kill hits each kind of work often.
PRESET = SMALL.replace("fps: 12", "fps: 4").replace("duration: 4f", "duration: 60f")
# It is written as ProRes, of sixteen bits, and as a gif too.
PRESET += "  - {stage: encode, id: master, format: prores}\n  - {stage: encode, id: loop, format: gif}\n"
# The film listens, carries its song, and reaches beyond its frame.
PRESET = PRESET.replace("stages:", f"listen: {{path: {SONG}, start: 12s}}\nmargin: 0.1\nstages:")
# At two moments it takes other settings, once between two segments and once within one.
PRESET += """changes:
  - {at: 4s, set: {dream.layer: blocks.2.1, zoom.rotate: -20}}
  - {at: 27f, set: {dream.strength: 0.3, palette.match: distribution}}
"""
PRESET = PRESET.replace("zoom: 1.5", 'zoom: "1.3 + 0.4 * kick"\n    punch: "0.1 * decay(snare, 0.2)"')

# Another film, of three scenes that hear one song: 60 frames too, 24 of which are of two scenes.
SCENES = """name: small
size: 64x48
fps: 4
device: cpu
listen: {path: SONG, start: 12s, bpm: 96}
scenes:
  - {duration: 28f, stages: [{stage: noise}, {stage: zoom, zoom: 1 + kick}, DREAM, {stage: hold, sharpness: first}]}
  - duration: 30f
    fade: 3s
    lead_in: 2s
    margin: 0.1
    seed: 5
    stages:
      - {stage: noise}
      - {stage: zoom, pan: [0.1, 0], edges: noise, punch: PUNCH}
      - DREAM
      - {stage: palette, to: seed}
    changes: {at: 4s, set: {zoom.rotate: 20, dream.layer: blocks.2.1}}
  - {duration: 26f, fade: 3s, stages: [{stage: noise, kind: white}, {stage: flow, still: 0.5}, DREAM]}
stages:
  - {stage: encode, preset: ultrafast}
  - {stage: encode, id: master, format: prores}
  - {stage: encode, id: loop, format: gif}
""".replace("DREAM", "{stage: dream, octaves: 1, steps: 1, first_steps: 2, every: 2}")
SCENES = SCENES.replace("SONG", str(SONG)).replace("PUNCH", '"0.1 * decay(snare, 0.2)"')

IN_LEAD_IN, IN_JOINING = "the lead-in", "the film half-joined"


def torture(folder: Path, kills: int, seed: int, lead_in: int = 0, text: str = PRESET) -> Counter[str]:
    """Render, kill `kills` times, resume to the end and compare. Returns what was going on at the kills.

    A lead-in of so many frames comes before the film's 60, and is as much of the work. The first quarter of the kills
    falls within it, the last quarter while the film is joined, the others at random.

    Raises AssertionError when the film is not the one of a render that was never stopped.
    """
    chance = random.Random(seed)
    preset = folder / "small.yaml"
    preset.write_text(text + (f"lead_in: {lead_in}f\n" if lead_in else ""))
    run_dreamreel("render", str(preset), "-o", str(folder / "whole"))
    scenes: Counter[str] = Counter()
    run, aimed = folder / "killed", max(1, kills // 4)
    command = ["render", str(preset), "-o", str(run)]
    while scenes.total() < kills:
        process = dreamreel(*command, "--checkpoint-every", "0")
        wait_for_work(process, run)
        joining = scenes.total() >= kills - aimed
        if joining:
            wait_for_joining(process, run)
            time.sleep(chance.uniform(0, 0.01))
        elif lead_in and scenes.total() < aimed:
            wait_for_lead_in(process, run)
        else:
            time.sleep(chance.uniform(0, 0.25))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        command = ["resume", str(run)]
        if process.returncode == 0:  # it was done before the kill
            compare(folder)
            if joining:
                continue  # it is joined again
            scenes["it was done"] += 1
            shutil.rmtree(run)
            command = ["render", str(preset), "-o", str(run)]
        else:
            scenes[scene(run)] += 1
    run_dreamreel(*command)
    compare(folder)
    assert scenes[IN_JOINING], scenes
    assert scenes[IN_LEAD_IN] or not lead_in, scenes
    return scenes


def wait_for_work(process: subprocess.Popen[str] | Fork, run: Path) -> None:
    """Until the process has logged a line of its own."""
    log = run / "run.jsonl"
    before = log.stat().st_size if log.exists() else 0
    while process.poll() is None and (not log.exists() or log.stat().st_size <= before):
        time.sleep(0.002)


def wait_for_lead_in(process: subprocess.Popen[str], run: Path) -> None:
    """Until the process has saved a checkpoint of its own within the lead-in."""
    before = lead_in_checkpoints(run)
    while process.poll() is None and lead_in_checkpoints(run) <= before:
        time.sleep(0.002)


def lead_in_checkpoints(run: Path) -> set[str]:
    """Names of those that are whole."""
    return {path.name for path in run.glob("state/-*.json") if ".part" not in path.name}


def wait_for_joining(process: subprocess.Popen[str], run: Path) -> None:
    """Until the process writes the film."""
    while process.poll() is None and not list(run.glob(f"small.part-{process.pid}?*.mp4")):
        time.sleep(0.0002)


def scene(run: Path) -> str:
    """What the kill interrupted, from what it left behind."""
    if list(run.glob("small.part*")):
        return IN_JOINING
    if lead_in_checkpoints(run) and not frames_after_lead_in(run):
        return IN_LEAD_IN
    if list((run / "state").glob("*.part*")):
        return "a checkpoint half-written"
    if list((run / "segments").glob("*.part*")):
        return "a segment half-written"
    return "the film joined" if (run / "small.mp4").exists() else "between two writes"


def frames_after_lead_in(run: Path) -> bool:
    """Whether the film has begun."""
    return any(not path.name.startswith("-") for path in run.glob("state/*.json"))


def compare(folder: Path) -> None:
    """The killed run's film against the whole one's: bytes, and decoded frames."""
    whole, killed = (folder / name / "small.mp4" for name in ("whole", "killed"))
    assert decoded(whole) == decoded(killed), "the films show other frames"
    for name in ("small.mp4", "small-master.mov", "small-loop.gif"):
        one, other = (folder / run / name for run in ("whole", "killed"))
        assert one.read_bytes() == other.read_bytes(), f"{name} shows the same frames in other bytes"


def decoded(film: Path) -> list[tuple[int | None, bytes]]:
    """Time and pixels of every frame."""
    import av

    with av.open(str(film)) as container:
        return [(frame.pts, frame.to_ndarray().tobytes()) for frame in container.decode(video=0)]


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lead-in", type=int, default=0)
    parser.add_argument("--scenes", action="store_true", help="a film of scenes")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        text = (SCENES if arguments.scenes else PRESET).replace("device: cpu", f"device: {arguments.device}")
        scenes = torture(Path(folder), arguments.kills, arguments.seed, arguments.lead_in, text)
    print(f"{arguments.kills} kills, the same bytes; interrupted: {dict(scenes)}")


if __name__ == "__main__":
    sys.exit(main())
