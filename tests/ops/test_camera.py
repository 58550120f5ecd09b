"""The camera's way: the same at every frame rate, as Deforum's where it says so, and what lies beyond the edges."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from pipeline.frame import Size
from pipeline.ops import noise
from pipeline.ops.warp import Edges, seen_positions, warp_matrix
from pipeline.preset.curves import curve_problems
from pipeline.stages import FrameContext, RunSpec
from pipeline.stages.zoom import Zoom, ZoomConfig

SIZE = Size(108, 192)
MOVING: dict[str, Any] = {
    "zoom": "1.3 + 0.2*sin(2*pi*t/4)",
    "rotate": {"0s": 0, "1s": 40, "2.5s": -30, "ease": "smooth"},
    "pan": ["0.1*noise(t)", {"0s": 0.1, "1.3s": [0.2, "hold"], "2.1s": -0.1}],
    "centre": ["0.5 + 0.3*cos(t)", "0.5 + 0.3*sin(t)"],
    "shear": ["0.1*sin(t)", 0.05],
    "tilt": ["5*sin(2*t)", "-4*cos(t)"],
}


def camera(fps: int | Fraction, seconds: int = 3, size: Size = SIZE, **keys: Any) -> Zoom:
    spec = RunSpec(size, Fraction(fps), round(seconds * Fraction(fps)), 5, torch.device("cpu"))
    config = ZoomConfig.model_validate({"id": "zoom", **keys})
    assert not [*curve_problems(config, spec), *config.problems(spec)]
    return Zoom(config, spec)


def way(fps: int | Fraction, seconds: int, **keys: Any) -> torch.Tensor:
    """The camera's matrix after some seconds, frame by frame."""
    return camera(fps, **keys).way(round(seconds * Fraction(fps)))


def corners(matrix: torch.Tensor) -> torch.Tensor:
    """Where the picture's corners come from, in pixels."""
    x, y = seen_positions(matrix, SIZE, torch.device("cpu"))
    return torch.stack([x, y])[:, [0, 0, -1, -1], [0, -1, 0, -1]]


@pytest.mark.parametrize("seconds", [1, 2, 3])
def test_every_frame_rate_goes_the_same_way(seconds: int) -> None:
    film = way(24, seconds, **MOVING)
    for fps in (60, 25, 7):
        assert torch.allclose(way(fps, seconds, **MOVING), film, atol=1e-6, rtol=0), fps


def test_a_jump_between_frames_is_at_the_same_time_for_all() -> None:
    keys = {"zoom": "where(t < 1.01, 1.2, 3)", "rotate": {"0s": [30, "hold"], "0.777s": -50}}
    assert torch.allclose(way(24, 2, **keys), way(60, 2, **keys), atol=1e-6, rtol=0)


def test_the_way_is_the_path_ordered_exponential() -> None:
    """Against ten thousand small steps, each at the rate of its middle."""
    zoom = camera(24, **MOVING)
    middles = (np.arange(10000) + 0.5) / 5000
    expected = torch.eye(3).double()
    for step in torch.linalg.matrix_exp(zoom._route._rates(1.0)(middles) / 5000):
        expected = expected @ step
    assert torch.allclose(zoom.way(48), expected, atol=1e-5, rtol=0)


def test_steady_cameras_agree_with_curves_that_say_the_same() -> None:
    steady = {"zoom": 1.7, "rotate": 33.0, "pan": [0.1, -0.05], "centre": [0.3, 0.6], "tilt": [3, 0]}
    moving = steady | {"zoom": "1.7"}
    assert torch.allclose(way(24, 2, **steady), way(60, 2, **moving), atol=1e-6, rtol=0)


DEFORUM = {
    "zoom": {"deforum": "0:(1.02), 20:(1.0025+0.002*sin(1.25*3.14*t/30)), 30:(0.97)", "fps": 15},
    "rotate": {"deforum": "0:(1), 25:(where(t>30, -2, 1.5))", "fps": 15},
    "pan": [
        {"deforum": "0:(3), 40:(-2)", "fps": 15, "width": 192},
        {"deforum": "0:(-1)", "fps": 15, "width": 192},
    ],
}


def test_deforum_at_any_frame_rate() -> None:
    own = way(15, 3, **DEFORUM)
    for fps in (24, 60):
        assert torch.allclose(way(fps, 3, **DEFORUM), own, atol=1e-6, rtol=0), fps


def test_deforum_per_frame_is_the_curve_per_second() -> None:
    schedule = {"zoom": {"deforum": "0:(1.02)", "fps": 15}, "rotate": {"deforum": "0:(1.5)", "fps": 15}}
    curves = {"zoom": f"{1.02**15!r}", "rotate": -22.5}
    for fps in (24, 60):
        assert torch.allclose(way(fps, 3, **schedule), way(fps, 3, **curves), atol=1e-6, rtol=0)


