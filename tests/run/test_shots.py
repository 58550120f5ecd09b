"""Footage cut into shots: runs of their own, one film."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import pytest

import pipeline
from pipeline.batch.worker import frames_logged
from pipeline.errors import PresetError, RunError
from pipeline.media.joining import count_frames
from pipeline.preset import Preset, load_preset
from pipeline.run import Options
from pipeline.run.folder import RunFolder
from pipeline.run.shot_presets import shot_seed
from pipeline.run.standing import standing
from tests.clips import real_film
from tests.processes import dreamreel
from tests.run.cuts import CUTS, FPS, FRAMES, HEAD, STAGES, cut_film
from tests.run.small import stop_after


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> Preset:
    folder = tmp_path_factory.mktemp("shots")
    cut_film(folder / "cut.mp4")
    (folder / "film.yaml").write_text(HEAD + STAGES)
    return load_preset(folder / "film.yaml")


@pytest.fixture(scope="module")
def run(preset: Preset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished film of shots, which no test may change."""
    return pipeline.render(preset, tmp_path_factory.mktemp("run") / "run").folder


def film(run: Path) -> bytes:
    return (run / "film.mp4").read_bytes()


def times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        return [frame.pts * stream.time_base for frame in container.decode(stream) if frame.pts is not None]


def sound(path: Path) -> list[tuple[int | None, bytes]]:
    with av.open(str(path)) as container:
        return [(packet.pts, bytes(packet)) for packet in container.demux(audio=0) if packet.size]


def changed(preset: Preset, **keys: str) -> Preset:
    return load_preset(str(preset.origin), {key.replace("__", "."): value for key, value in keys.items()})


def test_cuts_are_found_where_they_are(run: Path) -> None:
    found = RunFolder(run)
    assert found.load_preset().chain[0].model_dump()["shots"] == CUTS
    assert [count_frames(run / f"shots/000{n}/film-000{n}.mp4") for n in (1, 2, 3)] == [16, 14, 14]


def test_the_film_has_the_frames_times_and_sound_of_one_that_is_not_cut(
    preset: Preset, run: Path, tmp_path: Path
) -> None:
    whole = pipeline.render(changed(preset, video__shots="false"), tmp_path / "whole").path
    assert times(run / "film.mp4") == times(whole) == [Fraction(n, FPS) for n in range(FRAMES)]
    assert sound(run / "film.mp4") == sound(whole) != []


@pytest.mark.parametrize(("name", "cuts"), [("bikes", (30,)), ("bigbuckbunny", (16, 40))])
def test_real_footage_in_shots_keeps_its_frames_and_sound(name: str, cuts: Sequence[int], tmp_path: Path) -> None:
    shots = "true" if name == "bikes" else str(list(cuts))
    text = (
        f"size: 96x54\ndevice: cpu\nduration: 60f\nstages: [{{stage: video, path: {real_film(name)}, shots: {shots}}}]"
    )
    (tmp_path / "film.yaml").write_text(text)
    made = load_preset(tmp_path / "film.yaml")
    one = pipeline.render(made, tmp_path / "run")
    whole = pipeline.render(changed(made, video__shots="false"), tmp_path / "whole").path
    assert RunFolder(one.folder).load_preset().chain[0].model_dump()["shots"] == tuple(cuts)
    assert times(one.path) == times(whole) and len(times(whole)) == 60
    if name == "bigbuckbunny":
        assert sound(one.path) == sound(whole) != []


def test_a_shot_is_a_film_that_its_preset_renders(run: Path, tmp_path: Path) -> None:
    """And the joined film holds its very packets."""
    shot = run / "shots/0002"
    alone = pipeline.render(load_preset(shot / "preset.yaml"), tmp_path / "alone")
    assert alone.path.read_bytes() == (shot / "film-0002.mp4").read_bytes()
    first, second = (packets(path) for path in (run / "film.mp4", alone.path))
    assert first[CUTS[0] : CUTS[1]] == second


def packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def test_curves_follow_the_time_of_the_film_and_seeds_the_shot(preset: Preset, run: Path) -> None:
    specs = [RunFolder(run).shot(number).load_preset().spec() for number in (1, 2, 3)]
    assert [spec.at_frame(2).seconds[0] for spec in specs] == [(cut + 2) / FPS for cut in (0, *CUTS)]
    assert {spec.clock.frames for spec in specs} == {FRAMES}
    assert [spec.seed for spec in specs] == [shot_seed(7, number) for number in (1, 2, 3)]
    assert len({spec.seed for spec in specs}) == 3
    assert shot_seed(7, 2) == 9139555415570476218  # films that are rendered in years to come are the same


@pytest.mark.parametrize("frames", [5, 16, 33])
def test_a_film_of_shots_goes_on_to_the_same_bytes(preset: Preset, run: Path, tmp_path: Path, frames: int) -> None:
    stopped = pipeline.render(preset, tmp_path / "run", options=stop_after(frames))
    assert not stopped.finished and not stopped.path.exists()
    assert standing(RunFolder(tmp_path / "run")) == ("stopped", frames, None)
    assert frames_logged(str(tmp_path / "run")) == frames
    seen: list[int] = []
    result = pipeline.resume(tmp_path / "run", lambda frame, spec: seen.append(frame.index))
    assert seen == list(range(frames, FRAMES)) and result.rendered == FRAMES - frames
    assert film(tmp_path / "run") == film(run)


