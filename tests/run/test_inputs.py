"""Every file that shapes bytes is known by what is in it, under its stage and key, wherever it lies."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import pipeline
from pipeline import checkpoint
from pipeline.errors import RunError
from pipeline.media.inputs import fingerprint
from pipeline.preset import Preset, load_preset
from pipeline.run.extract import extract
from tests.clips import counter, ffmpeg
from tests.conftest import photograph
from tests.processes import finished
from tests.run.quick import HEAD, quick, stop_after
from tests.torture import decoded

PALETTES = """\
stages:
  - {stage: image, path: one/cat.png}
  - {stage: zoom, zoom: 1.2, edges: noise}
  - {stage: palette, image: one/same.png}
  - {stage: palette, image: two/same.png, strength: 0.5}
  - {stage: encode, preset: ultrafast}
"""


@pytest.fixture
def preset(tmp_path: Path) -> Preset:
    for folder, picture in (("one", "coffee.png"), ("two", "chelsea.png")):
        (tmp_path / folder).mkdir()
        shutil.copy(photograph(picture), tmp_path / folder / "same.png")
    shutil.copy(photograph("chelsea.png"), tmp_path / "one/cat.png")
    return quick(tmp_path, stages=PALETTES)


def stopped(preset: Preset, run: Path) -> Path:
    pipeline.render(preset, run, options=stop_after(5))
    return run


EVERYTHING = f"""\
{HEAD}audio: sound.wav
stages:
  - {{stage: video, path: film.mp4, motion: raft, weights: raft.pth}}
  - {{stage: flow}}
  - {{stage: dream, weights: net.pth, mask: {{image: a/m.png}}, objective: {{layer: blocks.1.0, guide: a/g.png}}}}
  - {{stage: dream, id: late, mask: {{film: rows}},
     objective: [{{layer: blocks.1.0}}, {{layer: blocks.2.0, guide: b/g.png}}]}}
  - {{stage: palette, id: a.b, image: p.png}}
"""


def test_every_key_that_names_a_file_has_a_name_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(EVERYTHING.replace("size: 64x48", "size: 64x48"))
    preset = load_preset(tmp_path / "all.yaml", checked=False)
    names = {key: str(each.path.relative_to(tmp_path.resolve())) for key, each in preset.inputs().items()}
    assert names == {
        "audio": "sound.wav",
        "video.path": "film.mp4",
        "video.weights": "raft.pth",
        "dream.objective[0].guide": "a/g.png",
        "dream.mask.image": "a/m.png",
        "dream.weights": "net.pth",
        "late.objective[1].guide": "b/g.png",
        "late.mask.film": "rows",
        "stages[4].image": "p.png",  # its id would not do as a key
    }


CURVES = """\
stages:
  - {stage: noise}
  - {stage: zoom, zoom: {file: moves/zoom.csv, ease: smooth}, pan: [{file: moves/pan.txt, width: 512}, 0]}
  - {stage: dream, octaves: 1, steps: 1, first_steps: 1, engine: reference,
     objective: {layer: blocks.1.0, weight: {file: moves/weight.txt}}}
  - {stage: encode, preset: ultrafast}
