"""Runs that are stopped, killed, damaged and extended end in the same bytes."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
import pytest
import torch
import yaml

import pipeline
from pipeline.errors import MediaError, PipelineError, RunError
from pipeline.loop import Frame
from pipeline.media.joining import count_frames
from pipeline.preset import Override, Preset, load_preset
from pipeline.run import Options
from pipeline.run.changes import changed_keys
from pipeline.run.log import frame_records
from pipeline.stages import RunSpec
from tests.conftest import SMALL
from tests.films import FILMS, film
from tests.processes import ROOT, dreamreel, finished, run_dreamreel
from tests.torture import torture

FRAMES = 21  # at 4 fps: segments of 8, 8 and 5 frames


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> Preset:
    path = tmp_path_factory.mktemp("preset") / "small.yaml"
    path.write_text(SMALL.replace("fps: 12", "fps: 4").replace("duration: 4f", f"duration: {FRAMES}f"))
    return load_preset(path)


@pytest.fixture(scope="module")
def whole(preset: Preset, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The film of a render that was never stopped."""
    return pipeline.render(preset, tmp_path_factory.mktemp("whole")).path.read_bytes()


def stop_after(frames: int, **changes: object) -> Options:
    """Options that stop a render once so many frames are done, with a checkpoint after every frame."""
    seen: list[int] = []
    return Options(
        **{  # type: ignore[arg-type]
            "on_frame": lambda frame, spec: seen.append(frame.index),
            "should_stop": lambda: len(seen) >= frames,
            "checkpoint_seconds": 0.0,
            **changes,
        }
    )


@pytest.mark.parametrize("name", FILMS)
def test_every_kind_of_film_goes_on_to_the_same_frames(name: str, tmp_path: Path) -> None:
    """To the last digit of their float32 values, which 8 bits and an encoder would hide."""
    whole = [frame.image for frame in pipeline.frames(film(name))]
    pipeline.render(film(name), tmp_path / "run", options=stop_after(2))
    seen: list[int] = []

    def compare(frame: Frame, spec: RunSpec) -> None:
        seen.append(frame.index)
        assert torch.equal(frame.image, whole[frame.index]), frame.index

    pipeline.resume(tmp_path / "run", compare)
    assert seen == list(range(2, len(whole)))


def stopped_run(preset: Preset, folder: Path, frames: int) -> Path:
    result = pipeline.render(preset, folder / "run", options=stop_after(frames))
    assert not result.finished and result.frames == frames
    return folder / "run"


@pytest.mark.parametrize("frames", [1, 7, 8, 9, 16, 20])
def test_a_stopped_run_goes_on_to_the_same_bytes(preset: Preset, whole: bytes, tmp_path: Path, frames: int) -> None:
    run = stopped_run(preset, tmp_path, frames)
    result = pipeline.resume(run)
    assert result.finished and result.rendered == FRAMES - frames
    assert result.path.read_bytes() == whole


