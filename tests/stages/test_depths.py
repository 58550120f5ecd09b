"""Where depth comes from: spaces to fly through, what a picture suggests, maps, networks; and what is refused."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.errors import PresetError
from pipeline.frame import Size
from pipeline.media.picture import read_picture
from pipeline.ops.motion import pixel_positions, warp
from pipeline.ops.warp import resize
from pipeline.preset import Preset
from pipeline.stages.context import FrameContext
from pipeline.stages.spec import RunSpec
from pipeline.stages.zoom import Zoom, ZoomConfig
from pipeline.stages.zoom.depth import GeometryDepth
from pipeline.stages.zoom.route import Route
from pipeline.stages.zoom.space import flight
from pipeline.testing import check_stage
from tests.conftest import photograph
from tests.test_change import film

SIZE = Size(90, 160)
Keys = dict[str, Any]
GEOMETRIES = ("tunnel", "ground", "dome")


def spec(fps: int = 24, continues: bool = True) -> RunSpec:
    return RunSpec(SIZE, Fraction(fps), 4 * fps, 3, torch.device("cpu"), continues=continues)


def build(run: RunSpec, **keys: Any) -> Zoom:
    return Zoom(ZoomConfig.model_validate({"id": "zoom"} | keys), run)


def cat() -> Tensor:
    return resize(read_picture(photograph("chelsea.png")), SIZE).clamp(0, 1)


def gone_on(stage: Zoom, picture: Tensor, frames: int) -> Tensor:
    for index in range(1, frames + 1):
        picture = stage(picture, FrameContext(index, stage.spec, picture))
    return picture


def flown(fps: int, frames: int, **keys: Any) -> Tensor:
    """Where each pixel of the last of some frames lay in the first."""
    run = spec(fps)
    config = ZoomConfig.model_validate({"id": "zoom"} | keys)
    assert isinstance(config.depth, GeometryDepth)
    route, at = Route(config, run), pixel_positions(SIZE, torch.zeros(()).double())
    for index in range(frames, 0, -1):
        at = flight(config.depth, run, route, index).sight(at).positions
    return at


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_a_flight_is_the_same_at_every_frame_rate(geometry: str) -> None:
    keys = {"zoom": "2 + sin(3 * t)", "rotate": 20, "pan": [0.2, 0.1], "depth": {"geometry": geometry}}
    at_24, at_60 = flown(24, 24, **keys), flown(60, 60, **keys)
    assert (at_24 - at_60).abs().max() < 0.01  # pixels
    assert (at_24 - pixel_positions(SIZE, at_24)).abs().max() > 10


def test_a_tunnel_comes_nearer_as_its_walls_would() -> None:
    seconds, zoom = 0.5, 1.8
    there = flown(24, 12, zoom=zoom, depth={"geometry": "tunnel", "far": 1000.0}) - torch.tensor([80.0, 45]).view(
        1, 2, 1, 1
    )
    here = pixel_positions(SIZE, there) - torch.tensor([80.0, 45]).view(1, 2, 1, 1)
    (now, before), wall = (at.norm(dim=1) for at in (here, there)), 45.0
    ahead = wall / now + seconds * math.log(zoom)  # the wall lies wall / radius ahead
    assert torch.allclose(before, wall / ahead, atol=0.05)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_a_flight_goes_the_same_way_in_every_frame(geometry: str) -> None:
    """So that it can go on for ever: the motion that other stages are told does not change."""
    stage = build(spec(), zoom=1.5, depth={"geometry": geometry})
    picture, flows = cat(), []
    for index in (1, 2, 40):
        ctx = FrameContext(index, stage.spec, picture)
        picture = stage(picture, ctx)
        assert ctx.motion is not None
        flows.append(ctx.motion.flow)
    assert torch.equal(flows[0], flows[1]) and torch.equal(flows[0], flows[2])


def test_over_ground_the_horizon_is_slow_and_the_sky_slower() -> None:
    there = flown(24, 24, zoom=1.5, centre=[0.5, 0.4], depth={"geometry": "ground", "sky": 0.25, "far": 50.0})
    moved = (there - pixel_positions(SIZE, there))[0, 1, :, 80]
    assert moved[36].abs() < 0.1
    assert moved[89] < -10 * moved[9].abs() / 4 < 0


def test_a_plane_is_the_flat_zoom_to_the_last_digit() -> None:
    keys: Keys = {"zoom": 1.3, "rotate": 10, "edges": "noise", "pan": [0.2, 0.0]}
    flat, plane = build(spec(), **keys), build(spec(), **keys, depth={"geometry": "plane"})
    assert torch.equal(gone_on(flat, cat(), 4), gone_on(plane, cat(), 4))


def test_what_is_all_at_distance_1_is_the_flat_zoom(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "grey.png"), np.full(SIZE, 65535 // 3, np.uint16))  # a third of the way from 1/2 to 2
    keys: Keys = {"zoom": 1.3, "rotate": 10, "pan": [0.2, 0.0]}
    flat = gone_on(build(spec(), **keys), cat(), 4)
    deep = gone_on(build(spec(), **keys, depth={"image": str(tmp_path / "grey.png")}), cat(), 4)
    assert (flat - deep).abs().max() < 1 / 255


@pytest.mark.parametrize("invert", [False, True])
def test_what_is_bright_passes_faster(invert: bool) -> None:
    halves = 0.1 + 0.1 * cat()
    halves[..., 80:] += 0.6
    stage = build(spec(), pan=[0.0, 0.5], depth={"picture": "luminance", "invert": invert, "near": 0.5, "far": 2.0})
    ctx = FrameContext(1, stage.spec, halves)
    stage(halves, ctx)
    assert ctx.motion is not None
    left, right = (ctx.motion.flow[0, 1, 30:60, part].mean() for part in (slice(10, 50), slice(110, 150)))
    assert (left > 1.5 * right) if invert else (right > 1.5 * left)


@pytest.mark.parametrize("depth", [{"picture": "luminance"}, {"picture": "saliency"}], ids=str)
def test_pictures_with_depth_move_alike_at_24_and_60_frames(depth: Keys) -> None:
    keys: Keys = {"pan": [0.1, 0.05], "zoom": 1.1, "depth": depth}
    at_24, at_60 = gone_on(build(spec(24), **keys), cat(), 12), gone_on(build(spec(60), **keys), cat(), 30)
    flat = gone_on(build(spec(24), **keys | {"depth": None}), cat(), 12)
    assert (at_24 - at_60).abs().mean() < 0.25 * (at_24 - flat).abs().mean()


def test_depth_does_not_flicker_with_the_picture() -> None:
    """Noise that is drawn anew over the picture changes the depth by much less than without memory."""
    changes = []
    for half_life in (0.0, 0.5):
        stage = build(spec(), pan=[0.01, 0.0], depth={"picture": "luminance", "half_life": half_life, "soft": 0.01})
        flows = []
        for index in range(1, 12):
            noise = torch.randn(1, 3, *SIZE, generator=torch.Generator().manual_seed(index))
            ctx = FrameContext(index, stage.spec, cat())
            stage((cat() + 0.1 * noise).clamp(0, 1), ctx)
            assert ctx.motion is not None
            flows.append(ctx.motion.flow)
        changes.append((flows[-1] - flows[-2]).abs().mean())
    assert changes[1] < 0.2 * changes[0]


def test_over_footage_the_motion_told_is_that_of_the_picture() -> None:
    """A still picture, looked at by a camera that moves aside: each frame is the one before, moved as told."""
    run = spec(continues=False)
    stage = build(run, pan=[0.5, 0.0], zoom=1.2, depth={"picture": "luminance", "soft": 0.1})
    still, last = cat(), None
    for index in range(4):
        ctx = FrameContext(index, run, last)
        ctx.show(still, still, None, False)
        shown = stage(still, ctx)
        assert ctx.source is not None and torch.allclose(ctx.source, shown, atol=1e-5)
        if last is not None:
            assert ctx.motion is not None and ctx.previous_source is not None
            assert torch.allclose(ctx.previous_source, last, atol=1e-4)
            sure = ctx.motion.trust > 0.9
            assert sure.float().mean() > 0.7
            off = (warp(last, ctx.motion.flow) - shown).abs() * sure
            assert off.mean() < 0.01 and (last - shown).abs().mean() > 0.03
        last = shown


def test_an_onnx_network_tells_depth(tmp_path: Path) -> None:
    by_network = {"network": str(save_network(tmp_path / "red.onnx")), "input": "160x96", "half_life": 0.0}
    red_near, red_far = (
        motion_of({"depth": by_network | {"gives": gives}, "pan": [0.0, 0.5]}) for gives in ("disparity", "depth")
    )
    red = cat()[:, :1] > cat()[:, :1].median()
    near, far = (red_near[:, 1:][where].mean() for where in (red, ~red))
    assert near > 1.15 * far
    near, far = (red_far[:, 1:][where].mean() for where in (red, ~red))
    assert far > 1.15 * near


def motion_of(keys: Keys) -> Tensor:
    stage = build(spec(), **keys)
    ctx = FrameContext(1, stage.spec, cat())
    stage(cat(), ctx)
    assert ctx.motion is not None
    return ctx.motion.flow


def save_network(path: Path, outputs: int = 1) -> Path:
    """A network that calls near what is red."""
    onnx = pytest.importorskip("onnx")
    weights = np.zeros((outputs, 3, 1, 1), np.float32)
    weights[:, 0] = 2.5
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Conv", ["picture", "weights"], ["map"])],
        "red",
        [onnx.helper.make_tensor_value_info("picture", onnx.TensorProto.FLOAT, [1, 3, "h", "w"])],
        [onnx.helper.make_tensor_value_info("map", onnx.TensorProto.FLOAT, [1, outputs, "h", "w"])],
        [onnx.numpy_helper.from_array(weights, "weights")],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    "depth",
    [{"picture": "luminance"}, {"picture": "saliency", "half_life": 0.1}, {"image": str(photograph("chelsea.png"))}],
    ids=str,
)
def test_the_stage_is_sound_with_depth(depth: Keys) -> None:
    """Over footage too; among the checks, that it goes on from its state as it would have."""
    check_stage("zoom", {"zoom": 1.3, "pan": ["sin(t)", 0.2], "edges": "noise", "depth": depth})


def refused(source: Keys, camera: Keys, **others: Keys) -> str:
    with pytest.raises(PresetError) as caught:
        made(source, camera, **others)
    return str(caught.value)


def made(source: Keys, camera: Keys, **others: Keys) -> Preset:
    return film({"source": source, "zoom": camera} | others)


NOISE: Keys = {"stage": "noise"}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"depth": {"geometry": "cave"}}, "must be plane, tunnel, dome or ground"),
        ({"depth": {"tunnel": 1}}, "one of the keys geometry, picture, image, film, network; this one names none"),
        ({"depth": {"picture": "luminance", "geometry": "tunnel"}}, "names geometry and picture"),
        ({"depth": {"image": "nowhere.png"}}, "nowhere.png"),
        ({"depth": {"film": "nowhere.mp4"}}, "nowhere.mp4"),
        ({"depth": {"network": "nowhere.onnx"}}, "nowhere.onnx can't be read"),
        ({"depth": {"picture": "luminance", "near": 2.0}}, "near"),
        ({"depth": {"geometry": "tunnel"}, "symmetry": {"droste": 4}}, "would tear droste apart"),
    ],
)
def test_mistakes_are_told(keys: Keys, said: str) -> None:
    assert said in refused(NOISE, {"zoom": 1.2} | keys)


def test_a_network_of_another_kind_is_refused(tmp_path: Path) -> None:
    said = refused(NOISE, {"depth": {"network": str(save_network(tmp_path / "many.onnx", 2))}})
    assert "gives 1x2x256x256, must give one map of depth" in said


def test_footage_is_no_space_to_fly_through_and_loops_know_one_motion_only() -> None:
    video = {"stage": "video", "path": str(photograph("chelsea.png").parent)}
    assert "depth.geometry" in refused(video, {"depth": {"geometry": "tunnel"}})
    assert "`depth` has many" in refused(NOISE, {"depth": {"geometry": "tunnel"}}, loop={"over": "4f"})
    made(NOISE, {"depth": {"geometry": "plane"}}, loop={"over": "4f"})
