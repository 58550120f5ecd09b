"""Masks of films that are whole spheres: seamless, undistorted at the poles, told where they don't fit."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor

from pipeline.errors import PresetError
from pipeline.frame import Size
from pipeline.masks import MaskField, MaskReel
from pipeline.media.picture import write_png
from pipeline.ops.border import pad
from pipeline.ops.noise import around
from pipeline.ops.sphere import centres, directions
from pipeline.preset import parse_preset
from pipeline.stages import FrameContext, RunSpec
from pipeline.stages.dream import Dream, DreamConfig
from tests.clips import ffmpeg

SIZE = Size(96, 192)
SPEC = RunSpec(SIZE, Fraction(12), 3, 1, torch.device("cpu"), projection="equirectangular")
CLOUDS = around(SIZE, 0.2, 2.0, torch.Generator().manual_seed(3))
ROUGH = around(SIZE, 0.2, 1.0, torch.Generator().manual_seed(3))


def drawn(picture: Tensor = CLOUDS, **keys: Any) -> Tensor:
    """The mask for a sphere's first frame."""
    reel = MaskReel(TypeAdapter(MaskField).validate_python(keys), SPEC.fps, on_sphere=True)
    return reel(picture, 0)


def step_ahead_and_at_seam(mask: Tensor) -> tuple[float, float]:
    """The largest difference of neighbours in the middle of the picture, and over its left and right edge."""
    step = (mask - mask.roll(1, 3)).abs()[0, 0, 8:-8]
    middle = SIZE.width // 2
    return float(step[:, middle - 1 : middle + 2].max()), float(step[:, 0].max())


@pytest.fixture
def right_half(tmp_path: Path) -> Path:
    """White from straight ahead to the right, to straight behind: one edge lies on the seam."""
    picture = torch.zeros(1, 3, *SIZE)
    picture[..., SIZE.width // 2 :] = 1
    write_png(picture, tmp_path / "right.png")
    return tmp_path / "right.png"


def test_a_picture_s_edge_is_as_soft_on_the_seam_as_ahead(right_half: Path) -> None:
    film = right_half.with_suffix(".mp4")
    ffmpeg("-loop", "1", "-i", right_half, "-frames:v", "2", "-c:v", "libx264", "-qp", "0", film)
    for mask in (drawn(image=str(right_half)), drawn(film=str(film))):
        ahead, seam = step_ahead_and_at_seam(mask)
        assert seam == pytest.approx(ahead, rel=0.15) and seam < 0.3
        assert float(mask[0, 0, 48, 144]) > 0.98 and float(mask[0, 0, 48, 48]) < 0.02


@pytest.mark.parametrize("keys", [{"luminance": [0.5, 1]}, {"saliency": 0.3}, {"detail": 0.1}], ids=str)
def test_what_a_mask_finds_goes_on_over_edges_and_poles(keys: dict[str, Any]) -> None:
    mask = drawn(ROUGH, **keys)
    assert 0.05 < float(mask.mean()) < 0.95
    across = (mask - mask.roll(1, 3)).abs().amax((0, 1, 2))
    assert float(across[0]) <= float(across[1:].max())
    down = pad(mask, 2, 1, "sphere").diff(dim=2).abs().mean((0, 1, 3))
    # Of a ring of a pixel around a pole, opposite places differ more by chance than many in a row do.
    assert float(max(down[0], down[-1])) <= 1.5 * float(max(down[1:8].max(), down[-8:-1].max()))


def test_detail_counts_at_a_pole_as_elsewhere() -> None:
    up = -directions(*centres(SIZE), SIZE)[1]
    cap = (up > 0.7).float()[None, None]
    found = drawn(torch.lerp(torch.full_like(ROUGH, 0.5), ROUGH, cap), detail=0.02)
    assert float(found[..., :8, :].min()) > 0.9 and float(found[..., 48:, :].max()) < 0.05


@pytest.mark.parametrize("centre", [(0.5, 0.0), (0.5, 0.5), (1.0, 0.5), (0.2, 0.3)])
def test_a_disc_is_round_wherever_it_lies(centre: tuple[float, float]) -> None:
    mask = drawn(radial=0.2, centre=list(centre), soft=0.05)
    towards = directions(*centres(SIZE), SIZE)
    x, y = (torch.tensor(share * side).double() for share, side in zip(centre, reversed(SIZE), strict=True))
    angle = (towards * directions(x, y, SIZE)[:, None, None]).sum(0).clamp(-1, 1).acos().rad2deg()
    assert bool((mask[0, 0][angle < 0.14 * 180] == 1).all()) and bool((mask[0, 0][angle > 0.26 * 180] == 0).all())


def test_the_dream_stays_inside() -> None:
    keys = {"id": "dream", "layer": "blocks.2.1", "octaves": 1, "first_steps": 4, "jitter": 4}
    keys |= {"engine": "folded", "precision": "float32"}
    config = DreamConfig.model_validate(keys | {"mask": {"radial": 0.2, "centre": [0.0, 0.5]}})
    change = (Dream(config, SPEC)(CLOUDS, FrameContext(0, SPEC, None)) - CLOUDS).abs().mean(1, keepdim=True)
    inside = drawn(radial=0.2, centre=[0.0, 0.5])
    assert float(change[inside == 0].sum()) == 0 and float(change[inside == 1].min()) >= 0
    assert float(change[inside == 1].mean()) > 0.01


def test_what_does_not_fit_a_sphere_is_told(tmp_path: Path) -> None:
    write_png(torch.ones(1, 3, 32, 48), tmp_path / "wide.png")
    core = (
        "projection: equirectangular\nsize: 256x128\nstages:\n  - stage: noise\n  - {stage: dream, octaves: 1, KEYS}\n"
    )
    picture = core.replace("KEYS", f"mask: {{image: {tmp_path / 'wide.png'}}}")
    with pytest.raises(PresetError, match=r"mask\.image: .*wide.png is 48x32; .*twice as wide as high.*fit: stretch"):
        parse_preset(picture)
    parse_preset(picture.replace("}}", ", fit: stretch}}"))
    neuron = core.replace("KEYS", "objective: {layer: blocks.4.1, neuron: 3, at: [0.5, 0.25]}")
    with pytest.raises(PresetError, match=r"neuron: .*use `channel`, with `mask: .*centre: \[0.5, 0.25\]}`"):
        parse_preset(neuron)
