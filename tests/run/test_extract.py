"""A film holds what renders it again anywhere, and nothing of its maker's machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import av
import pytest
import yaml

import pipeline
from pipeline.errors import MediaError
from pipeline.media.joining import join
from pipeline.preset import Preset, load_preset
from pipeline.run.extract import extract
from tests.clips import counter, ffmpeg
from tests.conftest import photograph
from tests.processes import finished
from tests.run.quick import HEAD, quick, stop_after
from tests.torture import decoded

STAGES = """\
stages:
  - {stage: image, path: pictures/cat.png}
  - {stage: zoom, zoom: 1.2, edges: noise}
  - {stage: palette, image: ELSEWHERE/cat.png}
  - {stage: palette, id: third, image: package:skimage/data/coffee.png}
  - {stage: encode, preset: ultrafast}
"""


@pytest.fixture
def preset(tmp_path: Path) -> Preset:
    home, elsewhere = tmp_path / "home/me/presets", tmp_path / "home/me/other"
    (home / "pictures").mkdir(parents=True)
    elsewhere.mkdir()
    shutil.copy(photograph("chelsea.png"), home / "pictures/cat.png")
    shutil.copy(photograph("coffee.png"), elsewhere / "cat.png")
    ffmpeg("-f", "lavfi", "-i", "sine=duration=3", "-f", "wav", elsewhere / "none")  # a name that is also a word
    stages = STAGES.replace("ELSEWHERE", str(elsewhere))
    return quick(home, stages=stages, head=HEAD.replace("21f", "9f"))


def comment(film: Path) -> str:
    with av.open(str(film)) as container:
        return container.metadata["comment"]


def test_no_path_of_the_maker_is_in_it(preset: Preset, tmp_path: Path) -> None:
    film = pipeline.render(preset, tmp_path / "run").path
    assert str(tmp_path) not in film.read_bytes().decode("latin-1")
    about = yaml.safe_load(comment(film))
    files = {key: facts["file"] for key, facts in about["inputs"].items()}
    assert files == {
        "image.path": "pictures/cat.png",
        "palette.image": "cat.png",
        "third.image": "package:skimage/data/coffee.png",
    }
    assert about["preset"]["stages"][2]["image"] == "cat.png"
    assert about["inputs"]["palette.image"]["bytes"] == photograph("coffee.png").stat().st_size
    assert {"dreamreel", "torch", "ffmpeg"} <= about["made_with"].keys()
    assert "device" not in about["made_with"]


def test_it_is_the_same_wherever_and_however_it_was_rendered(preset: Preset, tmp_path: Path) -> None:
    whole = pipeline.render(preset, tmp_path / "run").path.read_bytes()
    stopped = pipeline.render(preset, tmp_path / "deep/er/run", options=stop_after(4)).folder
    assert pipeline.resume(stopped).path.read_bytes() == whole
    assert pipeline.assemble(stopped)[0].read_bytes() == whole


def test_extracted_it_renders_the_same_frames(preset: Preset, tmp_path: Path) -> None:
    film = shutil.copy(pipeline.render(preset, tmp_path / "run").path, tmp_path / "film.mp4")
    there = tmp_path / "stranger"
    (there / "pictures").mkdir(parents=True)
    done = finished("extract", str(film), "-o", str(there / "mine.yaml"))
    assert done.returncode == 0, done.stderr
    assert (
        "palette.image wants cat.png, " in done.stdout
        and "BLAKE2b" in done.stdout
        and done.stdout.count("missing") == 2
    )
    shutil.move(tmp_path / "home/me/presets/pictures/cat.png", there / "pictures/cat.png")
    shutil.move(tmp_path / "home/me/other/cat.png", there / "cat.png")
    shutil.rmtree(tmp_path / "home")
    assert [wanted.found_in(there) for wanted in extract(film).wanted] == ["there"] * 3
    again = pipeline.render(load_preset(there / "mine.yaml"), tmp_path / "again")
    assert decoded(again.path) == decoded(Path(film))
    shutil.copy(photograph("rocket.jpg"), there / "cat.png")
    assert [wanted.found_in(there) for wanted in extract(film).wanted] == ["there", "another file", "there"]


def test_printed_it_is_a_preset(preset: Preset, tmp_path: Path) -> None:
    film = pipeline.render(preset, tmp_path / "run").path
    done = finished("extract", str(film), cwd=tmp_path)
    assert done.returncode == 0 and "image.path wants" in done.stderr
    assert yaml.safe_load(done.stdout) == yaml.safe_load(comment(film))["preset"]


def test_nothing_is_overwritten(preset: Preset, tmp_path: Path) -> None:
    film = pipeline.render(preset, tmp_path / "run").path
    (tmp_path / "mine.yaml").write_text("mine")
    done = finished("extract", str(film), "-o", str(tmp_path / "mine.yaml"))
    assert done.returncode == 1 and "is there already" in done.stderr
    assert (tmp_path / "mine.yaml").read_text() == "mine"


def test_files_of_one_name_and_words_are_told_apart(preset: Preset, tmp_path: Path) -> None:
    from pipeline.run.metadata import portable_names

    elsewhere = tmp_path / "home/me/other"
    both = preset.model_copy(update={"audio": str(elsewhere / "none")})
    assert portable_names(both, None) == {
        "audio": "./none",
        "image.path": "cat.png",
        "palette.image": "cat-2.png",
        "third.image": "package:skimage/data/coffee.png",
    }


def test_an_earlier_films_comment_is_the_preset_itself(preset: Preset, tmp_path: Path) -> None:
    piece = counter(tmp_path / "piece.mp4", 4, "4")
    join([piece], tmp_path / "old.mp4", preset.fps, preset.to_yaml())
    found = extract(tmp_path / "old.mp4")
    assert yaml.safe_load(found.preset) == preset.resolved()
    assert [(wanted.key, wanted.digest) for wanted in found.wanted][:1] == [("image.path", None)]
    assert found.wanted[0].found_in(tmp_path) == "there"


@pytest.mark.parametrize(
    "text", [None, "holiday 2024", "[1, 2]", "preset: 3", "preset: {name: x}", "a: [", "\x1b[31m: 1"]
)
def test_other_films_are_told(tmp_path: Path, text: str | None) -> None:
    film = counter(tmp_path / "film.mp4", 4, "4")
    if text is not None:
        from fractions import Fraction

        join([film], tmp_path / "with.mp4", Fraction(4), text)
        film = tmp_path / "with.mp4"
    with pytest.raises(MediaError, match="holds no preset"):
        extract(film)


def test_what_is_no_film_is_told(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for path in (tmp_path / "notes.txt", tmp_path / "none.mp4", tmp_path):
        with pytest.raises(MediaError, match="can't be read"):
            extract(path)


def test_a_foreign_films_words_reach_no_terminal_as_orders(preset: Preset, tmp_path: Path) -> None:
    from pipeline.preset import plain_yaml

    piece = counter(tmp_path / "piece.mp4", 4, "4")
    inputs = {"a\x1b]0;x\x07": {"file": "b\x1b[2J\nstages: []", "bytes": "many", "blake2b": 3}}
    data = {"made_with": {"x\ny": "\x1b[31m"}, "inputs": inputs, "preset": preset.resolved()}
    join([piece], tmp_path / "film.mp4", preset.fps, plain_yaml(data))
    done = finished("extract", str(tmp_path / "film.mp4"))
    assert done.returncode == 0 and "\x1b" not in done.stdout + done.stderr
    assert yaml.safe_load(done.stdout) == preset.resolved()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes by name here")
def test_a_pipe_is_no_film(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(
        MediaError, match=r"pipe.mp4 can't be read: is a device or a pipe, must be a regular file; give"
    ):
        extract(tmp_path / "pipe.mp4")
