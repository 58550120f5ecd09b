"""The recipes for other schedulers, as far as they run without these."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.batch.small import works_of
from tests.processes import ROOT

RECIPES = ROOT / "recipes"
BATCH = "presets: a.yaml\nseeds: 0-1\n"


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path with `dreamreel` in it, and room for what a cluster would have."""
    folder = tmp_path / "bin"
    folder.mkdir()
    _tool(folder / "dreamreel", f'exec "{sys.executable}" -m pipeline "$@"')
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(tmp_path)
    return folder


def _tool(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def _runs(folder: Path) -> Path:
    """What `--list` prints, in a file."""
    works = works_of(folder, BATCH)
    (folder / "runs.txt").write_text("".join(f"{work.shown_command}\n" for work in works))
    return folder / "runs.txt"


@pytest.mark.parametrize("recipe", ["xargs.sh", "parallel.sh"])
def test_runs_are_rendered_on_this_machine(tools: Path, tmp_path: Path, recipe: str) -> None:
    if recipe == "parallel.sh" and shutil.which("parallel") is None:
        pytest.skip("GNU parallel is not installed")
    works_of(tmp_path, BATCH)
    done = subprocess.run(["sh", str(RECIPES / recipe), "batch.yaml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "renders/batch").glob("*/a.mp4"))) == 2


def test_a_slurm_task_renders_its_line_and_goes_back_into_the_queue_when_it_is_stopped(
    tools: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _tool(tools / "scontrol", f'echo "$@" >> {tmp_path}/requeued')
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "2")
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "7")
    runs = _runs(tmp_path)
    works = works_of(tmp_path, BATCH)
    script = ["bash", str(RECIPES / "slurm.sbatch"), str(runs)]
    assert subprocess.run(script).returncode == 0
    assert [work.standing().state for work in works] == ["planned", "finished"]
    shutil.rmtree(tmp_path / "out")
    works = works_of(tmp_path, BATCH, frames=2000)
    with subprocess.Popen(script) as process:
        while works[1].standing().frames < 8:
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 75
    assert (tmp_path / "requeued").read_text() == "requeue 7_2\n" and works[1].standing().state == "stopped"


def test_opencue_gets_a_file_of_commands_that_stays(tools: Path, tmp_path: Path) -> None:
    works_of(tmp_path, BATCH)
    _tool(tools / "cuecmd", 'echo "$@" > asked; cp "$1" copied')
    subprocess.run(["sh", str(RECIPES / "opencue.sh"), "batch.yaml", "show"], check=True)
    assert (tmp_path / "asked").read_text().startswith(f"{tmp_path}/batch-runs.txt --show show --job-name batch")
    commands = (tmp_path / "batch-runs.txt").read_text().splitlines()
    assert commands == [f"dreamreel run renders/batch/a_seed={seed}" for seed in (0, 1)]


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_flamenco_makes_a_task_of_each_run() -> None:
    script = (RECIPES / "flamenco/dreamreel_batch.js").read_text()
    made = """
const made = [];
const author = { Task: (name, type) => ({ name, type, commands: [], addCommand(c) { this.commands.push(c); } }),
  Command: (name, parameters) => ({ name, parameters }) };
const runs = "dreamreel run renders/b/a_seed=0\\n\\ndreamreel run '/odd/it'\\"'\\"'s a film'\\n";
compileJob({ settings: { dreamreel: "dreamreel", runs }, addTask: (task) => made.push(task) });
console.log(JSON.stringify(made));
"""
    said = subprocess.run(["node", "-e", script + made], check=True, capture_output=True, text=True).stdout
    tasks = json.loads(said)
    assert [task["name"] for task in tasks] == ["a_seed=0", "it's a film"]
    assert tasks[1]["commands"] == [
        {"name": "exec", "parameters": {"exe": "dreamreel", "args": ["run", "/odd/it's a film"]}}
    ]


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="needs shellcheck")
@pytest.mark.parametrize("recipe", ["xargs.sh", "parallel.sh", "opencue.sh", "slurm.sbatch"])
def test_the_scripts_are_sound(recipe: str) -> None:
    done = subprocess.run(["shellcheck", str(RECIPES / recipe)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
