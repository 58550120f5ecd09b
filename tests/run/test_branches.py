"""Branches: a run's frames up to one of them, others from there on, and the bytes of a render from nothing."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import pipeline
from pipeline import checkpoint
from pipeline.errors import PipelineError, PresetError, RunError
from pipeline.media.joining import count_frames
from pipeline.preset import Preset, load_preset
from pipeline.run import Options
from pipeline.run.branching import begin_branch
from pipeline.run.folder import RunFolder
from tests.conftest import photograph
from tests.run.quick import HEAD, STAGES
from tests.run.small import flip, stop_after

FPS, FRAMES = 4, 36  # segments of 8 frames; states kept at 16 and 32
CHANGE = {"palette.strength": "0.3", "zoom.zoom": "{0s: 1.5, 9s: 0.8}"}
DREAM = "{stage: dream, octaves: 1, steps: 1, first_steps: 2, jitter: 4, every: 2, layer: blocks.2.1}"


def preset_in(folder: Path, text: str = STAGES, **keys: object) -> Preset:
    """Without a network, unless `text` brings one: most of what is tried here has nothing to do with dreams."""
    (folder / "small.yaml").write_text(HEAD.replace("21f", f"{FRAMES}f") + text)
    return load_preset(folder / "small.yaml", keys)


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, which no test may change."""
    folder = tmp_path_factory.mktemp("parent")
    return pipeline.render(preset_in(folder), folder / "run").folder


def copy_of(run: Path, folder: Path) -> Path:
    return shutil.copytree(run, folder / "parent")


def anew(run: Path, folder: Path) -> bytes:
    """The film of the run's preset, rendered from nothing."""
    return pipeline.render(load_preset(run / "preset.yaml"), folder / "anew", overwrite=True).path.read_bytes()


@contextmanager
def counted() -> Iterator[tuple[list[int], Options]]:
    """Options whose frames are seen."""
    seen: list[int] = []
    yield seen, Options(on_frame=lambda frame, spec: seen.append(frame.index))


def shared(run: Path) -> set[str]:
    """Pieces and states that are stored once for several runs."""
    files = (*(run / "segments").glob("*.*"), *run.glob("state/**/*.safetensors"))
    return {path.name for path in files if path.is_file() and path.stat().st_nlink > 1}


