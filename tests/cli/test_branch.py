"""`branch`, `preview` and `estimate` as a stranger calls them."""

from __future__ import annotations

from pathlib import Path

import pytest

import pipeline
from pipeline.preset import load_preset
from tests.processes import finished, run_dreamreel
from tests.run.quick import quick


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    return pipeline.render(quick(folder), folder / "run").folder


def test_a_run_is_branched_and_says_where_it_comes_from(run: Path) -> None:
    made = finished("branch", "run", "--at", "4.5s", "--set", "zoom.zoom=0.9", cwd=run.parent)
    assert made.returncode == 0, made.stderr
    assert "from the state at frame 16: 2 frames up to the branch are rendered again" in made.stderr
    assert "5 frames in" in made.stdout and "run-at-4.5s" in made.stdout
    told = run_dreamreel("info", str(run.parent / "run-at-4.5s"))
    assert f"branch of    {run}, at 4.5s (frame 18): zoom.zoom=0.9" in told
    assert "change       at 4.5s (frame 18): zoom.zoom" in told
    assert "kept states  4s: 0.0 MB, to branch from" in told


def test_a_branch_of_a_film_of_scenes_says_which_scene_changes(tmp_path: Path) -> None:
    scene = "stages: [{stage: noise}, {stage: zoom, zoom: 1.3}]"
    never = "changes: {at: 5s, set: {zoom.zoom: 2}}"  # its scene is over by then
    film = f"size: 64x48\nfps: 4\ndevice: cpu\nscenes:\n  - {{duration: 3s, {scene}, {never}}}\n"
    (tmp_path / "film.yaml").write_text(f"{film}  - {{duration: 3s, fade: 1s, {scene}}}\n")
    run_dreamreel("render", str(tmp_path / "film.yaml"), "-o", str(tmp_path / "run"))
    made = finished("branch", "run", "--at", "3.5s", "--set", "scenes[1].zoom.zoom=0.9", cwd=tmp_path)
    assert made.returncode == 0, made.stderr
    told = run_dreamreel("info", str(tmp_path / "run-at-3.5s"))
    assert "at 3.5s (frame 14): scenes[1].zoom.zoom=0.9" in told
    assert "change       at 3.5s (frame 14): scenes[1].zoom.zoom" in told
    assert "at 5s" not in told
    failed = finished("branch", "run", "--at", "2.5s", "--set", "zoom.zoom=0.9", cwd=tmp_path)
    assert (
        "--set zoom.zoom=0.9: a film of scenes has none by itself; say which scene's, as in scenes[0]." in failed.stderr
    )
    assert "(scenes[0] and scenes[1] then)" in failed.stderr and failed.returncode == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--at", "9s"), "--at 9s: run has no frame 36; its film ends at 5.25s, after frame 20"),
        (("--at", "9"), "'9' is no time"),
        (
            ("--at", "2s", "--set", "zoom.zom=1"),
            "--set zoom.zom=1: stages[1].zom: unknown key 'zom'; did you mean 'zoom'",
        ),
        (("--at", "2s", "--set", "fps=5"), "--set fps=5: changes[0].set.fps: belongs to the whole film"),
        (("--at", "2s", "-o", "run"), "run holds a run already"),
        ((), "missing option '--at'"),
    ],
)
def test_mistakes_are_told(run: Path, options: tuple[str, ...], said: str) -> None:
    failed = finished("branch", "run", *options, cwd=run.parent)
    assert failed.returncode in (1, 2) and said in failed.stderr, failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_branch_goes_where_it_is_told_and_may_be_longer(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "there"
    run_dreamreel("branch", str(run), "--at", "2s", "--set", "palette.strength=0.2", "-o", str(out), "--duration", "6s")
    assert pipeline.report(out).frames == 24
    assert load_preset(out / "preset.yaml").changes[0].set == {"palette.strength": 0.2}


def test_check_and_plot_take_a_preset_that_changes(tmp_path: Path) -> None:
    preset = quick(tmp_path, more="changes: [{at: 2s, set: {zoom.zoom: 0.9}}]\n")
    assert "ok, 64x48" in run_dreamreel("check", str(preset.origin))
    run_dreamreel("plot", str(preset.origin), "-o", str(tmp_path / "plot.png"))
    assert (tmp_path / "plot.png").stat().st_size > 1000
    wrong = quick(tmp_path).origin
    Path(str(wrong)).write_text(Path(str(wrong)).read_text() + "changes:\n  - {at: 2s, set: {zoom.zom: 0.9}}\n")
    assert "quick.yaml:12: stages[1].zom: unknown key" in finished("check", str(wrong)).stderr


def test_a_preview_and_the_camera_alone(tmp_path: Path) -> None:
    preset = quick(tmp_path, head="name: film\nsize: 640x360\nfps: 4\nduration: 6f\ndevice: cpu\n")
    made = finished("preview", str(preset.origin), cwd=tmp_path)
    assert made.returncode == 0 and "preview: 320x180 instead of 640x360" in made.stderr, made.stderr
    assert pipeline.report(tmp_path / "renders/film-preview").state == "finished"
    again = finished("preview", str(preset.origin), "--set", "zoom.rotate=0", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "renders/film-camera.mp4" in finished("preview", str(preset.origin), "--camera", cwd=tmp_path).stdout
    assert (tmp_path / "renders/film-camera.mp4").stat().st_size > 1000


def test_an_estimate_is_told_in_plain_words(tmp_path: Path) -> None:
    told = run_dreamreel("estimate", str(quick(tmp_path).origin), "--probe", "0.5")
    assert "quick, 21 frames, 64x48, 4 fps, on cpu" in told
    assert "time    about" in told and "at its peak" in told and "in 1 states" not in told
    assert "state to branch from" in told and "more while it renders" in told