"""
SCHEDULES = {"zoom.csv": "0,1.1\n1,1.3\n", "pan.txt": "0:(1), 10:(3*sin(t))", "weight.txt": "1 + 0.1*sin(t)"}


def test_curves_in_files_of_their_own_are_inputs(tmp_path: Path) -> None:
    (tmp_path / "moves").mkdir()
    for name, text in SCHEDULES.items():
        (tmp_path / "moves" / name).write_text(text)
    preset = quick(tmp_path, stages=CURVES)
    keys = {"zoom.zoom.file": "zoom.csv", "zoom.pan[0].file": "pan.txt", "dream.objective[0].weight.file": "weight.txt"}
    assert {key: each.path.name for key, each in preset.inputs().items()} == keys
    whole = pipeline.render(preset, tmp_path / "whole").path
    run = stopped(preset, tmp_path / "run")
    for key, name in keys.items():
        (tmp_path / "moves" / name).write_text("0,1" if name == "zoom.csv" else "1")
        with pytest.raises(RunError, match=rf"(?m)^  {re.escape(key)}: .*{name} does not hold what it held"):
            pipeline.resume(run)
        (tmp_path / "moves" / name).write_text(SCHEDULES[name])
    (tmp_path / "moves").rename(tmp_path / "moved")
    with pytest.raises(RunError) as caught:
        pipeline.resume(run)
    assert all(f"{key}: {tmp_path}/moves/{name} is gone" in str(caught.value) for key, name in keys.items())
    options = [option.strip("'") for option in re.findall(r"--set (\S+)=PATH", str(caught.value))]
    assert options == list(keys)  # as printed, so taken
    arguments = [part for key in options for part in ("--set", f"{key}=moved/{keys[key]}")]
    done = finished("resume", str(run), *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert decoded(run / whole.name) == decoded(whole)
    found = extract(whole)
    assert {each.key: each.file for each in found.wanted} == {key: f"moves/{name}" for key, name in keys.items()}
    assert [each.found_in(tmp_path) for each in found.wanted] == ["missing"] * 3
    (tmp_path / "moved").rename(tmp_path / "moves")
    assert [each.found_in(tmp_path) for each in found.wanted] == ["there"] * 3
    (tmp_path / "again.yaml").write_text(found.preset)
    assert load_preset(tmp_path / "again.yaml").stages == load_preset(whole.parent / "preset.yaml").stages


def test_no_field_of_any_stage_names_a_file_unmarked() -> None:
    """A path in a config is a `MediaPath`: what is described as one and is not marked would be forgotten."""
    from pydantic import BaseModel

    from pipeline.media.inputs import _mark
    from pipeline.preset import Preset as Top
    from pipeline.preset.explain import _models
    from tests.entries import ENTRIES

    seen: set[type[BaseModel]] = set()

    def check(model: type[BaseModel]) -> None:
        if model in seen:
            return
        seen.add(model)
        for name, field in model.model_fields.items():
            marked = any(_mark(each) for each in (field.annotation, *field.metadata))
            of_text = field.annotation is not int
            if of_text and (name in ("path", "image", "film", "guide", "weights", "audio") or "file" in name):
                assert marked, f"{model.__name__}.{name}"
            for inner in _models(field.annotation):
                check(inner)

    for model in (Top, *ENTRIES.values()):
        check(model)
    assert len(seen) > 15


@pytest.mark.parametrize(("file", "key"), [("one/same.png", "palette.image"), ("two/same.png", "palette-2.image")])
def test_either_of_two_files_of_one_name_is_noticed(preset: Preset, tmp_path: Path, file: str, key: str) -> None:
    run = stopped(preset, tmp_path / "run")
    shutil.copy(photograph("rocket.jpg"), tmp_path / file)
    with pytest.raises(RunError, match=rf"{key}: .*{file} does not hold what it held"):
        pipeline.resume(run)


def test_moved_files_are_known_by_what_is_in_them(preset: Preset, tmp_path: Path) -> None:
    whole = pipeline.render(preset, tmp_path / "whole").path.read_bytes()
    run = stopped(preset, tmp_path / "run")
    (tmp_path / "new").mkdir()
    (tmp_path / "one/same.png").rename(tmp_path / "new/same.png")
    with pytest.raises(
        RunError, match=r"palette\.image: .* is gone.*\n.*dreamreel resume .* --set palette\.image=PATH"
    ):
        pipeline.resume(run)
    with pytest.raises(RunError, match=r"palette\.image: .*does not hold"):  # another one is not taken for it
        pipeline.resume(run, moved={"palette.image": str(tmp_path / "two/same.png")})
    with pytest.raises(RunError, match=r"nothing else(.|\n)*duration: 21f -> 99f"):
        pipeline.resume(run, moved={"duration": "99f"})
    result = pipeline.resume(run, moved={"palette.image": str(tmp_path / "new/same.png")})
    assert load_preset(run / "preset.yaml").inputs()["palette.image"].path == (tmp_path / "new/same.png").resolve()
    (tmp_path / "whole.mp4").write_bytes(whole)
    assert decoded(result.path) == decoded(tmp_path / "whole.mp4")


def test_the_command_takes_new_places(preset: Preset, tmp_path: Path) -> None:
    run = stopped(preset, tmp_path / "run")
    (tmp_path / "one").rename(tmp_path / "there")
    refused = finished("resume", str(run))
    assert refused.returncode == 1 and "--set palette.image=PATH" in refused.stderr
    wrong = finished("resume", str(run), "--set", "zoom.zoom=2")
    assert wrong.returncode == 1 and "new places of its files, nothing else" in wrong.stderr
    kind = finished("resume", str(run), "--set", "dream.octaves=x")
    assert kind.returncode == 1 and "Traceback" not in kind.stderr
    arguments = ("--input", "there/cat.png", "--set", "palette.image=there/same.png")
    done = finished("resume", str(run), *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_what_only_the_first_frame_needed_may_go_and_come_back(preset: Preset, tmp_path: Path) -> None:
    run = stopped(preset, tmp_path / "run")
    picture = (tmp_path / "one/cat.png").read_bytes()
    (tmp_path / "one/cat.png").unlink()
    pipeline.resume(run, options=stop_after(2))
    (tmp_path / "one/cat.png").write_bytes(picture)
    pipeline.resume(run, options=stop_after(2))
    with pytest.raises(RunError, match=r"image\.path: .* is gone"):  # whoever says where it is must be right
        pipeline.resume(run, moved={"stages[0].path": str(tmp_path / "nowhere.png")})
    shutil.copy(photograph("coffee.png"), tmp_path / "one/cat.png")
    with pytest.raises(RunError, match=r"image\.path: .*does not hold.*\n.*--input PATH"):
        pipeline.resume(run)


def footage(tmp_path: Path) -> Preset:
    counter(tmp_path / "film.mp4", 30, "4")
    (tmp_path / "rows").mkdir()
    ffmpeg("-i", tmp_path / "film.mp4", tmp_path / "rows/%03d.png")
    ffmpeg("-f", "lavfi", "-i", "sine=duration=9", tmp_path / "sound.wav")
    stages = """\