def test_every_frame_is_at_its_time_and_none_is_repeated(preset: Preset, whole: bytes, tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(whole)
    with av.open(str(tmp_path / "film.mp4")) as film:
        base = film.streams.video[0].time_base
        frames = list(film.decode(video=0))
        assert base is not None
        assert [frame.pts * base for frame in frames if frame.pts is not None] == [
            n / preset.fps for n in range(FRAMES)
        ]
    assert len({frame.to_ndarray().tobytes() for frame in frames}) == FRAMES


def test_the_folder_holds_what_it_should(preset: Preset, tmp_path: Path) -> None:
    run = pipeline.render(preset, tmp_path / "run").folder
    names = {path.name for path in run.iterdir()} - {".lock"}
    assert names == {"preset.yaml", "run.jsonl", "state", "segments", "small.mp4", "poster.png", "sheet.png"}
    again = load_preset(run / "preset.yaml")
    decided = {"engine", "precision", "memory"}  # the run keeps to what `auto` took
    assert {
        change.split(":")[0].rpartition(".")[2] for change in changed_keys(preset.resolved(), again.resolved())
    } == decided
    records = frame_records(run / "run.jsonl")
    assert sorted(records) == list(range(FRAMES))
    assert {"times", "brightness", "saturation", "sharpness", "clipped", "contrast"} <= set(records[3])
    with av.open(str(run / "small.mp4")) as film:
        about = yaml.safe_load(film.metadata["comment"])
    assert about["preset"] == again.resolved() and about["inputs"] == {}  # it names no file


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("harm", [truncate, flip, Path.unlink])
@pytest.mark.parametrize("suffix", [".json", ".safetensors", ".rgb24"])
def test_a_damaged_newest_checkpoint_falls_back(
    preset: Preset, whole: bytes, tmp_path: Path, harm: Callable[[Path], None], suffix: str
) -> None:
    # Frame 17 is the first of its segment: the checkpoint before needs none of its spool.
    run = stopped_run(preset, tmp_path, 17)
    folder = run / ("segments" if suffix == ".rgb24" else "state")
    newest = sorted(folder.glob(f"*{suffix}"))[-1]
    harm(newest)
    said: list[str] = []
    result = pipeline.resume(run, options=Options(on_message=said.append))
    assert result.path.read_bytes() == whole and result.rendered == FRAMES - 16
    if not (suffix == ".json" and harm is Path.unlink):  # then the pair was simply never finished
        assert "checkpoint at frame 17 can't be used" in said[0]


def test_no_usable_checkpoint_is_told_and_nothing_is_removed(preset: Preset, tmp_path: Path) -> None:
    run = stopped_run(preset, tmp_path, 12)
    for path in (run / "state").glob("*.safetensors"):
        flip(path)
    before = sorted(str(path) for path in run.rglob("*"))
    with pytest.raises(RunError, match=r"no checkpoint of .* is left"):
        pipeline.resume(run)
    assert sorted(str(path) for path in run.rglob("*")) == before


def test_half_written_leftovers_are_cleaned(preset: Preset, whole: bytes, tmp_path: Path) -> None:
    run = stopped_run(preset, tmp_path, 12)
    leftovers = [run / "segments/000001.part-99.mp4", run / "state/000000013.part-99.json", run / "small.part-9.mp4"]
    for path in leftovers:
        path.write_bytes(b"half")
    (run / "segments/000002.mp4").write_bytes(b"a segment no checkpoint counts")
    with (run / "segments/000001.rgb24").open("ab") as spool:
        spool.write(b"frames no checkpoint counts")
    with (run / "run.jsonl").open("a") as log:
        log.write('{"frame": 12, "tim')
    assert pipeline.resume(run).path.read_bytes() == whole
    assert not any(path.exists() for path in leftovers)


def test_a_damaged_segment_with_its_spool_is_made_again(preset: Preset, whole: bytes, tmp_path: Path) -> None:
    run = stopped_run(preset, tmp_path, 8)
    assert (run / "segments/000000.rgb24").exists()  # the older checkpoint still needs it
    truncate(run / "segments/000000.mp4")
    assert pipeline.resume(run).path.read_bytes() == whole


def test_a_changed_preset_is_refused_naming_the_key(preset: Preset, tmp_path: Path) -> None:
    run = stopped_run(preset, tmp_path, 3)
    text = (run / "preset.yaml").read_text()
    (run / "preset.yaml").write_text(text.replace("rotate: 20\n", "rotate: 21\n"))
    with pytest.raises(RunError, match=r"stages\[1\]\.rotate: 20 -> 21"):
        pipeline.resume(run)


def test_another_machine_is_a_warning(preset: Preset, whole: bytes, tmp_path: Path) -> None:
    run = stopped_run(preset, tmp_path, 3)
    for path in (run / "state").glob("*.json"):
        from pipeline import checkpoint

        found = checkpoint.load(run / "state", int(path.stem))
        found.facts["environment"]["torch"] = "1.0"
        checkpoint.save(run / "state", found)
    said: list[str] = []
    assert pipeline.resume(run, options=Options(on_message=said.append)).path.read_bytes() == whole
    assert any(line.startswith("torch: 1.0 -> ") for line in said)


def test_a_finished_film_is_extended_without_rendering_it_again(
    preset: Preset, whole: bytes, tmp_path: Path, small_preset: Path
) -> None:
    short = load_preset(str(preset.origin), [Override("duration", "11f")])
    run = pipeline.render(short, tmp_path / "run").folder
    longer = pipeline.resume(run, duration=f"{FRAMES}f")
    assert longer.rendered == FRAMES - 11
    assert longer.path.read_bytes() == whole
    with pytest.raises(RunError, match="21 frames are rendered already"):
        pipeline.resume(run, duration="5f")


def test_a_film_whose_curves_follow_its_length_is_not_extended(preset: Preset, tmp_path: Path) -> None:
    sets = [Override("duration", "5f"), Override("zoom.zoom", "1.2 + p"), Override("palette.strength", "0.5 + 0*t")]
    run = pipeline.render(load_preset(str(preset.origin), sets), tmp_path / "run").folder
    with pytest.raises(RunError, match=r"zoom\.zoom follows the film's length"):
        pipeline.resume(run, duration="9f")
    assert pipeline.resume(run).frames == 5


def test_moving_numbers_and_cadence_resume_to_the_same_bytes(preset: Preset, tmp_path: Path) -> None:
    """Stopped between two dreams, while layers cross-fade and the camera moves out."""
    sets = {
        "zoom.zoom": "0.7 + 0.2*noise(t)",
        "zoom.rotate": "{deforum: '0:(1), 20:(-2*sin(t))', fps: 15}",
        "zoom.edges": "noise",
        "dream.layer": "{0s: blocks.2.1, 3s: blocks.4.1}",
        "dream.every": "3",
        "dream.strength": "{0s: 0.3, 5s: 0.1, ease: spline}",
        "palette.strength": "clip(t/4, 0, 0.9)",
    }
    moving = load_preset(str(preset.origin), [Override(key, value) for key, value in sets.items()])
    whole = pipeline.render(moving, tmp_path / "whole").path.read_bytes()
    run = pipeline.render(moving, tmp_path / "run", options=stop_after(11)).folder
    assert pipeline.resume(run).path.read_bytes() == whole


def test_a_finished_run_has_nothing_left_to_render(preset: Preset, whole: bytes, tmp_path: Path) -> None:
    run = pipeline.render(preset, tmp_path / "run").folder
    (run / "small.mp4").unlink()
    result = pipeline.resume(run)
    assert result.rendered == 0 and result.path.read_bytes() == whole


def test_endless_renders_until_stopped_and_stays_playable(preset: Preset, whole: bytes, tmp_path: Path) -> None:
    endless = load_preset(str(preset.origin), [Override("duration", "endless")])
    result = pipeline.render(endless, tmp_path / "run", options=stop_after(11))
    assert not result.finished and count_frames(result.path) == 11
    result = pipeline.resume(result.folder, options=stop_after(3))
    assert count_frames(result.path) == 14
    ended = pipeline.resume(result.folder, duration=f"{FRAMES}f")
    assert ended.finished and ended.path.read_bytes() == whole


def test_assemble_joins_what_there_is(preset: Preset, tmp_path: Path) -> None:
    run = stopped_run(preset, tmp_path, 12)
    assert not (run / "small.mp4").exists()
    film, frames = pipeline.assemble(run)
    assert frames == count_frames(film) == 12
    assert not list((run / "segments").glob("*.part*"))
    done = pipeline.resume(run)
    assert pipeline.assemble(run) == (done.path, FRAMES)


def test_a_folder_with_a_run_is_not_overwritten_unasked(preset: Preset, whole: bytes, tmp_path: Path) -> None:
    run = stopped_run(preset, tmp_path, 3)
    (run / "notes.txt").write_text("mine")
    with pytest.raises(RunError, match=r"dreamreel resume .*--overwrite"):
        pipeline.render(preset, run)
    assert pipeline.render(preset, run, overwrite=True).path.read_bytes() == whole
    assert (run / "notes.txt").read_text() == "mine"


def test_one_process_at_a_time_and_dead_ones_do_not_count(preset: Preset, whole: bytes, tmp_path: Path) -> None:
    run = stopped_run(preset, tmp_path, 3)
    hold = "import filelock, sys, time; lock = filelock.FileLock(sys.argv[1]).acquire(); "
    hold += "print('held', flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", hold, str(run / ".lock")], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    with pytest.raises(RunError, match="another process"):
        pipeline.resume(run)
    assert pipeline.report(run).state == "rendering"
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    assert pipeline.report(run).state == "stopped"
    assert pipeline.resume(run).path.read_bytes() == whole


