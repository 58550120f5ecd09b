"""Films that are whole spheres: seamless wherever they are looked at, and moved exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pipeline.chain import frames
from pipeline.errors import PresetError
from pipeline.frame import Size
from pipeline.media.picture import fit_around, write_png
from pipeline.ops.border import pad
from pipeline.ops.motion import warp
from pipeline.ops.noise import around
from pipeline.ops.sphere import evenly
from pipeline.ops.warp import resize
from pipeline.preset import parse_preset
from pipeline.stages import FrameContext, RunSpec
from pipeline.stages.sphere import Sphere, SphereConfig
from tests.conftest import photograph

SIZE = Size(64, 128)
SPEC = RunSpec(SIZE, Fraction(24), 48, 1, torch.device("cpu"), projection="equirectangular")
CLOUDS = around(SIZE, 0.1, 2.0, torch.Generator().manual_seed(3))
CORE = """\
projection: equirectangular
size: 256x128
fps: 8
duration: 16f
seed: 5
device: cpu
stages:
"""
DREAMT = f"""{CORE}\
  - {{stage: noise, SOURCE}}
  - {{stage: sphere, zoom: 1.5, roll: 10, yaw: 20}}
  - {{stage: dream, precision: float32, engine: folded, octaves: 1, steps: 1, first_steps: 4, layer: blocks.4.1}}
  - {{stage: palette, to: ember}}
  - {{stage: sharpen, amount: 1, radius: 2}}
  - {{stage: hold, sharpness: 0.08, within: 0.5}}
  - {{stage: grain, amount: 0.05, size: 2}}
"""


def camera(fps: int = 24, spec: RunSpec = SPEC, **keys: object) -> Sphere:
    config = SphereConfig.model_validate({"id": "sphere", **keys})
    return Sphere(config, replace(spec, fps=Fraction(fps)))


def moved(stage: Sphere, picture: Tensor, seconds: int = 1) -> Tensor:
    """The picture after so many seconds of the camera's steps."""
    for index in range(1, 1 + seconds * round(stage.spec.fps)):
        picture = stage(picture, FrameContext(index, stage.spec, picture))
    return picture


def steps(picture: Tensor) -> tuple[float, float]:
    """How far the columns beside the seam differ, and how far ordinary neighbours at most do."""
    across = (picture - picture.roll(1, 3)).abs().mean((0, 1, 2))
    return float(across[0]), float(across[1:].max())


def steps_at_poles(picture: Tensor) -> tuple[float, float]:
    """The same for both poles: rows that are neighbours over it, and rows next to it."""
    rows = pad(picture, 2, 1, "sphere").diff(dim=2).abs().mean((0, 1, 3))
    # A ring of a pixel around a pole shows one thing or two: by chance they differ more than others.
    return float(max(rows[0], rows[-1])), 1.5 * float(max(rows[1:7].max(), rows[-7:-1].max()))


@pytest.mark.parametrize("source", ["kind: pink", "kind: white"])
def test_a_film_is_as_smooth_over_its_edges_and_poles_as_anywhere(source: str) -> None:
    (*_, last) = frames(parse_preset(DREAMT.replace("SOURCE", source)))
    seam, elsewhere = steps(last.image)
    assert seam <= elsewhere
    pole, beside = steps_at_poles(last.image)
    assert pole <= beside


def test_what_a_dream_adds_is_as_strong_at_the_poles_as_at_the_horizon() -> None:
    still = DREAMT.replace("SOURCE", "kind: pink").split("  - {stage: palette")[0].replace("16f", "1f")
    total = torch.zeros(8)
    for seed in range(4):
        preset = parse_preset(still.replace("seed: 5", f"seed: {seed}"))
        start = around(preset.size, 0.2, 1.5, FrameContext(0, preset.spec(), None).generator("noise"))
        (dreamt,) = frames(preset)
        rows = evenly((dreamt.image - start).abs()).mean((0, 1, 3))
        total += torch.stack([band.mean() for band in rows.chunk(8)])
    assert float(total.max() / total.min()) < 1.25


def test_whole_turns_lead_back() -> None:
    for turn in ("yaw", "pitch", "roll"):
        whole = moved(camera(12, **{turn: 360.0}), CLOUDS)
        assert float((whole - CLOUDS).abs().mean()) < 0.004


