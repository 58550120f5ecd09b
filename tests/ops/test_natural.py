"""Natural spectra: their strength, what holds them, and one picture at many sizes."""

from __future__ import annotations

import pytest
import torch

from pipeline.frame import Size
from pipeline.ops.natural import NaturalSpectrum
from pipeline.ops.noise import NATURAL_COLOUR_MEAN
from pipeline.ops.views import View, seen

CPU = torch.device("cpu")
SLOPES = (1.4, 1.7, 1.7)


@pytest.mark.parametrize("size", [Size(64, 64), Size(65, 47), Size(40, 120)])
def test_a_full_spectrum_has_the_contrast_of_photographs(size: Size) -> None:
    natural = NaturalSpectrum(size, SLOPES, 1.0, CPU)
    picture = natural.picture(natural.noise(1.0, torch.Generator().manual_seed(0)), size)
    assert 0.1 < float(picture.std((2, 3)).mean()) < 0.35  # 0.2 in photographs


def test_no_band_grows_beyond_photographs_and_weak_ones_are_left_alone() -> None:
    natural = NaturalSpectrum(Size(64, 64), SLOPES, 1.0, CPU)
    weak = natural.noise(0.5, torch.Generator().manual_seed(0))
    held = weak.clone()
    natural.hold(held)
    assert torch.allclose(held[:, 8:20], weak[:, 8:20])
    loud = weak.clone()
    loud[:, 2, 2] = 1e3  # one wave that drowns the others of its band
    natural.hold(loud)
    assert loud.square().sum(-1).max() < 64 * 64
    assert torch.allclose(loud[:, 20:40, 20:], weak[:, 20:40, 20:])


@pytest.mark.parametrize(("size", "small"), [(Size(64, 64), Size(32, 32)), (Size(65, 97), Size(33, 48))])
def test_a_smaller_picture_is_the_same_picture(size: Size, small: Size) -> None:
    natural = NaturalSpectrum(size, (3.0, 3.0, 3.0), 1.0, CPU)  # steep: nearly all of it is coarse
    spectrum = natural.noise(1.0, torch.Generator().manual_seed(0))
    large = natural.picture(spectrum, size)
    shrunk = natural.picture(spectrum, small)
    # Pixel 0 lies at the same place in both, so they are compared at their corners.
    assert (large[..., 0, 0] - shrunk[..., 0, 0]).abs().max() < 0.05
    assert (large.mean((2, 3)) - shrunk.mean((2, 3))).abs().max() < 0.02


def test_an_empty_spectrum_is_the_mean_colour() -> None:
    grey = NaturalSpectrum(Size(8, 8), SLOPES, 1.0, CPU).picture(torch.zeros(3, 8, 5, 2), Size(8, 8))
    assert torch.allclose(grey[0, :, 3, 3], torch.tensor(NATURAL_COLOUR_MEAN), atol=1e-5)


def test_views_beyond_the_edges_see_the_colour_around() -> None:
    picture, around = torch.rand(1, 3, 20, 30), torch.tensor([1.0, 0.0, 0.5])
    view = seen(picture, View(2.0, 0.0, (0.0, 0.0)), Size(20, 30), around)
    assert torch.allclose(view[0, :, 0, 0], around, atol=1e-6)
    turned = seen(picture, View(1.0, 180.0, (0.0, 0.0)), Size(20, 30), around)
    assert torch.allclose(turned, picture.flip(2, 3), atol=1e-4)
    assert torch.autograd.gradcheck(
        lambda p: seen(p, View(0.8, 7.0, (0.1, 0.0)), Size(5, 6), around.double()),
        picture[..., :6, :7].double().requires_grad_(),
    )
