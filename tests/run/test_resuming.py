"""Runs that are stopped, killed and extended end in the same bytes."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import av
import pytest
import torch

import pipeline
from pipeline.chain import Frame
from pipeline.errors import RunError
from pipeline.media.joining import count_frames
from pipeline.preset import Override, Preset, load_preset
from pipeline.run import Options
from pipeline.run.log import frame_records
from pipeline.stages import RunSpec
from tests.films import FILMS, film
from tests.processes import dreamreel
from tests.run.small import FRAMES, stop_after, stopped_run
from tests.torture import torture


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


@pytest.mark.parametrize("lead_in", [0, 24])
def test_kill_9_at_random_moments(tmp_path: Path, lead_in: int) -> None:
    torture(tmp_path, kills=3, seed=11, lead_in=lead_in)


def test_the_threads_of_the_beginning_are_kept(preset: Preset, whole: bytes, tmp_path: Path) -> None:
    import torch

    run = stopped_run(preset, tmp_path, 3)
    torch.set_num_threads(2)
    try:
        assert pipeline.resume(run).path.read_bytes() == whole
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
