"""Runs that are damaged, or meet trouble, lose nothing that a checkpoint counted."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import pipeline
from pipeline.errors import PipelineError, RunError, TroubleError
from pipeline.preset import Preset, load_preset
from pipeline.run import Options
from tests.processes import ROOT
from tests.run.small import FRAMES, flip, stopped_run, truncate


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
        with pytest.raises(TroubleError, match=r"exit status 7.*\n.*my disk melted\n.*dreamreel resume"):
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


def test_resume_cleans_up_after_itself_only(preset: Preset, whole: bytes, tmp_path: Path) -> None:
    run = stopped_run(preset, tmp_path, 3)
    foreign = [run / "movie.mkv.part", run / "notes.part2.txt", run / "other.part-12.mp4"]
    own = [run / "small.part-12.mp4", run / "preset.part-3.yaml", run / "small-silent.part-7.mp4"]
    for path in (*foreign, *own):
        path.write_text("half")
    assert pipeline.resume(run).path.read_bytes() == whole
    assert all(path.exists() for path in foreign) and not any(path.exists() for path in own)


def test_the_open_spool_is_always_counted(preset: Preset, tmp_path: Path) -> None:
    alone = load_preset(str(preset.origin), {"keep": "none"})  # else it goes on from the state that is kept before it
    run = pipeline.render(alone, tmp_path / "run").folder
    spool = sorted((run / "segments").glob("*.rgb24"))[-1]
    flip(spool)
    assert "damaged" in pipeline.report(run).checkpoints[FRAMES]
    with pytest.raises(RunError, match="spooled frames of segment 2 are damaged"):
        pipeline.resume(run, duration="30f")