def test_shots_side_by_side_give_the_same_bytes_though_all_are_killed_on_the_way(
    preset: Preset, run: Path, tmp_path: Path
) -> None:
    """Workers end with the process that began them, and save."""
    out = tmp_path / "run"
    command = ["render", str(preset.origin), "-o", str(out), "--workers", "3", "--checkpoint-every", "0"]
    process = dreamreel(*command)
    while process.poll() is None and len(list(out.glob("shots/*/state/*.json"))) < 2:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode != 0 and not (out / "film.mp4").exists()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            result = pipeline.resume(out, options=Options(workers=3))
            break
        except RunError as error:  # a worker that saves holds its shot for a moment
            assert "another process" in str(error)
    assert result.finished and result.frames == FRAMES
    assert film(out) == film(run)


def test_a_shot_that_fails_stops_no_other(run: Path, tmp_path: Path) -> None:
    out = shutil.copytree(run, tmp_path / "run")
    log = out / "shots/0002/run.jsonl"
    log.unlink()
    text = (out / "shots/0002/preset.yaml").read_text()
    (out / "shots/0002/preset.yaml").write_text(text.replace("zoom: 1.2", "zoom: 1.3"))
    with pytest.raises(RunError, match=r"1 of 3 shots failed:\n  shot 2: .*\n.*zoom: 1.2 -> 1.3"):
        pipeline.resume(out)
    (out / "shots/0002/preset.yaml").write_text(text)
    assert pipeline.resume(out).finished and film(out) == film(run)


def test_a_branch_of_a_shot_takes_its_place(run: Path, tmp_path: Path) -> None:
    out = shutil.copytree(run, tmp_path / "run")
    with pytest.raises(RunError, match=r"branch .*shots/0002 --at 4f"):
        pipeline.branch(out, "20f", {"tone.saturation": "0"})
    shot = out / "shots/0002"
    made = pipeline.branch(shot, "4f", {"tone.saturation": "0"})
    shutil.move(shot, tmp_path / "before")
    shutil.move(made.folder, shot)
    path, frames = pipeline.assemble(out)
    assert frames == FRAMES and path.read_bytes() != film(run)
    old, new = packets(run / "film.mp4"), packets(path)
    assert old[: CUTS[0]] == new[: CUTS[0]] and old[CUTS[1] :] == new[CUTS[1] :]
    shutil.rmtree(shot)
    shutil.copytree(out / "shots/0001", shot)
    with pytest.raises(RunError, match="holds no run of this film's shot 2"):
        pipeline.assemble(out)


def test_changes_come_at_the_film_s_time(preset: Preset, run: Path, tmp_path: Path) -> None:
    """At frame 20 the film loses its colours: before that, and in the shot before, it is as it was."""
    text = Path(str(preset.origin)).read_text().replace("cut.mp4", str(Path(str(preset.origin)).parent / "cut.mp4"))
    (tmp_path / "film.yaml").write_text(text + "changes: [{at: 20f, set: {tone.saturation: 0}}]\n")
    levels: list[float] = []
    pipeline.render(
        load_preset(tmp_path / "film.yaml"),
        tmp_path / "run",
        lambda frame, spec: levels.append(float(frame.image.std(dim=1).mean())),
    )
    assert len(levels) == FRAMES and min(levels[:20]) > 1.5 * max(levels[20:])


def test_info_and_a_new_beginning(preset: Preset, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    pipeline.render(preset, out, options=stop_after(20))
    found = pipeline.report(out)
    assert (found.state, found.frames, found.shots) == ("stopped", 20, ((16, 16), (4, 14), (0, 14)))
    assert found.seconds > 0
    assert pipeline.assemble(out)[1] == CUTS[0]
    assert pipeline.render(changed(preset, video__shots="false"), out, overwrite=True).finished
    assert not (out / "shots").exists()
    assert pipeline.render(preset, out, overwrite=True).finished
    assert film(out) == film(run)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("video.shots", "[30, 16]", r"is \[30, 16\], must be rising frames from 1 to 43"),
        ("video.shots", "[0]", "must be rising frames"),
        ("video.shots", "yes", "shots: is 'yes': must be true, false, or a list of frames"),
        ("video.shots", "[1, b]", r"shots: is \[1, 'b'\]: must be true, false, or a list of frames"),
        ("changes", "[{at: 1s, set: {video.motion: none}}]", "changes the source"),
    ],
)
def test_what_can_t_be_is_told(preset: Preset, key: str, value: str, said: str) -> None:
    with pytest.raises(PresetError, match=said):
        load_preset(str(preset.origin), {key: value})


def test_an_output_of_another_rate_is_refused(preset: Preset) -> None:
    origin = Path(str(preset.origin))
    path = origin.with_name("slow.yaml")
    path.write_text(origin.read_text() + "  - {stage: encode, fps: 8}\n")
    with pytest.raises(PresetError, match="a film of shots keeps its 16"):
        load_preset(path)


def test_a_film_of_shots_keeps_its_length_and_has_no_frames_in_a_row(preset: Preset, run: Path) -> None:
    with pytest.raises(RunError, match="cut into shots by its length"):
        pipeline.resume(run, duration="1s")
    with pytest.raises(RunError, match="each a run of its own"):
        next(pipeline.frames(preset))
    with pytest.raises(RunError, match="no frames in a row for outputs"):
        pipeline.render(preset, run.with_name("other"), outputs=pipeline.Latest())


def test_a_flash_is_no_shot() -> None:
    from pipeline.media.cuts import _spaced

    assert _spaced([20, 22, 45, 90, 97], 100, 12) == [20, 45]
