"""A stage in a package of its own: installed by pip, used in a preset, rendered, killed, resumed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.run.extract import extract
from tests.plugins.packages import EXAMPLE, install, on_path, run_with
from tests.processes import dreamreel, surroundings
from tests.torture import wait_for_work

PRESET = """\
size: 64x48
fps: 4
duration: 41f
device: cpu
stages:
  - stage: noise
  - {stage: zoom, zoom: 1.5}
  - {stage: kaleidoscope, turn: "90 * t"}
  - {stage: encode, preset: ultrafast}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    install(EXAMPLE, folder)
    return folder


def test_rendered_killed_resumed(site: Path, tmp_path: Path) -> None:
    (tmp_path / "film.yaml").write_text(PRESET)
    assert run_with(site, "render", "film.yaml", "-o", "whole", cwd=tmp_path).returncode == 0
    process = dreamreel(
        "render", "film.yaml", "-o", "killed", "--checkpoint-every", "0", cwd=tmp_path, PYTHONPATH=on_path(site)
    )
    while process.poll() is None and len(list((tmp_path / "killed/state").glob("*.json"))) < 2:
        wait_for_work(process, tmp_path / "killed")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    missing = run_with(tmp_path, "resume", "killed", cwd=tmp_path)
    assert missing.returncode == 1 and "Traceback" not in missing.stderr
    assert "pip install dreamreel-kaleidoscope==0.1.0" in missing.stderr and "dreamreel resume killed" in missing.stderr
    resumed = run_with(site, "resume", "killed", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert (tmp_path / "killed/film.mp4").read_bytes() == (tmp_path / "whole/film.mp4").read_bytes()


def test_run_and_film_name_the_package_and_another_version_is_told(site: Path, tmp_path: Path) -> None:
    (tmp_path / "film.yaml").write_text(PRESET.replace("41f", "5f"))
    assert run_with(site, "render", "film.yaml", "-o", "run", cwd=tmp_path).returncode == 0
    wanted = {"kaleidoscope": "dreamreel-kaleidoscope==0.1.0"}
    assert yaml.safe_load((tmp_path / "run/preset.yaml").read_text())["plugins"] == wanted
    found = extract(tmp_path / "run/film.mp4")
    assert yaml.safe_load(found.preset)["plugins"] == wanted
    assert b"dreamreel-kaleidoscope: 0.1.0" in (tmp_path / "run/film.mp4").read_bytes()
    newer = tmp_path / "newer"
    install(EXAMPLE, newer)
    (info,) = newer.glob("*.dist-info")
    metadata = (info / "METADATA").read_text()
    (info / "METADATA").write_text(re.sub(r"(?m)^Version: .*$", "Version: 0.2.0", metadata))
    resumed = run_with(newer, "resume", "run", "--duration", "6f", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    said = resumed.stdout + resumed.stderr
    assert "dreamreel-kaleidoscope: 0.1.0 -> 0.2.0: the bytes may differ from here on" in said


def test_stages_check_and_completion_know_it(site: Path, tmp_path: Path) -> None:
    listed = run_with(site, "stages", "kaleidoscope", cwd=tmp_path)
    assert "meet in its middle. (effect, of the package dreamreel-kaleidoscope 0.1.0)" in listed.stdout
    assert "segments" in listed.stdout and "(2 to 64)" in listed.stdout
    checked = run_with(site, "check", str(EXAMPLE / "mandala.yaml"), cwd=tmp_path)
    assert checked.returncode == 0 and ": ok, 384x384, 24 fps, 10s, 240 frames" in checked.stdout
    (tmp_path / "film.yaml").write_text(PRESET.replace("kaleidoscope", "kaleidoscop"))
    near = run_with(site, "check", "film.yaml", cwd=tmp_path)
    assert "unknown stage 'kaleidoscop'; did you mean 'kaleidoscope'?" in near.stderr
    code = "import sys; from pipeline.cli.complete import stage_names as s; print(s('k'), 'torch' in sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=surroundings(PYTHONPATH=on_path(site)), capture_output=True, text=True)
    assert done.stdout.strip() == "['kaleidoscope'] False", done.stderr


def test_its_own_tests_pass(site: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(EXAMPLE / "tests")]
    environment = surroundings(PYTHONPATH=on_path(site), XDG_CACHE_HOME=os.environ["XDG_CACHE_HOME"])
    done = subprocess.run(command, env=environment, cwd=EXAMPLE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
