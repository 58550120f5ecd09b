from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch

from pipeline.frame import Size, from_array, rounded, size_of, to_uint8
from pipeline.ops import noise
from pipeline.ops.camera import motion_matrix
from pipeline.ops.colour import colour_statistics, match_colours, monge_kantorovich, statistics_of_colours
from pipeline.ops.gradient import smooth, smoothing_kernel, step_along
from pipeline.ops.measure import look
from pipeline.ops.pyramid import octave_sizes
from pipeline.ops.warp import resize, warp_matrix

SIZE = Size(36, 64)


def picture(seed: int = 0, size: Size = SIZE) -> torch.Tensor:
    return noise.pink(size, 0.15, 1.5, torch.Generator().manual_seed(seed))


def camera(seconds: float, **changes: object) -> torch.Tensor:
    steady: dict[str, object] = {"zoom": 1.0, "degrees_per_second": 0.0, "pan": (0.0, 0.0), "centre": (0.5, 0.5)}
    return motion_matrix(seconds, SIZE, **(steady | changes))  # type: ignore[arg-type]


def test_uint8_round_trip() -> None:
    frame = from_array(torch.arange(36 * 64 * 3).remainder(256).view(36, 64, 3).byte().numpy())
    assert torch.equal(from_array(to_uint8(frame)), frame)
    assert to_uint8(torch.full((1, 3, 2, 2), 2.0)).max() == 255


def test_identity_is_bit_exact() -> None:
    frame = picture()
    assert warp_matrix(frame, camera(0.04)) is frame


def test_zoom_moves_in_about_the_centre() -> None:
    matrix = camera(1.0, zoom=2.0, centre=(0.25, 0.5))
    fixed = torch.tensor([16.0, 18.0, 1.0]).double()
    assert torch.allclose(matrix @ fixed, fixed)
    right = torch.tensor([32.0, 18.0, 1.0]).double()
    assert torch.allclose(matrix @ right, torch.tensor([24.0, 18.0, 1.0]).double())


def test_rotation_is_clockwise() -> None:
    # After a quarter turn clockwise, what is at the top comes from the left.
    matrix = camera(1.0, degrees_per_second=90.0)
    top = torch.tensor([32.0, 8.0, 1.0]).double()
    assert torch.allclose(matrix @ top, torch.tensor([22.0, 18.0, 1.0]).double())


def test_pan_to_the_right_shifts_the_picture_left() -> None:
    frame = picture()
    moved = warp_matrix(frame, camera(1.0, pan=(0.25, 0.0)))
    assert torch.allclose(moved[..., :40], frame[..., 16:56], atol=1e-5)


def test_the_camera_does_not_depend_on_the_frame_rate() -> None:
    steady = {"zoom": 1.7, "degrees_per_second": 33.0, "pan": (0.1, -0.05), "centre": (0.3, 0.6)}
    whole = camera(2.0, **steady)
    for fps in (24, 60):
        path = torch.eye(3).double()
        for _ in range(2 * fps):
            path = path @ camera(1 / fps, **steady)
        assert torch.allclose(path, whole, atol=1e-6), fps


def test_edges_are_reflected_not_black() -> None:
    moved = warp_matrix(torch.ones(1, 3, *SIZE), camera(1.0, zoom=0.4, degrees_per_second=45.0))
    assert torch.allclose(moved, torch.ones_like(moved), atol=1e-5)


def test_resize_to_its_own_size_is_itself() -> None:
    frame = picture()
    assert resize(frame, SIZE) is frame
    assert size_of(resize(frame, Size(18, 32))) == Size(18, 32)


def test_octaves_climb_to_the_frame() -> None:
    assert octave_sizes(Size(216, 384), 3, 1.5) == [Size(96, 171), Size(144, 256), Size(216, 384)]


@pytest.mark.parametrize("sigma", [0.3, 1.2, 4.0])
def test_smoothing_matches_three_blurs(sigma: float) -> None:
    kernel = smoothing_kernel(sigma)
    assert math.isclose(float(kernel.sum()), 1.0, abs_tol=1e-5)
    flat = torch.full((1, 3, *SIZE), 0.3)
    assert torch.allclose(smooth(flat, kernel), flat, atol=1e-5)
    impulse = torch.zeros(1, 3, 65, 65)
    impulse[:, :, 32, 32] = 1
    radius = kernel.shape[0] // 2
    window = smooth(impulse, kernel)[0, 1, 32 - radius : 33 + radius, 32 - radius : 33 + radius]
    assert torch.allclose(window, kernel, atol=1e-6)


def test_a_step_is_as_long_as_asked_on_average() -> None:
    image, start = torch.full((1, 3, *SIZE), 0.5), torch.full((1, 3, *SIZE), 0.5)
    step_along(image, torch.randn(1, 3, *SIZE, generator=torch.Generator().manual_seed(0)), 0.02)
    assert torch.isclose((image - start).abs().mean(), torch.tensor(0.02), rtol=1e-3)
    step_along(start, torch.zeros(1, 3, *SIZE), 0.02)
    assert torch.equal(start, torch.full((1, 3, *SIZE), 0.5))


def test_pink_noise_falls_with_frequency() -> None:
    frame = noise.pink(Size(128, 128), 0.1, 1.0, torch.Generator().manual_seed(1))
    power = torch.fft.rfft2(frame[0, 1] - frame[0, 1].mean()).abs().square()
    low, high = power[4, 1:8].mean(), power[40, 1:8].mean()
    assert 30 < low / high < 300  # (40/4)^2 = 100 in the mean
    correlation = torch.corrcoef(frame[0].flatten(1))
    assert correlation[0, 1] > 0.7