def test_the_report_tells_how_a_run_stands(preset: Preset, tmp_path: Path) -> None:
    changed = load_preset(str(preset.origin), [Override("seed", "9")])
    run = stopped_run(changed, tmp_path, 12)
    found = pipeline.report(run)
    assert (found.state, found.frames, found.total, found.segments) == ("stopped", 12, FRAMES, 1)
    assert found.checkpoints == {11: "whole", 12: "whole"}
    assert found.changes == ["seed: 3 -> 9"] and found.seconds > 0
    words = run_dreamreel("info", str(run))
    assert "12 of 21" in words and "seed: 3 -> 9" in words
    with pytest.raises(RunError, match="holds no run"):
        pipeline.report(tmp_path)


def test_ctrl_c_saves_and_tells_how_to_go_on(preset: Preset, whole: bytes, tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = dreamreel("render", str(preset.origin), "-o", str(run), "--duration", "2000f")
    while not (run / "run.jsonl").exists() or len(frame_records(run / "run.jsonl")) < 3:
        time.sleep(0.02)
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert f"dreamreel resume {run}" in out and "Traceback" not in errors
    assert pipeline.report(run).frames >= 3


def test_a_full_disk_loses_nothing_a_checkpoint_counted(preset: Preset, whole: bytes, tmp_path: Path) -> None:
    run = tmp_path / "run"
    # Six of a segment's eight frames fit into a file: the disk of the first process is full at frame 6.
    limit = 6 * 64 * 48 * 3 + 100
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, "
        f"({limit}, resource.getrlimit(resource.RLIMIT_FSIZE)[1]));"
        "from pipeline.cli import main; main()"
    )
    arguments = ["render", str(preset.origin), "-o", str(run), "--checkpoint-every", "0"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}  # as many as here: the same bytes
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=environment, capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 1, done.stderr
    assert "File too large" in done.stderr and f"dreamreel resume {run}" in done.stderr
    assert "Traceback" not in done.stderr
    assert 4 <= pipeline.report(run).frames <= 6
    assert pipeline.resume(run).path.read_bytes() == whole
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_too_little_space_is_told_before_anything_is_rendered(
    preset: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(10**9, 10**9, 10**6))
    with pytest.raises(RunError, match="1 MB free"):
        pipeline.render(preset, tmp_path / "run")