def test_deforum_moves_as_deforum_does() -> None:
    """Its own composition of OpenCV's matrices, frame after frame."""
    zoom = camera(15, **DEFORUM)
    config = zoom.config
    moments = zoom.spec.clock.at_frames(np.arange(45.0))
    values = [curve.schedule.values(moments) for curve in (config.zoom, config.rotate, *config.pan)]  # type: ignore
    path = np.eye(3)
    for frame in range(1, 45):
        factor, degrees, dx, dy = (float(each[frame]) for each in values)
        turn = np.vstack([cv2.getRotationMatrix2D((SIZE.width / 2, SIZE.height / 2), degrees, factor), [0, 0, 1]])
        path = turn @ np.array([[1, 0, dx], [0, 1, dy], [0, 0, 1]]) @ path
    assert np.allclose(np.linalg.inv(path), zoom.way(44).numpy(), atol=1e-6)


def test_tilt_turns_the_camera() -> None:
    """A quarter of the lens's angle brings a point from its place on the picture plane to the middle."""
    matrix = way(24, 1, tilt=[20, 0])
    x, _ = seen_positions(matrix, SIZE, torch.device("cpu"))
    middle = float(x[54, 95:97].mean())
    assert middle == pytest.approx(96 + 192 * np.tan(np.radians(20)), abs=0.05)
    far = way(24, 3, tilt=[100, 30])  # past the horizon: no crash, finite
    assert torch.stack(seen_positions(far, SIZE, torch.device("cpu"))).isfinite().all()


def test_shear_slides_rows() -> None:
    moved = corners(way(24, 1, shear=[0.5, 0])) - corners(torch.eye(3).double())
    assert torch.allclose(moved[0], torch.tensor([26.75, 26.75, -26.75, -26.75]).double()) and not moved[1].any()


def picture(size: Size = SIZE) -> torch.Tensor:
    return noise.pink(size, 0.15, 1.5, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("edges", ["reflect", "wrap", "replicate"])
def test_edges(edges: Edges) -> None:
    frame, shift = picture(), 10
    moved = warp_matrix(frame, torch.tensor([[1, 0, shift], [0, 1, 0], [0, 0, 1]]).double(), edges)
    assert torch.allclose(moved[..., :-shift], frame[..., shift:], atol=1e-4)
    beyond = {
        "reflect": frame[..., -shift:].flip(-1),
        "wrap": frame[..., :shift],
        "replicate": frame[..., -1:].expand(-1, -1, -1, shift),
    }
    assert torch.allclose(moved[..., -shift:], beyond[edges], atol=1e-4)


def test_wrapping_has_no_seam() -> None:
    frame = noise.pink(SIZE, 0.15, 2.0, torch.Generator().manual_seed(1))  # made by FFT: periodic
    half = torch.tensor([[1, 0, 60.5], [0, 1, 33.5], [0, 0, 1]]).double()
    there = warp_matrix(warp_matrix(frame, half, "wrap"), torch.linalg.inv(half), "wrap")
    assert torch.allclose(there, frame, atol=0.02)


def zoom_out(index: int, previous: torch.Tensor, stage: Zoom) -> tuple[torch.Tensor, FrameContext]:
    ctx = FrameContext(index, stage.spec, previous)
    return stage(previous, ctx), ctx


def test_noise_fills_what_comes_into_sight_and_says_where() -> None:
    stage = camera(24, zoom=0.5, edges="noise")
    black = torch.zeros(1, 3, *SIZE)
    seen, ctx = zoom_out(5, black, stage)
    assert ctx.revealed is not None and ctx.revealed.shape == (1, 1, *SIZE)
    rim = ctx.revealed[0, 0] == 1
    assert 0.02 < float(rim.float().mean()) < 0.1 and not ctx.revealed[..., 32:-32, 32:-32].any()
    assert float(seen[0, :, rim].mean()) > 0.05 and seen[..., 32:-32, 32:-32].abs().max() == 0
    again, _ = zoom_out(5, black, camera(24, zoom=0.5, edges="noise"))
    assert torch.equal(seen, again)
    other, _ = zoom_out(6, black, stage)
    assert not torch.equal(seen, other)


def test_moving_in_reveals_nothing() -> None:
    _, ctx = zoom_out(5, picture(), camera(24, zoom=1.5, edges="noise"))
    assert ctx.revealed is None


def test_a_moving_camera_over_footage_resumes_where_it_was() -> None:
    def shown(stage: Zoom, index: int) -> torch.Tensor:
        ctx = FrameContext(index, stage.spec, picture())
        ctx.show(picture(), picture(), None, False)
        return stage(picture(), ctx)

    whole = camera(24, **MOVING)
    frames = [shown(whole, index) for index in range(6)]
    stopped, resumed = camera(24, **MOVING), camera(24, **MOVING)
    for index in range(3):
        shown(stopped, index)
    resumed.load_state_dict({name: value.clone() for name, value in stopped.state_dict().items()})
    assert all(torch.equal(shown(resumed, index), frames[index]) for index in range(3, 6))