def test_white_noise_does_not() -> None:
    frame = noise.white(Size(128, 128), 0.1, torch.Generator().manual_seed(1))
    assert abs(float(frame.std()) - 0.1) < 0.01
    assert abs(float(torch.corrcoef(frame[0].flatten(1))[0, 1])) < 0.05


def test_matching_reaches_the_palette() -> None:
    frame, target = picture(), statistics_of_colours([("#30404a", 1), ("#a08060", 1), ("#708060", 2)])
    matched = colour_statistics(match_colours(frame, target, 1.0))
    assert torch.allclose(matched.mean, target.mean, atol=5e-3)
    assert torch.allclose(matched.covariance, target.covariance, atol=2e-3)
    half = colour_statistics(match_colours(frame, target, 0.5))
    midway = (colour_statistics(frame).mean + target.mean) / 2
    assert torch.allclose(half.mean, midway, atol=5e-3)


def test_matching_a_flat_picture_is_finite() -> None:
    target = statistics_of_colours([("#000000", 1), ("#ffffff", 1)])
    assert match_colours(torch.full((1, 3, *SIZE), 0.5), target, 1.0).isfinite().all()


def covariances() -> Iterator[torch.Tensor]:
    """Of black, of grey, of one colour axis, as large as can be, and at random, down to next to nothing."""
    yield from (
        torch.zeros(3, 3).double(),
        torch.full((3, 3), 0.08).double(),
        torch.diag(torch.tensor([0.75, 0, 0]).double()),
    )
    generator = torch.Generator().manual_seed(0)
    for _ in range(12):
        turn = torch.linalg.qr(torch.randn(3, 3, generator=generator).double())[0]
        yield (turn * (0.25 * 10 ** (-8 * torch.rand(3, generator=generator).double()))) @ turn.T


@pytest.mark.parametrize("contrast", [0.0, 0.7, 4.0])
def test_colours_are_carried_onto_any_others(contrast: float) -> None:
    floor = (1 / 255) ** 2 * torch.eye(3).double()
    for source in covariances():
        for target in covariances():
            found = monge_kantorovich(source, contrast**2 * target)
            goal = contrast**2 * target + floor
            assert torch.allclose(found, found.T, rtol=0, atol=1e-9 * float(found.norm()))
            assert torch.linalg.eigvalsh(found).min() > 0
            assert (found @ (source + floor) @ found - goal).norm() < 1e-9 * goal.norm()


def test_the_way_to_other_colours_is_what_eigenvalues_say() -> None:
    def power(matrix: torch.Tensor, exponent: float) -> torch.Tensor:
        values, vectors = torch.linalg.eigh(matrix)
        return (vectors * values**exponent) @ vectors.T

    floor = (1 / 255) ** 2 * torch.eye(3).double()
    source, target = colour_statistics(picture(1)).covariance, colour_statistics(picture(2)).covariance
    root, back = power(source + floor, 0.5), power(source + floor, -0.5)
    expected = back @ power(root @ (target + floor) @ root, 0.5) @ back
    assert torch.allclose(monge_kantorovich(source, target), expected, rtol=0, atol=1e-10)


def test_rounding_on_a_device_is_rounding_on_the_host() -> None:
    halves = (torch.arange(255) + 0.5) / 255
    beside = [torch.nextafter(halves, torch.tensor(side)) for side in (0.0, 1.0)]
    values = torch.cat([halves, *beside, torch.arange(256) / 255, torch.linspace(0, 1.01, 3 * 4096 - 3 * 255 - 256)])
    frame = values.view(1, 3, 64, 64)
    assert (rounded(frame).numpy() == to_uint8(frame)).all()


def test_figures_of_known_pictures() -> None:
    white = look(to_uint8(torch.ones(1, 3, *SIZE)))
    assert white.brightness == 1 and white.clipped == 1 and white.saturation == 0
    red = torch.zeros(1, 3, *SIZE)
    red[:, 0] = 1
    assert look(to_uint8(red)).saturation == 1
    board = torch.zeros(1, 3, *SIZE)
    board[..., ::2, ::2] = board[..., 1::2, 1::2] = 0.5
    assert look(to_uint8(board)).sharpness > 1 and look(to_uint8(picture())).sharpness < 0.1


def test_a_closed_path_of_many_warps_returns_the_picture() -> None:
    frame = picture(size=Size(72, 128))
    there = motion_matrix(1.0, Size(72, 128), zoom=1.02, degrees_per_second=1.0, pan=(0.002, 0.0), centre=(0.5, 0.5))
    moved = frame
    for _ in range(20):
        moved = warp_matrix(moved, there)
    for _ in range(20):
        moved = warp_matrix(moved, torch.linalg.inv(there))
    error = (moved - frame)[..., 24:-24, 44:-44]
    assert 10 * torch.log10(1 / error.square().mean()) > 35  # PSNR, dB


def test_the_spline_goes_through_every_pixel() -> None:
    frame = picture()
    shifted = warp_matrix(frame, torch.tensor([[1, 0, 5.0], [0, 1, -3.0], [0, 0, 1]]).double())
    assert torch.allclose(shifted[..., 3:, :-5], frame[..., :-3, 5:], atol=1e-4)