def test_ffmpeg_dying_in_the_middle_leaves_a_run_that_goes_on(
    preset: Preset, whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import imageio_ffmpeg

    count, fake = tmp_path / "count", tmp_path / "ffmpeg"
    real = imageio_ffmpeg.get_ffmpeg_exe()
    fake.write_text(
        f'#!/bin/sh\necho x >> {count}\nif [ $(wc -l < {count}) -gt 2 ]; then echo "my disk melted" >&2; exit 7; fi\n'
        f'exec {real} "$@"\n'
    )
    fake.chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setenv("IMAGEIO_FFMPEG_EXE", str(fake))  # started first to be asked what it can do
        with pytest.raises(MediaError, match=r"exit status 7.*\n.*my disk melted\n.*dreamreel resume"):
            pipeline.render(preset, tmp_path / "run", options=Options(checkpoint_seconds=0))
    assert pipeline.report(tmp_path / "run").frames >= 8
    assert pipeline.resume(tmp_path / "run").path.read_bytes() == whole


def test_out_of_memory_is_an_error_that_can_be_resumed(
    preset: Preset, whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from pipeline.stages.dream import Dream

    dream = Dream.__call__

    def hungry(self: Dream, frame: torch.Tensor, ctx: pipeline.stages.FrameContext) -> torch.Tensor:  # type: ignore[name-defined]
        if ctx.index == 5:
            raise torch.OutOfMemoryError("no room")
        return dream(self, frame, ctx)

    with monkeypatch.context() as patch:
        patch.setattr(Dream, "__call__", hungry)
        with pytest.raises(PipelineError, match=r"smaller picture.*\n.*dreamreel resume"):
            pipeline.render(preset, tmp_path / "run", options=Options(checkpoint_seconds=0))
    assert pipeline.resume(tmp_path / "run").path.read_bytes() == whole


def test_the_log_tells_events(preset: Preset, tmp_path: Path) -> None:
    run = stopped_run(preset, tmp_path, 9)
    pipeline.resume(run)
    lines = [json.loads(line) for line in (run / "run.jsonl").read_text().splitlines()]
    events = [line["event"] for line in lines if "event" in line]
    assert events[0] == "begin" and events[-1] == "finished" and "resume" in events and "stopped" in events
    assert events.count("segment") == 3


@pytest.mark.parametrize("lead_in", [0, 24])
def test_kill_9_at_random_moments(tmp_path: Path, lead_in: int) -> None:
    torture(tmp_path, kills=3, seed=11, lead_in=lead_in)


def test_a_run_that_is_none_is_told(tmp_path: Path) -> None:
    for command in ("resume", "info", "assemble"):
        done = finished(command, str(tmp_path))
        assert done.returncode == 1 and "holds no run" in done.stderr


def test_a_folder_with_foreign_files_is_left_alone(preset: Preset, tmp_path: Path) -> None:
    for name in ("preset.yaml", "small.mp4", "poster.png"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_text("mine")
        for overwrite in (False, True):
            with pytest.raises(RunError, match="belongs to no run"):
                pipeline.render(preset, folder, overwrite=overwrite)
        assert (folder / name).read_text() == "mine"


def test_resume_cleans_up_after_itself_only(preset: Preset, whole: bytes, tmp_path: Path) -> None:
    run = stopped_run(preset, tmp_path, 3)
    foreign = [run / "movie.mkv.part", run / "notes.part2.txt", run / "other.part-12.mp4"]
    own = [run / "small.part-12.mp4", run / "preset.part-3.yaml", run / "small-silent.part-7.mp4"]
    for path in (*foreign, *own):
        path.write_text("half")
    assert pipeline.resume(run).path.read_bytes() == whole
    assert all(path.exists() for path in foreign) and not any(path.exists() for path in own)


def test_assemble_never_makes_a_film_shorter(preset: Preset, whole: bytes, tmp_path: Path) -> None:
    run = pipeline.render(preset, tmp_path / "run").folder
    (run / "segments/000001.mp4").unlink()
    with pytest.raises(RunError, match=r"segment 1 .* is missing"):
        pipeline.assemble(run)
    for path in (run / "segments").glob("000002*"):
        path.unlink()
    with pytest.raises(RunError, match="has 21 frames, and only 8 are left"):
        pipeline.assemble(run)
    assert (run / "small.mp4").read_bytes() == whole


def test_the_open_spool_is_always_counted(preset: Preset, tmp_path: Path) -> None:
    run = pipeline.render(preset, tmp_path / "run").folder
    spool = sorted((run / "segments").glob("*.rgb24"))[-1]
    flip(spool)
    assert "damaged" in pipeline.report(run).checkpoints[FRAMES]
    with pytest.raises(RunError, match="spooled frames of segment 2 are damaged"):
        pipeline.resume(run, duration="30f")


def picture_preset(preset: Preset, folder: Path) -> Preset:
    import shutil

    from tests.conftest import photograph

    shutil.copy(photograph("chelsea.png"), folder / "cat.png")
    text = Path(str(preset.origin)).read_text().replace("stage: noise", "stage: image\n    path: cat.png")
    (folder / "small.yaml").write_text(text)
    return load_preset(folder / "small.yaml")


def test_a_picture_that_is_gone_is_not_missed_but_another_one_is(preset: Preset, tmp_path: Path) -> None:
    import shutil

    from tests.conftest import photograph

    over_picture = picture_preset(preset, tmp_path)
    film = pipeline.render(over_picture, tmp_path / "whole").path.read_bytes()
    for name in ("gone", "other"):
        (tmp_path / name).mkdir()
        stopped_run(over_picture, tmp_path / name, 3)
    shutil.copy(photograph("coffee.png"), tmp_path / "cat.png")
    with pytest.raises(RunError, match=r"cat\.png"):
        pipeline.resume(tmp_path / "other/run")
    (tmp_path / "cat.png").unlink()
    assert pipeline.report(tmp_path / "gone/run").frames == 3
    assert pipeline.assemble(tmp_path / "gone/run")[1] == 3
    assert pipeline.resume(tmp_path / "gone/run").path.read_bytes() == film


def test_overwriting_waits_until_the_new_render_can_begin(preset: Preset, whole: bytes, tmp_path: Path) -> None:
    run = pipeline.render(preset, tmp_path / "run").folder
    broken = picture_preset(preset, tmp_path)
    text = (tmp_path / "small.yaml").read_text().replace("stage: palette", "stage: palette\n    image: cat.png")
    (tmp_path / "small.yaml").write_text(text)
    broken = load_preset(tmp_path / "small.yaml")
    (tmp_path / "cat.png").unlink()
    with pytest.raises(MediaError):
        pipeline.render(broken, run, overwrite=True)
    assert (run / "small.mp4").read_bytes() == whole


def test_odd_folder_names_reach_ffmpeg_whole(
    preset: Preset, whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("12:30", "-x", "it's träum ß"):
        assert pipeline.render(preset, name).path.read_bytes() == whole


def test_the_threads_of_the_beginning_are_kept(preset: Preset, whole: bytes, tmp_path: Path) -> None:
    import torch

    run = stopped_run(preset, tmp_path, 3)
    torch.set_num_threads(2)
    try:
        assert pipeline.resume(run).path.read_bytes() == whole
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
