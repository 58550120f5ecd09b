"""What users mistype, and folders they may not enter: words in a line or two, the right exit status, no traceback."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import pipeline.run.extract
import pipeline.run.plot
import pipeline.stills  # noqa: F401  # before anybody loses the right to read this package
from pipeline.cli.commands import run_command
from tests.conftest import SMALL, photograph

Said = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (
            ["visualise", "--objective", "banana"],
            1,
            "is 'banana', must be a mapping such as {class: banana}",
        ),
        (["visualise", "--objective", "3"], 1, "--objective: is '3', must be a mapping"),
        (["visualise", "--objective", "[]"], 1, "--objective: is '[]', must be a mapping"),
        (["visualise", "--objective", "{class: "], 1, "--objective:1: is not valid YAML"),
        (["visualise", "--objective", "{clas: banana}"], 1, "did you mean 'class'?"),
        (["visualise", "--objective", "{class: 99999}"], 1, "use 0 to 999"),
        (["visualise", "--class", "bananna"], 1, "banana"),
        (["visualise", "--class", "palace", "--class", "bananna"], 1, "near: banana"),
        (["visualise", "--class", "palace", "--class", "palace"], 1, "names a class twice"),
        (["visualise", "--class", "palace", "--class", "pagoda", "-o", "one.png"], 1, "give a folder"),
        (["visualise", "--class", "banana", "--seed", str(2**64 + 1)], 2, "'--seed'"),
        (["visualise", "--class", "banana", "--seed", "-1"], 2, "'--seed'"),
        (["dream", "x.png", "--seed", str(2**63)], 2, "'--seed'"),
        (
            ["render", "small.yaml", "--seed", str(2**64)],
            1,
            "--seed 18446744073709551616: seed: is 184467",
        ),
        (["check", "small.yaml", "--set", f"seed={2**64}"], 1, "must be less than 9223372036854775808"),
    ],
)
def test_mistakes_on_the_command_line(
    arguments: list[str], status: int, words: str, tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(SMALL)
    assert run_command(arguments) == status
    found = capsys.readouterr()
    assert words in found.err and "Traceback" not in found.err and found.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["small.yaml"]


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Path]:
    """A folder that may not be entered, with files in it."""
    folder = tmp_path / "locked"
    folder.mkdir()
    (folder / "small.yaml").write_text(SMALL)
    shutil.copy(photograph("coffee.png"), folder / "p.png")
    (folder / "zoom.csv").write_text("0,1")
    folder.chmod(0)
    is_root = os.geteuid() == 0
    if is_root:
        os.seteuid(65534)  # whom a folder's mode binds
    try:
        yield folder
    finally:
        if is_root:
            os.seteuid(0)
        folder.chmod(0o700)


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
@pytest.mark.parametrize(
    "command",
    [
        "check LOCKED/small.yaml",
        "check chelsea --input LOCKED/p.png",
        "check chelsea --set zoom.zoom={file:LOCKED/zoom.csv}",
        "check over-footage --input LOCKED/*.png",
        "check chelsea --set audio=LOCKED/a.mp3",
        "extract LOCKED/film.mp4",
        "dream LOCKED/p.png",
        "dream LOCKED",
        "dream LOCKED/*.png",
        "visualise --class banana -o LOCKED/x.png",
        "atlas -o LOCKED",
        "info LOCKED",
        "plot LOCKED",
    ],
)
def test_a_folder_that_may_not_be_entered(command: str, locked: Path, capsys: Said) -> None:
    words = [word.replace("LOCKED", str(locked)).replace(":/", ": /", 1) for word in command.split()]
    assert run_command(words) in (1, 2)
    said = capsys.readouterr().err
    assert str(locked) in said and ("Permission denied" in said or "is not readable" in said), said
    assert "holds no run" not in said
    assert "Traceback" not in said and "can't be worked with" not in said
