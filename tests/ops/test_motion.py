"""Motion: every estimator on known motions, the masks, and composing with a camera."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torchvision.models.optical_flow import raft_small

from pipeline.errors import ModelError
from pipeline.frame import Size, size_of
from pipeline.media.optical_flow import Dis, Estimator, Method, Raft, estimate_motion, make_estimator
from pipeline.media.paths import resolve
from pipeline.media.picture import fit_to, read_picture
from pipeline.ops.camera import motion_matrix
from pipeline.ops.cuts import content_change, hue_saturation_value
from pipeline.ops.motion import (
    Motion,
    disoccluded,
    inside,
    motion_edges,
    pixel_positions,
    projected,
    recently_revealed,
    sees_beyond,
    trust,
    under_camera,
    warp,
)
from pipeline.ops.warp import seen_positions, warp_matrix

SIZE = Size(144, 192)


def camera(zoom: float = 1, degrees: float = 0, pan: tuple[float, float] = (0, 0), seconds: float = 1) -> Tensor:
    return motion_matrix(seconds, SIZE, zoom=zoom, degrees_per_second=degrees, pan=pan, centre=(0.5, 0.5))


def flow_of(matrix: Tensor) -> Tensor:
    here = pixel_positions(SIZE, torch.empty(()))
    return projected(matrix, here, size_of(here)) - here


@pytest.fixture(scope="module")
def cat() -> Tensor:
    return fit_to(read_picture(resolve("package:skimage/data/chelsea.png", Path())), SIZE, "crop")


KNOWN = {
    "still": camera(),
    "pan": camera(pan=(0.02, 0.01)),
    "zoom": camera(zoom=1.04),
    "turn": camera(degrees=2),
    "all": camera(zoom=0.98, degrees=-1, pan=(-0.01, 0.02)),
}


@pytest.mark.parametrize("motion", KNOWN)
def test_dis_finds_known_motions_to_a_third_of_a_pixel(cat: Tensor, motion: str) -> None:
    matrix = KNOWN[motion]
    found = estimate_motion(Dis(), warp_matrix(cat, matrix).clamp(0, 1), cat, longest_side=960)
    error = (found.flow - flow_of(matrix)).norm(dim=1, keepdim=True)
    assert float((error * found.trust).sum() / found.trust.sum()) < 0.33
    assert float(found.trust.mean()) > 0.85


@pytest.fixture(scope="module")
def raft_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of the right shapes that know nothing: no published ones are at hand offline."""
    path = tmp_path_factory.mktemp("raft") / "raft.safetensors"
    save_file(raft_small().state_dict(), path)
    return path


@pytest.mark.parametrize("method", ["dis", "raft-small"])
def test_estimators_share_their_conventions(cat: Tensor, method: Method, raft_weights: Path) -> None:
    estimator: Estimator = make_estimator(method, raft_weights, torch.device("cpu"))
    odd = cat[:, :, :77, :131]
    flow = estimator(odd, odd)
    assert flow.shape == (1, 2, 77, 131) and flow.dtype == torch.float32 and not flow.requires_grad


def test_raft_loads_local_weights_in_both_formats(tmp_path: Path) -> None:
    state = raft_small().state_dict()
    torch.save(state, tmp_path / "raft.pth")
    save_file(state, tmp_path / "raft.safetensors")
    for name in ("raft.pth", "raft.safetensors"):
        estimator = make_estimator("raft-small", tmp_path / name, torch.device("cpu"))
        assert isinstance(estimator, Raft)


@pytest.mark.parametrize("content", [b"", b"not weights", None])
def test_raft_without_usable_weights_names_the_way_out(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "raft.pth"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=r"weights: PATH.*motion: dis"):
        make_estimator("raft-small", path, torch.device("cpu"))


def test_the_same_picture_stands_still(cat: Tensor) -> None:
    motion = estimate_motion(Dis(), cat, cat.clone(), longest_side=960)
    assert not motion.flow.any() and bool((motion.trust == 1).all())


def test_a_smaller_working_size_keeps_pixels_as_the_unit(cat: Tensor) -> None:
    matrix = camera(pan=(0.03, 0))
    moved = warp_matrix(cat, matrix).clamp(0, 1)
    flow = estimate_motion(Dis(), moved, cat, longest_side=96).flow
    assert size_of(flow) == SIZE
    assert float(flow[0, 0, 20:-20, 20:-20].median()) == pytest.approx(0.03 * SIZE.width, abs=0.4)


def test_warping_along_the_true_flow_is_the_affine_warp(cat: Tensor) -> None:
    matrix = KNOWN["all"]
    assert torch.allclose(warp(cat, flow_of(matrix)), warp_matrix(cat, matrix), atol=2e-3)


