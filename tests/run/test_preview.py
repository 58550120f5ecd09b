"""Previews: the same film small, with motifs as large in the frame; the camera alone; and what a render will cost."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import pipeline
from pipeline.errors import PresetError, RunError
from pipeline.frame import Size
from pipeline.media.grid import draw_grid
from pipeline.media.joining import count_frames
from pipeline.ops.camera import motion_matrix
from pipeline.ops.pyramid import octave_sizes
from pipeline.preset import Preset, load_preset, parse_preset
from pipeline.run.camera import film_camera
from pipeline.run.estimate import estimate
from pipeline.run.small import small
from pipeline.stages.dream import DreamConfig
from tests.clips import real_film
from tests.conftest import SMALL

TOP = "size: {size}\nfps: {fps}\nduration: 1s\ndevice: cpu\nstages:\n  - {{stage: {source}}}\n"
ZOOM = "  - {stage: zoom, zoom: 1.5, rotate: 30}\n"
DREAM = "  - {{stage: dream, octaves: {octaves}, octave_scale: {scale}, steps: 1, first_steps: 1{more}}}\n"


def film(
    size: str = "640x360", fps: int = 24, octaves: int = 4, scale: float = 1.5, more: str = "", end: str = ""
) -> Preset:
    dream = DREAM.format(octaves=octaves, scale=scale, more=more)
    return parse_preset(TOP.format(size=size, fps=fps, source="noise") + ZOOM + dream + end, name="film")


def dream_of(preset: Preset) -> DreamConfig:
    return next(config for config in preset.chain if isinstance(config, DreamConfig))


@pytest.mark.parametrize(
    ("size", "octaves", "scale", "small_size", "left"),
    [
        ("640x360", 4, 1.5, "286x160", 2),
        ("1280x720", 5, 1.6, "314x176", 2),
        ("384x216", 3, 1.5, "256x144", 2),
        ("288x288", 3, 1.5, "288x288", 3),
        ("1280x720", 2, 1.6, "800x450", 1),  # no dream goes without any octave
    ],
)
def test_the_coarse_octaves_stay_and_have_the_same_pixels(
    tmp_path: Path, size: str, octaves: int, scale: float, small_size: str, left: int
) -> None:
    preset = film(size, octaves=octaves, scale=scale)
    made, said = small(preset, tmp_path)
    assert (str(made.size), dream_of(made).octaves) == (small_size, left)
    before, after = (octave_sizes(each.size, dream_of(each).octaves, scale) for each in (preset, made))
    for one, other in zip(before, after, strict=False):
        assert np.allclose(one, other, atol=2)
    assert (made.seed, made.fps, made.duration) == (preset.seed, preset.fps, preset.duration)
    assert any("octaves" in line for line in said) == (left < octaves)


def test_dreams_come_as_often_at_every_rate(tmp_path: Path) -> None:
    often = [dream_of(small(film(fps=fps), tmp_path)[0]).every for fps in (8, 12, 24, 60)]
    assert often == [1, 1, 2, 5]


def test_lengths_in_pixels_shrink_with_the_frame(tmp_path: Path) -> None:
    end = "  - {stage: sharpen, radius: 4}\n  - {stage: grain, size: 2, shown_only: true}\n"
    made, _ = small(film(more=", octave_weights: [4, 3, 2, 1]", end=end), tmp_path)
    stages = {stage["id"]: stage for stage in made.resolved()["stages"]}
    assert stages["sharpen"]["radius"] == pytest.approx(4 / 2.25)
    assert stages["grain"]["size"] == 1
    assert stages["dream"]["octave_weights"] == [4, 3]


def test_it_begins_with_the_films_own_noise(tmp_path: Path) -> None:
    preset, (made, _) = film(octaves=4), small(film(octaves=4), tmp_path)
    still = [
        parse_preset(each.to_yaml()).model_copy(update={"stages": (each.stages[0], each.stages[-1])})
        for each in (preset, made)
    ]
    large, little = (next(pipeline.frames(each)).image for each in still)
    shrunk = torch.nn.functional.interpolate(large, made.size, mode="area")
    assert float((shrunk - little).abs().mean()) < 0.02 < float((shrunk.flip(3) - little).abs().mean())


def test_changes_are_made_smaller_too(tmp_path: Path) -> None:
    preset = film(
        end="changes: [{at: 0.5s, set: {dream.octaves: 3, zoom.zoom: 2}}, {at: 20f, set: {dream.steps: 2}}]\n"
    )
    made, _ = small(preset, tmp_path)
    assert [dream_of(made.at(frame)).octaves for frame in (0, 12, 20)] == [2, 1, 1]
    assert dream_of(made.at(20)).steps.constant == 2 and list(made.turns) == [12, 20]


def test_a_sphere_stays_one_and_its_camera_is_not_drawn(tmp_path: Path) -> None:
    preset = load_preset("sphere", {"duration": "1s"})
    made, _ = small(preset, tmp_path)
    assert made.size.width == 2 * made.size.height < preset.size.width and made.on_sphere
    with pytest.raises(PresetError, match="whole sphere"):
        film_camera(preset, tmp_path / "camera.mp4")


def test_footage_and_films_without_dreams_shrink(tmp_path: Path) -> None:
    text = f"size: 640x360\nduration: 1s\nstages:\n  - {{stage: video, path: {real_film('carphone_pristine')}}}\n"
    made, said = small(parse_preset(text), tmp_path)
    assert str(made.size) == "320x180" and len(said) == 1


def test_the_grid_goes_the_way_the_picture_goes() -> None:
    """A camera that moves in makes cells larger; one that turns the picture clockwise turns the lines so."""

    def drawn(zoom: float, degrees: float) -> NDArray[np.int64]:
        motion = {"pan": (0.0, 0.0), "centre": (0.5, 0.5), "zoom": zoom, "degrees_per_second": degrees}
        matrix = motion_matrix(1.0, Size(90, 160), **motion)
        return draw_grid([(matrix.numpy(), 1.0)], 90, 160).astype(np.int64)

    def blue(picture: NDArray[np.int64], row: int) -> NDArray[np.int64]:
        return np.flatnonzero(picture[row, :, 2] - picture[row, :, 0] > 40)

    assert len(blue(drawn(2.0, 0.0), 20)) < len(blue(drawn(1.0, 0.0), 20))
    turned = drawn(4.0, 20.0)
    top, bottom = (float(blue(turned, row)[np.abs(blue(turned, row) - 80).argmin()]) for row in (35, 55))
    assert top > bottom, "the line down the middle leans right at its top"


def test_the_camera_is_filmed_with_its_changes(tmp_path: Path) -> None:
    text = TOP.format(size="320x180", fps=24, source="noise") + ZOOM
    still = "changes: [{at: 0.5s, set: {zoom.zoom: 1, zoom.rotate: 0}}]\n"
    path = film_camera(parse_preset(text + still), tmp_path / "camera.mp4")
    with av.open(str(path)) as container:
        pictures = [frame.to_ndarray(format="rgb24")[:150].astype(int) for frame in container.decode(video=0)]
    moved = [float(np.abs(a - b).mean()) for a, b in pairwise(pictures)]
    assert len(pictures) == 12 and min(moved[:5]) > 1 and max(moved[6:]) < 0.7


def test_a_film_whose_camera_stands_still_has_none_to_show(tmp_path: Path) -> None:
    with pytest.raises(PresetError, match="no stage that moves a camera"):
        film_camera(parse_preset(TOP.format(size="64x48", fps=8, source="noise")), tmp_path / "camera.mp4")


def test_an_estimate_holds(tmp_path: Path) -> None:
    preset = parse_preset(
        SMALL.replace("duration: 4f", "duration: 60f") + "changes: [{at: 30f, set: {dream.steps: 9}}]\n"
    )
    found = estimate(preset, 4.0)
    result = pipeline.render(preset, tmp_path / "run")
    assert found.frames == 60 == count_frames(result.path)
    assert found.seconds.low <= found.seconds.value <= found.seconds.high
    assert found.seconds.low / 3 < result.seconds < 3 * found.seconds.high  # the machine is shared
    assert found.memory is None or 10**8 < found.memory < 10**11
    assert found.film.low / 2 < result.path.stat().st_size < 2 * found.film.high
    assert found.states == 1 and found.state_bytes >= 64 * 48 * 3 * 4


def test_an_estimate_leaves_nothing_and_works_without_end() -> None:
    endless = parse_preset(TOP.replace("1s", "endless").format(size="64x48", fps=12, source="noise") + ZOOM)
    found = estimate(endless, 0.5)
    assert found.frames == 720 and found.states == 15


def test_outputs_are_estimated_together_and_previewed_as_one(tmp_path: Path) -> None:
    outputs = "  - stage: encode\n  - {stage: encode, id: archive, format: ffv1}\n"
    several = parse_preset(TOP.format(size="64x48", fps=12, source="noise") + ZOOM + outputs, name="film")
    found = estimate(several, 0.5)
    pipeline.render(several, tmp_path / "run")
    written = sum(path.stat().st_size for path in (tmp_path / "run").glob("film*.m*"))
    assert found.film.low / 2 < written < 2 * found.film.high
    made, _ = small(several, tmp_path)
    assert [each.config.format for each in made.renditions] == ["h264"]


def test_a_preview_never_takes_the_place_of_a_film(tmp_path: Path) -> None:
    from pipeline.cli.preview import folder_of_preview

    preset = parse_preset(TOP.format(size="64x48", fps=8, source="noise"), name="film")
    assert not folder_of_preview(pipeline.render(preset, tmp_path / "run").folder, "-preview")
    made, _ = small(preset, tmp_path)
    assert folder_of_preview(pipeline.render(made, tmp_path / "preview").folder, "-preview")
    with pytest.raises(RunError, match="holds a run already"):
        pipeline.render(made, tmp_path / "run")
