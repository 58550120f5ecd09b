"""The command line as a stranger uses it: real processes, their words and their exit status."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import SMALL
from tests.processes import finished as dreamreel


def test_render_ends_with_a_film_and_says_where(small_preset: Path, tmp_path: Path) -> None:
    done = dreamreel("render", str(small_preset), "--duration", "2f", "--size", "96x64", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "renders/small/small.mp4").is_file()
    assert "renders/small/small.mp4" in done.stdout and "2 frames" in done.stdout and "dream" in done.stdout
    assert "96x64" in done.stdout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("stages: [{stage: noise}, {stage: dreem}]", "did you mean 'dream'"),
        ("", "is empty"),
        ("stages: [{stage: noise}]\nsize: 33x33", "32x32 or 34x32 or 32x34 or 34x34"),
    ],
)
def test_mistakes_exit_1_without_a_traceback(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text if "33x33" not in text else text.replace("}]", "}, {stage: encode}]"))
    done = dreamreel("render", str(path), cwd=tmp_path)
    assert done.returncode == 1
    assert words in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) < 20


def test_check_tells_all_presets_problems(tmp_path: Path, small_preset: Path) -> None:
    (tmp_path / "a.yaml").write_text(SMALL.replace("fps: 12", "fps: x"))
    (tmp_path / "b.yaml").write_text(SMALL.replace("seed: 3", "sed: 3"))
    done = dreamreel("check", str(tmp_path / "a.yaml"), str(small_preset), str(tmp_path / "b.yaml"))
    assert done.returncode == 1
    assert "a.yaml:3" in done.stderr and "b.yaml:5" in done.stderr and "small.yaml: ok" in done.stdout


def test_presets_and_layers_are_listed() -> None:
    assert "first-light" in dreamreel("presets").stdout
    layers = dreamreel("layers").stdout
    assert "blocks.5.0" in layers and "32 px" in layers and "403 px" in layers
    assert "954  banana" in dreamreel("layers", "--classes").stdout
    wrong = dreamreel("layers", "lite7")
    assert wrong.returncode == 1 and "lite0" in wrong.stderr


def test_help_and_wrong_usage() -> None:
    assert "render" in dreamreel("--help").stdout
    assert dreamreel("render").returncode == 2
    assert dreamreel("render", "first-light", "--sede", "3").returncode == 2
