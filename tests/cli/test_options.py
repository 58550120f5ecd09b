"""The options of dreamreel itself: --version, --help, completion; and those that check shares with render."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from pipeline.cli.commands import run_command
from pipeline.cli.complete import preset_names, stage_names
from pipeline.preset import shelf
from tests.conftest import SMALL
from tests.entries import ENTRIES
from tests.processes import COMMAND, finished, run_dreamreel, shell

COMMANDS = re.findall(r'app\.command\("(\w+)"\)', Path("pipeline/cli/commands.py").read_text())


def test_version_tells_what_computes() -> None:
    rows = dict(line.split(maxsplit=1) for line in run_dreamreel("--version").splitlines())
    assert list(rows) == ["dreamreel", "python", "torch", "ffmpeg", "device"]
    assert rows["python"].startswith(".".join(map(str, sys.version_info[:3])))
    assert re.match(r"\d+\.\d+", rows["torch"]) and "ffmpeg" in rows["ffmpeg"]
    assert rows["device"].partition(",")[0] in ("cpu", "cuda")


def test_version_tells_of_an_ffmpeg_that_is_none() -> None:
    done = finished("--version", IMAGEIO_FFMPEG_EXE="/bin/false")
    assert done.returncode == 0 and "IMAGEIO_FFMPEG_EXE is /bin/false, which is no ffmpeg" in done.stdout


def test_check_takes_what_render_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(SMALL)
    options = ("--set", "dream.steps=2", "--size", "96x64", "--fps", "24", "--duration", "1s", "--seed", "7")
    assert run_command(["check", "a.yaml", *options, "--device", "cpu"]) == 0
    assert capsys.readouterr().out == "a.yaml: ok, 96x64, 24 fps, 1s, 24 frames\n"
    assert run_command(["check", "a.yaml", "--input", "x.png", "--set", "dream.steps=x"]) == 1
    said = capsys.readouterr().err
    assert "--set dream.steps=x" in said and "noise takes no file" in said


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_fits_80_columns(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("typer.rich_utils.MAX_WIDTH", 80)
    assert run_command([name, "--help"]) == 0
    said = capsys.readouterr().out
    assert (
        f"Usage: dreamreel {name}" in said
        and "[[" not in said
        and "..." not in said.replace("]...", "").replace("}...", "")
    )
    for line in said.splitlines():
        assert len(line) <= 80 and "\u2026" not in line


def test_completions_know_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert preset_names("") == sorted(shelf()) and sorted(stage_names("")) == sorted(ENTRIES)
    for name in ("mine.yaml", "notes.txt", ".hidden.yaml"):
        (tmp_path / name).touch()
    (tmp_path / "more").mkdir()
    assert preset_names("m") == ["mandala", "mine.yaml", "more/"] and preset_names("nowhere/") == []


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash completes")
def test_completion_installs_into_bash_and_completes(tmp_path: Path) -> None:
    program = tmp_path / "dreamreel"
    program.write_text(f'#!/bin/sh\nexec {" ".join(COMMAND)} "$@"\n')
    program.chmod(0o755)
    script = """
        PATH=$PWD:$PATH; unset -f dreamreel
        dreamreel --install-completion > /dev/null || exit 1
        source .bashrc
        try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _dreamreel_completion dreamreel; echo ${COMPREPLY[*]}; }
        try dreamreel re; try dreamreel render first; try dreamreel stages pal; try dreamreel render --dev
        try dreamreel render x --device c; try dreamreel info ho; complete -p dreamreel
    """
    (tmp_path / "holiday").mkdir()
    done = shell(script, tmp_path, HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    said = done.stdout.decode().splitlines()
    assert said[:4] == ["render resume", "first-light first-light-hd", "palette", "--device"]
    assert said[4:6] == ["cpu cuda", "holiday/"] and said[6].startswith("complete -o default")