stages:
  - {stage: video, path: film.mp4, motion: none}
  - {stage: dream, octaves: 1, steps: 1, first_steps: 1, layer: blocks.1.0, engine: reference, mask: {film: rows}}
  - {stage: encode, preset: ultrafast}
"""
    return quick(tmp_path, stages=stages, more="audio: sound.wav\n", head=HEAD.replace("21f", "11f"))


def test_footage_folders_and_sound_are_known_too(tmp_path: Path) -> None:
    run = stopped(footage(tmp_path), tmp_path / "run")
    film = (tmp_path / "film.mp4").read_bytes()
    # A byte near its end, which a sample of the beginning would not see.
    (tmp_path / "film.mp4").write_bytes(film[:-9] + bytes([film[-9] ^ 1]) + film[-8:])
    shutil.copy(tmp_path / "rows/001.png", tmp_path / "rows/029.png")
    sound = (tmp_path / "sound.wav").read_bytes()
    (tmp_path / "sound.wav").write_bytes(sound[:-1] + b"x")
    with pytest.raises(RunError) as caught:
        pipeline.resume(run)
    lines = str(caught.value).splitlines()
    assert [line.split(":")[0].strip() for line in lines[1:4]] == ["audio", "video.path", "dream.mask.film"]
    (tmp_path / "film.mp4").write_bytes(film)
    ffmpeg("-i", tmp_path / "film.mp4", tmp_path / "rows/%03d.png")
    with pytest.raises(RunError, match=r"needs the files it was begun with:\n  audio:"):
        pipeline.resume(run)
    assert pipeline.resume(run, moved={"audio": str(tmp_path / "sound.wav")}).finished  # asked for as it is now


def test_a_mask_that_is_gone_is_told(tmp_path: Path) -> None:
    preset = footage(tmp_path)
    run = stopped(preset, tmp_path / "run")
    shutil.rmtree(tmp_path / "rows")
    done = finished("resume", str(run))
    assert done.returncode == 1 and "dream.mask.film" in done.stderr and "Traceback" not in done.stderr


def test_a_fingerprint_is_taken_anew_when_a_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"one")
    first = fingerprint(path)
    path.write_bytes(b"two")
    assert first is not None and fingerprint(path) != first and first.size == 3
    assert fingerprint(tmp_path / "none") is None and fingerprint(tmp_path) is None


def test_the_checkpoint_keeps_them_by_key(preset: Preset, tmp_path: Path) -> None:
    run = stopped(preset, tmp_path / "run")
    facts = checkpoint.load(run / "state", 5).facts
    assert set(facts["inputs"]) == {"image.path", "palette.image", "palette-2.image"}
    assert facts["inputs"]["palette.image"]["size"] == (tmp_path / "one/same.png").stat().st_size