@pytest.mark.parametrize("at", ["0s", "1f", "8f", "15f", "4s", "5.1s", "33f", "35f"])
def test_a_branch_is_what_its_preset_gives_from_nothing(parent: Path, tmp_path: Path, at: str) -> None:
    with counted() as (seen, options):
        made = pipeline.branch(parent, at, CHANGE, tmp_path / "branch", options=options)
    assert made.finished and count_frames(made.path) == FRAMES
    assert made.path.read_bytes() == anew(tmp_path / "branch", tmp_path)
    begins = {"0s": 0, "1f": 0, "8f": 0, "15f": 0, "4s": 16, "5.1s": 16}.get(at, 32)
    assert seen == list(range(begins, FRAMES))
    assert {name for name in shared(made.folder) if name.endswith("mp4")} == {
        f"{number:06d}.mp4" for number in range(begins // 8)
    }


def test_it_differs_from_its_frame_on(parent: Path, tmp_path: Path) -> None:
    branched = {f.index: f.pixels for f in pipeline.frames(load_preset(_begun(parent, tmp_path) / "preset.yaml"))}
    plain = {f.index: f.pixels for f in pipeline.frames(load_preset(parent / "preset.yaml"))}
    same = [index for index in plain if (plain[index] == branched[index]).all()]
    assert same == list(range(20))


def _begun(parent: Path, folder: Path) -> Path:
    return begin_branch(parent, "5s", CHANGE, folder / "branch").path


def test_nothing_is_stored_twice_and_a_deleted_parent_does_no_harm(parent: Path, tmp_path: Path) -> None:
    run = copy_of(parent, tmp_path)
    branch = _begun(run, tmp_path)
    assert {"000000.mp4", "000001.mp4", "000000016.safetensors"} <= shared(branch)
    before = sum(path.stat().st_size for path in (branch / "segments").iterdir() if path.stat().st_nlink == 1)
    assert before == 0
    shutil.rmtree(run)
    made = pipeline.resume(branch)
    assert made.path.read_bytes() == anew(branch, tmp_path)


def test_a_disk_without_links_holds_copies(parent: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*names: object) -> None:
        raise OSError(1, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    branch = _begun(parent, tmp_path)
    assert not shared(branch)
    assert pipeline.resume(branch).path.read_bytes() == anew(branch, tmp_path)


def test_what_becomes_of_the_branch_leaves_the_parent_alone(parent: Path, tmp_path: Path) -> None:
    run = copy_of(parent, tmp_path)
    films = {path.name: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    pipeline.branch(run, "33f", CHANGE, tmp_path / "branch")
    pipeline.render(preset_in(tmp_path), tmp_path / "branch", overwrite=True)
    assert {path.name: path.read_bytes() for path in run.rglob("*") if path.is_file()} == films


def test_a_branch_of_a_branch(parent: Path, tmp_path: Path) -> None:
    first = _begun(parent, tmp_path)
    pipeline.resume(first)
    with counted() as (seen, options):
        made = pipeline.branch(first, "8s", {"palette.contrast": 0.2}, tmp_path / "second", options=options)
    assert seen[0] == 32
    assert made.path.read_bytes() == anew(made.folder, tmp_path)
    earlier = pipeline.branch(first, "4s", {"palette.contrast": 0.2}, tmp_path / "third")
    assert earlier.rendered == FRAMES - 16, "the states of the parent's parent are there too"
    changes = load_preset(earlier.folder / "preset.yaml").changes
    assert [str(change.at) for change in changes] == ["4s", "5s"], "what the parent changes later, it changes too"
    assert earlier.path.read_bytes() == anew(earlier.folder, tmp_path)


def test_a_second_change_at_the_same_frame_comes_on_top(parent: Path, tmp_path: Path) -> None:
    first = _begun(parent, tmp_path)
    pipeline.resume(first)
    second = pipeline.branch(first, "5s", {"zoom.zoom": 1.1}, tmp_path / "second")
    after = load_preset(second.folder / "preset.yaml").at(20).resolved()["stages"]
    assert after[1]["zoom"] == 1.1 and after[2]["strength"] == 0.3
    assert second.path.read_bytes() == anew(second.folder, tmp_path)


def test_a_branch_stopped_at_any_frame_goes_on(parent: Path, tmp_path: Path) -> None:
    whole = pipeline.branch(parent, "5s", CHANGE, tmp_path / "whole").path.read_bytes()
    for frames in (1, 4, 5):  # before its frame, at it, after it
        run = pipeline.branch(parent, "5s", CHANGE, tmp_path / str(frames), options=stop_after(frames)).folder
        assert pipeline.report(run).frames == 16 + frames
        assert pipeline.resume(run).path.read_bytes() == whole


def test_a_branch_killed_before_its_first_state_is_begun_from_nothing(parent: Path, tmp_path: Path) -> None:
    branch = _begun(parent, tmp_path)
    checkpoint.drop_all(branch / "state")
    checkpoint.drop_all(branch / "state/kept")
    assert pipeline.resume(branch).path.read_bytes() == anew(branch, tmp_path)


def test_states_that_are_gone_or_damaged_are_passed_over(parent: Path, tmp_path: Path) -> None:
    run = copy_of(parent, tmp_path)
    checkpoint.drop_all(run / "state")
    flip(run / "state/kept/000000032.safetensors")
    with counted() as (seen, options):
        made = pipeline.branch(run, "33f", CHANGE, tmp_path / "branch", options=options)
    assert seen[0] == 16 and made.path.read_bytes() == anew(made.folder, tmp_path)
    shutil.rmtree(run / "state/kept")
    said: list[str] = []
    again = pipeline.branch(run, "33f", CHANGE, tmp_path / "again", options=Options(on_message=said.append))
    assert again.path.read_bytes() == made.path.read_bytes() and again.rendered == FRAMES
    assert any("rendered from the first" in line for line in said)


def test_a_run_goes_on_from_a_kept_state_where_the_newest_are_damaged(tmp_path: Path) -> None:
    whole = pipeline.render(preset_in(tmp_path), tmp_path / "whole").path.read_bytes()
    run = pipeline.render(preset_in(tmp_path), tmp_path / "run", options=stop_after(30)).folder
    for frame in checkpoint.frames_kept(run / "state"):
        flip(run / f"state/{frame:09d}.safetensors")
    with counted() as (seen, options):
        assert pipeline.resume(run, options=options).path.read_bytes() == whole
    assert seen[0] == 16


def test_a_run_is_branched_while_it_renders(tmp_path: Path) -> None:
    preset, reached, go_on = preset_in(tmp_path), threading.Event(), threading.Event()

    def wait(frame: pipeline.Frame, spec: object) -> None:
        if frame.index == 22:
            reached.set()
            assert go_on.wait(60)

    options = Options(on_frame=wait, checkpoint_seconds=0.0)
    thread = threading.Thread(target=lambda: pipeline.render(preset, tmp_path / "run", options=options))
    thread.start()
    try:
        assert reached.wait(60)
        made = pipeline.branch(tmp_path / "run", "18f", CHANGE, tmp_path / "branch")
        with pytest.raises(RunError, match=r"frame 30 of .* is not rendered yet; it has 2\d frames so far"):
            pipeline.branch(tmp_path / "run", "30f", CHANGE, tmp_path / "late")
    finally:
        go_on.set()
        thread.join()
    assert made.path.read_bytes() == anew(made.folder, tmp_path)
    assert (tmp_path / "run/quick.mp4").read_bytes() == pipeline.render(preset, tmp_path / "again").path.read_bytes()


def test_a_branch_may_be_longer(parent: Path, tmp_path: Path) -> None:
    made = pipeline.branch(parent, "33f", CHANGE | {"zoom.zoom": 1.2}, tmp_path / "branch", duration="40f")
    assert count_frames(made.path) == 40
    assert made.path.read_bytes() == anew(made.folder, tmp_path)
    with pytest.raises(RunError, match="follows the film's length"):
        pipeline.branch(parent, "33f", {"zoom.zoom": "1 + p"}, tmp_path / "other", duration="50f")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("at", "changes", "said"),
    [
        ("36f", {}, "has no frame 36; its film ends at 9s, after frame 35"),
        ("9", {}, "'9' is no time"),
        ("4b", {}, "counts beats"),
        ("5s", {"seed": 4}, "override seed=4: changes[0].set.seed: belongs to the whole film"),
        ("5s", {"zoom.zom": "x"}, "override zoom.zom=x: stages[1].zom: unknown key 'zom'"),
        ("5s", {"zoom.zoom": -9}, "override zoom.zoom=-9: stages[1].zoom"),
        ("5s", {"a[": 9}, "is no path of keys"),
    ],
)
def test_what_can_not_be_is_told_before_anything_is_made(
    parent: Path, tmp_path: Path, at: str, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(PipelineError) as caught:
        pipeline.branch(parent, at, changes, tmp_path / "branch")
    assert said in str(caught.value)
    assert not (tmp_path / "branch").exists()


def test_a_later_change_that_no_longer_fits_is_told(tmp_path: Path) -> None:
    text = "changes: [{at: 20f, set: {zoom.zoom: 2}}]\n"
    run = pipeline.render(preset_in(tmp_path, STAGES + text), tmp_path / "run", options=stop_after(12)).folder
    with pytest.raises(PresetError, match=r"changes\[1\].set.'zoom.zoom': .*unknown key 'zoom'"):
        pipeline.branch(run, "10f", {"stages": "[{stage: noise}]"}, tmp_path / "branch")


def test_it_knows_where_it_comes_from(parent: Path, tmp_path: Path) -> None:
    branch = _begun(parent, tmp_path)
    report = pipeline.report(branch)
    assert report.ancestry is not None and report.frames == 16
    assert (report.ancestry.parent, report.ancestry.at, report.ancestry.frame) == (str(parent), "5s", 20)
    assert report.ancestry.set == CHANGE
    assert pipeline.report(parent).ancestry is None and pipeline.report(parent).kept == [16, 32]


def test_a_change_of_nothing_gives_the_parents_film(parent: Path, tmp_path: Path) -> None:
    made = pipeline.branch(parent, "5s", {}, tmp_path / "branch")
    assert made.path.read_bytes() == (parent / "quick.mp4").read_bytes()


def test_the_branch_lies_beside_its_parent_under_a_free_name(tmp_path: Path) -> None:
    run = pipeline.render(preset_in(tmp_path), tmp_path / "run", options=stop_after(6)).folder
    names = [begin_branch(run, "1s", {"zoom.zoom": 2}).path.name for _ in range(2)]
    assert names == ["run-at-1s", "run-at-1s-2"]


def test_pins_hold_through_changes_and_what_a_change_takes_is_pinned(tmp_path: Path) -> None:
    stages = f"stages: [{{stage: noise}}, {{stage: zoom, zoom: 1.5}}, {DREAM}]\n"
    run = pipeline.render(preset_in(tmp_path, stages), tmp_path / "run", options=stop_after(19)).folder
    other = pipeline.branch(run, "17f", {"dream.layer": "blocks.4.1"}, tmp_path / "layer", options=stop_after(5)).folder
    assert pipeline.resume(other).path.read_bytes() == anew(other, tmp_path)
    assert set(load_preset(other / "preset.yaml").changes[0].set) == {"dream.layer"}
    more = {"stages": f"[{{stage: noise}}, {DREAM.replace('every', 'id: new, every')}]"}
    made = pipeline.branch(run, "17f", more, tmp_path / "new")
    text = (made.folder / "preset.yaml").read_text()
    assert "engine: auto" not in text and "memory: auto" not in text and "precision: auto" not in text
    assert made.path.read_bytes() == anew(made.folder, tmp_path)


def test_a_picture_that_a_change_needs_is_known_again(parent: Path, tmp_path: Path) -> None:
    picture = tmp_path / "cat.png"
    shutil.copy(photograph("chelsea.png"), picture)
    change = {"palette.image": str(picture)}
    run = pipeline.branch(parent, "33f", change, tmp_path / "branch", options=stop_after(1)).folder
    shutil.copy(photograph("coffee.png"), picture)
    with pytest.raises(RunError, match=r"changes\[0\].set.'palette.image': .* does not hold what it held"):
        pipeline.resume(run)
    shutil.copy(photograph("chelsea.png"), tmp_path / "moved.png")
    made = pipeline.resume(run, moved={"changes[0].set.'palette.image'": str(tmp_path / "moved.png")})
    assert made.finished


def test_keeping_none_leaves_none(tmp_path: Path) -> None:
    run = pipeline.render(preset_in(tmp_path, keep="none"), tmp_path / "run").folder
    assert not RunFolder(run).kept.exists()
    kept = pipeline.render(preset_in(tmp_path, keep="2s"), tmp_path / "kept").folder
    assert checkpoint.frames_kept(kept / "state/kept") == [8, 16, 24, 32]


def test_a_run_begun_anew_keeps_no_old_state(tmp_path: Path) -> None:
    run = pipeline.render(preset_in(tmp_path), tmp_path / "run").folder
    pipeline.render(preset_in(tmp_path), run, overwrite=True, options=stop_after(3))
    assert pipeline.report(run).kept == []