def test_standing_still_changes_nothing(cat: Tensor) -> None:
    assert torch.allclose(warp(cat, torch.zeros(1, 2, *SIZE)), cat, atol=1e-4)


def test_what_a_moving_square_uncovers_is_not_trusted() -> None:
    backward, forward = torch.zeros(1, 2, 48, 64), torch.zeros(1, 2, 48, 64)
    # A square went 8 px to the right: it lies at 28..44 now, at 20..36 before.
    backward[:, 0, 16:32, 28:44] = -8
    forward[:, 0, 16:32, 20:36] = 8
    hidden = disoccluded(backward, forward)
    assert bool(hidden[0, 0, 18:30, 21:27].all()), "what it left behind came into sight"
    assert not hidden[0, 0, 18:30, 30:42].any() and not hidden[0, 0, :14].any()
    assert bool(motion_edges(backward)[0, 0, 20, 27:29].any()) and not motion_edges(backward)[0, 0, 20, 32:40].any()
    believed = trust(backward, forward)
    assert float(believed[0, 0, 24, 24]) < 0.01 and float(believed[0, 0, 24, 36]) == 1 == float(believed[0, 0, 5, 5])


def test_what_comes_from_outside_is_not_trusted() -> None:
    flow = torch.zeros(1, 2, 48, 64)
    flow[:, 0] = 10  # the picture went left: the right margin is new
    believed = trust(flow, -flow)
    assert not believed[..., 56:].any() and bool((believed[..., :50] == 1).all())


def test_a_camera_over_a_still_scene_is_its_own_motion(cat: Tensor) -> None:
    relative = KNOWN["all"]
    seen = under_camera(None, relative, torch.eye(3, dtype=torch.float64), cat)
    assert torch.allclose(seen.flow, flow_of(relative), atol=1e-3)


def test_camera_and_scene_motion_compose(cat: Tensor) -> None:
    """Moving the scene, then looking with a camera that moves too, is one motion between the two views."""
    scene, now, before = camera(pan=(0.02, -0.01), degrees=1), camera(1.2, 10), camera(1.15, 8)
    motion = Motion(flow_of(scene), torch.ones(1, 1, *SIZE))
    seen = under_camera(motion, now, before, cat)
    whole = torch.linalg.inv(before) @ scene @ now
    inner = slice(24, -24)
    assert torch.allclose(seen.flow[..., inner, inner], flow_of(whole)[..., inner, inner], atol=0.02)


def test_a_camera_that_moves_out_does_not_trust_the_margins(cat: Tensor) -> None:
    seen = under_camera(None, camera(zoom=0.8), torch.eye(3, dtype=torch.float64), cat)
    assert not seen.trust[0, 0, 0].any() and float(seen.trust[0, 0, 72, 96]) == 1


def test_content_change_tells_a_cut_from_motion(cat: Tensor) -> None:
    other = fit_to(read_picture(resolve("package:skimage/data/coffee.png", Path())), SIZE, "crop")
    panned = warp_matrix(cat, KNOWN["pan"]).clamp(0, 1)
    same, pan, cut = (
        content_change(hue_saturation_value(each), hue_saturation_value(cat)) for each in (cat, panned, other)
    )
    assert same == 0 and pan < 20 and cut > 40


@pytest.mark.parametrize("degrees", [0.0, 0.5, 20.0])
@pytest.mark.parametrize("pan", [(0.0, 0.0), (0.02, 0.0), (0.0, -0.3)])
@pytest.mark.parametrize("zoom", [0.5, 0.9, 0.96, 1.0])
def test_whatever_is_new_a_camera_sees_beyond(zoom: float, pan: tuple[float, float], degrees: float) -> None:
    """Slow cameras too, which take several frames for a pixel."""
    size = Size(216, 384)
    matrix = motion_matrix(1 / 60, size, zoom=zoom, degrees_per_second=degrees, pan=pan, centre=(0.4, 0.5))
    x, y = seen_positions(matrix, size, torch.device("cpu"))
    new = torch.maximum(1 - inside(torch.stack([x, y])[None].float(), size), recently_revealed(x, y, 30.0))
    assert sees_beyond(matrix, size) == bool(new.any())


@pytest.mark.parametrize("zoom", [1.0, 1.1, 3.0])
def test_a_camera_that_comes_nearer_sees_nothing_beyond(zoom: float) -> None:
    size = Size(48, 64)
    matrix = motion_matrix(0.1, size, zoom=zoom, degrees_per_second=0.0, pan=(0.0, 0.0), centre=(0.4, 0.5))
    assert not sees_beyond(matrix, size)