def test_a_quarter_turn_to_the_right_shows_ahead_what_was_on_the_right() -> None:
    stage = camera(1, yaw=90.0)
    seen = stage(CLOUDS, FrameContext(1, stage.spec, CLOUDS))
    assert torch.allclose(seen, CLOUDS.roll(-SIZE.width // 4, 3), atol=2e-5)


def test_looking_down_by_half_a_turn_turns_the_picture_over() -> None:
    stage = camera(1, pitch=180.0)
    seen = stage(CLOUDS, FrameContext(1, stage.spec, CLOUDS))
    assert torch.allclose(seen, CLOUDS.flip(2, 3).roll(SIZE.width // 2, 3), atol=2e-5)


def test_zooming_in_and_out_again_leads_back_and_magnifies_ahead() -> None:
    stage = camera(1, zoom=2.0)
    matrix = stage.motion(1.0)
    near = torch.tensor([1.0, 0.01, 0.0, (1 - 0.01**2) ** 0.5], dtype=torch.float64)
    seen = matrix @ near
    assert float(seen[1] / seen[0]) == pytest.approx(0.005, rel=1e-3)
    assert torch.allclose(matrix @ camera(1, zoom=0.5).motion(1.0), torch.eye(4, dtype=torch.float64), atol=1e-12)


@pytest.mark.parametrize("keys", [{"zoom": 1.5, "yaw": 40.0, "roll": 10.0}, {"zoom": "1 + 0.5*t", "pitch": "90*t"}])
def test_the_way_is_the_same_at_every_frame_rate(keys: dict[str, object]) -> None:
    ways = []
    for fps in (24, 60):
        stage, way = camera(fps, **keys), SPEC.at_rest
        for index in range(1, fps + 1):
            way = way @ stage.camera(index)
        ways.append(way)
    assert torch.allclose(*ways, atol=1e-6)


def test_the_motion_told_is_where_the_picture_went() -> None:
    stage = camera(2, zoom=1.5, yaw=50.0, pitch=30.0)
    ctx = FrameContext(1, stage.spec, CLOUDS)
    seen = stage(CLOUDS, ctx)
    assert ctx.motion is not None and bool((ctx.motion.trust == 1).all())
    carried = warp(CLOUDS, ctx.motion.flow, ctx.motion.edges)
    assert float((carried - seen).abs().max()) < 2e-4


def test_over_footage_the_camera_has_all_its_way_to_go() -> None:
    stage, run = camera(4, yaw=90.0), replace(SPEC, fps=Fraction(4), continues=False)
    stage.spec = run
    ctx = FrameContext(4, run, CLOUDS)
    ctx.hand_to("video")
    ctx.show(CLOUDS, CLOUDS, None, cut=False)
    ctx.hand_to("sphere")
    seen = stage(CLOUDS, ctx)
    assert torch.allclose(seen, CLOUDS.roll(-SIZE.width // 4, 3), atol=2e-5)
    assert ctx.motion is not None
    # A quarter of a quarter turn since the frame before, all around the equator.
    assert torch.allclose(ctx.motion.flow[0, 0, SIZE.height // 2], torch.tensor(SIZE.width / 16), atol=1e-3)


@pytest.mark.parametrize("size", [Size(150, 300), Size(512, 1024), Size(67, 134)], ids=str)
def test_a_panorama_of_another_size_stays_seamless(size: Size) -> None:
    panorama = around(size, 0.1, 1.5, torch.Generator().manual_seed(0))
    fitted = fit_around(panorama, SIZE)
    turned = fit_around(panorama.roll(size.width // 2, 3), SIZE)
    assert torch.allclose(turned, fitted.roll(SIZE.width // 2, 3), atol=1e-5)
    # The first row is what bicubic interpolation makes of it where a pole lies inside the picture.
    over_the_pole = torch.cat([panorama.roll(size.width // 2, 3).flip(2), panorama], 2)
    across = resize(over_the_pole, Size(2 * SIZE.height, SIZE.width))[..., 4:-4]
    assert torch.allclose(across[:, :, SIZE.height], fitted[:, :, 0, 4:-4], atol=1e-4)


def test_a_panorama_begins_a_film_as_it_is(tmp_path: Path) -> None:
    write_png(CLOUDS, tmp_path / "panorama.png")
    text = CORE.replace("256x128", "128x64")
    first = next(frames(parse_preset(f"{text}  - {{stage: image, path: {tmp_path / 'panorama.png'}}}\n")))
    assert float((first.image - CLOUDS).abs().max()) < 1 / 255


WRONG: dict[str, tuple[Callable[[str], str], str]] = {
    "a size that is no sphere's": (lambda text: text.replace("256x128", "256x144"), "size: is 256x144, must be twice"),
    "the camera of flat films": (lambda text: text.replace("stage: sphere", "stage: zoom"), "use `stage: sphere`"),
    "a sphere's camera in a flat film": (
        lambda text: text.replace("projection: equirectangular\n", ""),
        "`stage: zoom`",
    ),
    "a margin": (lambda text: "margin: 0.1\n" + text, "margin: is 0.1, but a sphere ends nowhere"),
    "another projection": (lambda text: text.replace("equirectangular", "cube"), "projection"),
    "a loop": (lambda text: f"{text}  - {{stage: loop, over: 3f}}\n", "closes flat films"),
    "a vignette": (lambda text: f"{text}  - {{stage: tone, vignette: 0.5}}\n", "a sphere has none"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_a_sphere_can_t_be_is_told(name: str) -> None:
    change, said = WRONG[name]
    with pytest.raises(PresetError) as told:
        parse_preset(change(f"{CORE}  - stage: noise\n  - {{stage: sphere, zoom: 1.5}}\n"))
    assert said in str(told.value)


def test_a_flat_picture_is_no_sphere_unless_it_is_stretched() -> None:
    flat = f"{CORE}  - {{stage: image, path: {photograph('chelsea.png')}}}\n"
    with pytest.raises(PresetError, match="twice as wide as high"):
        parse_preset(flat)
    parse_preset(flat.replace("}", ", fit: stretch}"))
