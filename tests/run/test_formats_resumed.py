"""Several outputs of one render: each the same bytes whenever the run stops, and whole when it is assembled."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

import pipeline
from pipeline.errors import PipelineError
from pipeline.media.joining import count_frames
from pipeline.outputs import count_finished
from pipeline.preset import Preset, load_preset
from pipeline.run import Options
from pipeline.run.folder import RunFolder
from tests.conftest import photograph
from tests.run.quick import quick, stop_after

PRORES = "  - {stage: encode, id: master, format: prores-4444, mask: {radial: 0.5}}\n"
OUTPUTS = f"""\
stages:
  - stage: noise
  - {{stage: zoom, zoom: 1.5, rotate: 20, edges: noise}}
  - stage: palette
  - {{stage: encode, preset: ultrafast}}
{PRORES}\
  - {{stage: encode, id: loop, format: gif, longest_side: 32}}
  - {{stage: encode, id: frames, format: png, mask: {{image: {photograph("chelsea.png")}}}, writes: mask}}
  - {{stage: encode, id: phone, format: h264, size: 36x64, fit: pad, fps: 10, preset: ultrafast}}
  - {{stage: encode, id: slow, format: ffv1, fps: 3}}
  - {{stage: encode, id: stills, format: prores, fps: 0.4}}
"""
NAMES = ["quick-frames", "quick-loop.gif", "quick-master.mov", "quick-phone.mp4", "quick-slow.mkv"]
NAMES += ["quick-stills.mov", "quick.mp4"]
FRAMES = 21  # at 4 a second


def outputs(run: Path) -> dict[str, bytes]:
    """The bytes of every file of every output."""
    files = [path for each in run.glob("quick*") for path in (each.iterdir() if each.is_dir() else [each])]
    return {str(path.relative_to(run)): path.read_bytes() for path in files}


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> Preset:
    return quick(tmp_path_factory.mktemp("preset"), stages=OUTPUTS)


@pytest.fixture(scope="module")
def whole(preset: Preset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return outputs(pipeline.render(preset, tmp_path_factory.mktemp("whole") / "run").folder)


def test_each_has_its_name_size_rate_and_length(preset: Preset, tmp_path: Path) -> None:
    run = pipeline.render(preset, tmp_path / "run").folder
    assert sorted(path.name for path in run.glob("quick*")) == NAMES
    found = {}
    for name in NAMES[2:]:
        with av.open(str(run / name)) as film:
            stream = film.streams.video[0]
            found[name] = (stream.width, stream.height, count_frames(run / name))
    assert found == {
        "quick.mp4": (64, 48, 21),
        "quick-master.mov": (64, 48, 21),
        "quick-phone.mp4": (36, 64, 53),  # 5.25 seconds at 10 a second
        "quick-slow.mkv": (64, 48, 16),
        "quick-stills.mov": (64, 48, 3),  # none of them in the last piece
    }
    assert len(list((run / "quick-frames").iterdir())) == 21
    assert (run / "poster.png").exists() and (run / "sheet.png").exists()


@pytest.mark.parametrize("frames", [1, 8, 13])
def test_a_stopped_run_ends_in_the_same_bytes(
    preset: Preset, whole: dict[str, bytes], tmp_path: Path, frames: int
) -> None:
    run = pipeline.render(preset, tmp_path / "run", options=stop_after(frames)).folder
    if (run / "segments" / "000000.rgb48").exists():  # as if it had been killed before that was there
        (run / "segments" / "000000-2.mov").unlink(missing_ok=True)
    assert pipeline.resume(run).finished
    assert outputs(run) == whole


def test_what_there_is_can_be_assembled_and_the_run_goes_on(
    preset: Preset, whole: dict[str, bytes], tmp_path: Path
) -> None:
    run = pipeline.render(preset, tmp_path / "run", options=stop_after(11)).folder
    film, frames = pipeline.assemble(run)
    assert frames == 11 == count_frames(film)
    ours = zip(preset.renditions, RunFolder(run).outputs(preset), strict=True)
    assert [count_finished(path, each) for each, path in ours] == [11, 11, 11, 11, 28, 9, 2]
    pipeline.resume(run)
    assert outputs(run) == whole
    again = pipeline.render(preset, run, overwrite=True, options=stop_after(3)).folder
    assert outputs(again) == {}


def test_outputs_alone_are_those_beside_others(whole: dict[str, bytes], tmp_path: Path) -> None:
    alone = quick(tmp_path, stages=OUTPUTS.split("  - {stage: encode")[0] + PRORES)
    film = pipeline.render(alone, tmp_path / "run").path
    (tmp_path / "beside.mov").write_bytes(whole["quick-master.mov"])
    shown = []
    for path in (film, tmp_path / "beside.mov"):
        with av.open(str(path)) as container:
            shown.append([bytes(packet) for packet in container.demux(video=0)])
    assert shown[0] == shown[1]  # the metadata differ: they hold the preset


def test_a_folder_that_holds_a_file_of_an_output_is_left_alone(preset: Preset, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "quick-loop.gif").write_text("mine")
    with pytest.raises(PipelineError, match=r"quick-loop\.gif is there already and belongs to no run"):
        pipeline.render(preset, tmp_path / "run")


def test_a_branch_has_every_output(preset: Preset, tmp_path: Path) -> None:
    parent = pipeline.render(preset, tmp_path / "run").folder
    seen: list[int] = []
    options = Options(on_frame=lambda frame, spec: seen.append(frame.index))
    branch = pipeline.branch(parent, "18f", {"palette.strength": "0.3"}, tmp_path / "branch", options=options)
    assert seen == list(range(16, FRAMES))
    anew = pipeline.render(load_preset(branch.folder / "preset.yaml"), tmp_path / "anew")
    assert outputs(branch.folder) == outputs(anew.folder)
