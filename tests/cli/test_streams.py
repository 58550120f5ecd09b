"""Output that fails, encodings that lack letters, and names that are no text: none of it ends a render."""

from __future__ import annotations

import io
import os
import shutil
from pathlib import Path

import pytest

from pipeline.cli.console import complain, print_table, say
from pipeline.cli.streams import _Patient
from pipeline.errors import printable, shell_word
from pipeline.preset import Override, load_preset
from pipeline.run import assemble, report, resume
from pipeline.run.extract import extract
from tests.conftest import photograph
from tests.processes import shell

pytestmark = pytest.mark.skipif(os.name == "nt", reason="bash, /dev/full and names of bytes")
FILM = "small.mp4"
PLAIN = """\
size: 64x48
duration: 2f
device: cpu
stages: [{stage: noise}, {stage: zoom}, {stage: encode, preset: ultrafast}]
"""


@pytest.fixture
def preset(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(PLAIN)
    return path


@pytest.mark.parametrize(
    ("render", "film"),
    [
        ("PYTHONIOENCODING=cp1252 dreamreel render small.yaml -o キャット > said", "キャット"),
        ("dreamreel render small.yaml -o $'a\\nb?#\\'c' > /dev/full", "a\nb?#'c"),
        ("dreamreel render small.yaml -o out >&- 2>&- <&-", "out"),
    ],
)
def test_a_film_is_made_whoever_listens(preset: Path, render: str, film: str) -> None:
    done = shell(f"set -o pipefail; {render}", preset.parent)
    assert done.returncode == 0 and b"Traceback" not in done.stderr, done.stderr
    assert (preset.parent / film / FILM).is_file()
    if "said" in render:
        said = (preset.parent / "said").read_text(encoding="ascii")
        assert f"{printable(film).encode('ascii', 'backslashreplace').decode()}/{FILM}" in said


def test_a_folder_whose_name_is_not_utf8_is_like_others(preset: Path) -> None:
    done = shell("dreamreel render small.yaml --out $'\\xff o'", preset.parent)
    assert done.returncode == 0, done.stderr
    assert rb"\xff o/small.mp4" in done.stdout
    folder = Path(os.fsdecode(os.fsencode(preset.parent) + b"/\xff o"))
    assert report(folder).checkpoints == {2: "whole"}
    assert resume(folder, duration="3f").frames == 3 and assemble(folder)[1] == 3


def test_inputs_whose_names_are_not_utf8_are_like_others(tmp_path: Path) -> None:
    there = os.fsencode(tmp_path) + b"/\xff"
    os.mkdir(there)
    picture = Path(os.fsdecode(there + b"/\xfe.png"))
    shutil.copy(photograph("coffee.png"), picture)
    Path(os.fsdecode(there + b"/\xfd.yaml")).write_text(PLAIN.replace("stage: noise", "stage: image, path: x.png"))
    done = shell("dreamreel render $'\\xff/\\xfd.yaml' --input $'\\xff/\\xfe.png' -o run", tmp_path)
    assert done.returncode == 0, done.stderr
    assert report(tmp_path / "run").preset.inputs()["image.path"].path == picture.resolve()
    moved = picture.rename(picture.with_name("\udcfc.png"))
    assert resume(tmp_path / "run", duration="3f", moved={"image.path": str(moved)}).frames == 3
    assert report(tmp_path / "run").preset.inputs()["image.path"].path == moved.resolve()
    (wanted,) = extract(tmp_path / "run/film.mp4").wanted
    assert wanted.file == "\udcfc.png" and wanted.found_in(moved.parent) == "there"
    preset = load_preset(os.fsdecode(there + b"/\xfd.yaml"), [Override.of(f"image.path={moved}")])
    assert preset.inputs()["image.path"].path == moved.resolve()


@pytest.mark.parametrize(("redirect", "words"), [("> /dev/full", "No space left"), (">&-", "Bad file")])
def test_output_that_is_all_there_is_must_arrive(redirect: str, words: str) -> None:
    for command in ("--help", "--version"):
        done = shell(f"dreamreel {command} {redirect}")
        assert done.returncode == 1 and b"Traceback" not in done.stderr
        assert f"standard output can't be written to: {words}".encode() in done.stderr


def test_a_reader_that_has_enough_hears_no_complaint() -> None:
    done = shell("dreamreel --help | head -c 1 | wc -c")
    assert done.stderr == b"" and done.stdout.split()[0] == b"1"


def test_a_full_pipe_that_does_not_block_is_waited_for() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    pid = os.fork()
    if pid == 0:
        os.close(writing)
        with open(reading, "rb") as pipe:
            os._exit(len(pipe.read()) % 251)
    os.close(reading)
    raw = _Patient(writing, "wb")
    with io.BufferedWriter(raw) as stream:
        stream.write(bytes(1_000_000))
    assert raw.failure is None and os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1_000_000 % 251


def test_a_deleted_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    done = shell("cd gone; rmdir ../gone; dreamreel presets", tmp_path)
    assert done.returncode == 1 and b"the current folder is gone" in done.stderr and b"Trace" not in done.stderr


def test_nothing_that_a_terminal_obeys_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    evil = "\x1b]0;x\x07\x9b31m\u202efdp.exe"
    say(evil)
    complain(f"one\n{evil}")
    print_table([(evil, f"[red]{evil}[/red] [/x] :smile:")], (evil, "about"))
    found = capsys.readouterr()
    assert not set(evil) & set("\x1b\x07\x9b\u202e") & set(found.out + found.err)
    assert r"\x1b]0;x\x07\x9b31m\u202efdp.exe" in found.out and r"one" in found.err
    assert ":smile:" in found.out and "[/x]" in found.out


def test_a_word_for_the_shell_means_the_same_bytes() -> None:
    for name in (b"plain", b"my film", b"it's", b"\xff\n\\'\x1b o", "キャ\u202eット".encode()):
        done = shell(f"printf %s {shell_word(os.fsdecode(name))}")
        assert done.stdout == name


def test_words_of_wrong_usage_are_printable() -> None:
    done = shell("dreamreel $'no\\e[31mred'")
    assert done.returncode == 2 and b"\x1b" not in done.stderr and rb"no\x1b[31mred" in done.stderr
