"""Palettes: the seed's own, and whole distributions."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
import torch

from pipeline.ops.colour import colour_statistics, sample_colours, statistics_of_colours
from pipeline.ops.transport import (
    LATTICE,
    apply_table,
    quantiles,
    random_rotations,
    thinned,
    transport_table,
)
from pipeline.stages import FrameContext
from pipeline.stages.palette import PALETTES
from tests.conftest import photograph
from tests.stages.test_stages import SPEC, build, picture

ROTATIONS = random_rotations(8, torch.Generator().manual_seed(0))


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    """Sliced Wasserstein distance of two sets of colours (n, 3), along directions the match did not use."""
    directions = random_rotations(20, torch.Generator().manual_seed(99))
    return float(torch.stack([(quantiles(a, r) - quantiles(b, r)).abs().mean() for r in directions]).mean())


def two_colours(seed: int = 0) -> torch.Tensor:
    frame = picture(seed) * 0.2
    frame[:, 0] += 0.6 * (picture(seed + 5)[:, 0] > 0.5)
    return frame.clamp(0, 1)


def test_the_table_reaches_the_whole_distribution() -> None:
    source, target = picture(), two_colours(3)
    moved = apply_table(source, transport_table(thinned(source), thinned(target), ROTATIONS), 1.0)
    assert distance(thinned(moved), thinned(target)) < 0.25 * distance(thinned(source), thinned(target))


def test_matching_itself_moves_nothing() -> None:
    frame = picture()
    table = transport_table(thinned(frame), thinned(frame), ROTATIONS)
    assert table.shape == (1, 3, LATTICE, LATTICE, LATTICE) and table.abs().max() < 1e-5


def test_the_table_is_read_in_the_right_order() -> None:
    """Only red rises, and only where there is much blue."""
    axis = torch.linspace(0, 1, LATTICE)
    table = torch.zeros(1, 3, LATTICE, LATTICE, LATTICE)
    table[0, 0] = 0.5 * axis[:, None, None]
    frame = torch.tensor([0.2, 0.4, 0.8]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    expected = torch.tensor([0.2 + 0.4, 0.4, 0.8]).view(1, 3, 1, 1).expand_as(frame)
    assert torch.allclose(apply_table(frame, table, 1.0), expected, atol=1e-5)


def test_flat_pictures_are_finite() -> None:
    flat = torch.full((1, 3, *SPEC.size), 0.5)
    stage = build("palette", match="distribution", to="ember")
    assert stage(flat, FrameContext(1, SPEC, flat)).isfinite().all()


@pytest.mark.parametrize("name", PALETTES)
def test_samples_have_the_palettes_statistics(name: str) -> None:
    colours = sample_colours(PALETTES[name], 4096, torch.Generator().manual_seed(0))
    found, wanted = colour_statistics(colours.T.reshape(1, 3, -1, 1)), statistics_of_colours(PALETTES[name])
    assert torch.allclose(found.mean, wanted.mean, atol=0.02)
    assert torch.allclose(found.covariance, wanted.covariance, atol=0.015)  # some are clamped


@pytest.mark.parametrize("keys", [{"to": "lagoon"}, {"image": str(photograph("coffee.png"))}])
def test_distributions_draw_nearer_by_the_second(keys: dict[str, Any]) -> None:
    def after_a_second(fps: int) -> torch.Tensor:
        spec = replace(SPEC, fps=Fraction(fps))
        stage, frame = build("palette", spec, strength=0.7, match="distribution", **keys), picture()
        for index in range(fps):
            frame = stage(frame, FrameContext(index, spec, frame))
        return frame

    slow, fast = after_a_second(6), after_a_second(24)
    assert (slow - fast).abs().mean() < 0.15 * (slow - picture()).abs().mean()


@pytest.mark.parametrize("match", ["covariance", "distribution"])
def test_the_seed_is_the_first_frame_even_after_a_resume(match: str) -> None:
    first, other = picture(1), two_colours()
    stage, resumed = (build("palette", to="seed", match=match, strength=1.0, contrast=1.0) for _ in range(2))
    assert torch.allclose(stage(first, FrameContext(0, SPEC, None)), first, atol=0.01)
    state = stage.state_dict()
    assert state and all(tensor.numel() for tensor in state.values())
    resumed.load_state_dict({name: tensor.clone() for name, tensor in state.items()})
    results = [one(other, FrameContext(9, SPEC, first)) for one in (stage, resumed)]
    assert torch.equal(*results)
    assert torch.allclose(colour_statistics(results[0]).mean, colour_statistics(first).mean, atol=0.02)


def test_named_palettes_keep_no_state() -> None:
    assert build("palette").state_dict() == {} and build("palette", match="distribution").state_dict() == {}
