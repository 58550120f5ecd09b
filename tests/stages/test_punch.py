"""A punch magnifies at once, beside all motion, and is taken back as exactly as it came."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from torch import Tensor

from pipeline.frame import Size
from pipeline.stages import RunSpec
from pipeline.stages.zoom import Zoom, ZoomConfig

SIZE = Size(90, 160)


def zoom(fps: int, continues: bool, **keys: object) -> Zoom:
    spec = RunSpec(SIZE, Fraction(fps), 10 * fps, 0, torch.device("cpu"), continues=continues)
    return Zoom(ZoomConfig.model_validate({"id": "zoom", **keys}), spec)


def travelled(camera: Zoom, frames: int) -> Tensor:
    way = torch.eye(3, dtype=torch.float64)
    for index in range(1, frames + 1):
        way = way @ camera.camera(index)
    return way


@pytest.mark.parametrize("fps", [24, 60])
def test_a_punch_comes_on_top_of_the_zoom_and_goes_again(fps: int) -> None:
    keys = {"zoom": 1.5, "rotate": 10}
    plain, punched = zoom(fps, True, **keys), zoom(fps, True, **keys, punch={"0s": 0, "0.5s": 0.2, "1s": 0})
    half, whole = travelled(punched, fps // 2), travelled(punched, fps)
    assert torch.allclose(whole, travelled(plain, fps), atol=1e-9)
    larger = torch.linalg.det(travelled(plain, fps // 2)) / torch.linalg.det(half)
    assert float(larger) == pytest.approx(1.2**2)


def test_a_jump_happens_within_one_frame_and_stays() -> None:
    camera = zoom(24, True, punch="where(t < 0.5, 0, 0.04)")
    assert torch.equal(camera.camera(11), torch.eye(3, dtype=torch.float64))
    assert float(camera.camera(12)[0, 0]) == pytest.approx(1 / 1.04)
    assert torch.allclose(camera.camera(13), torch.eye(3, dtype=torch.float64))


def test_over_footage_the_way_is_punched_too() -> None:
    camera = zoom(24, False, zoom=1.5, punch="0.1 * square(t)", centre=[0.5, 0.5])
    assert float(camera.way(0)[0, 0]) == pytest.approx(1 / 1.1)
    assert float(camera.way(24)[0, 0]) == pytest.approx(1 / 1.5 / 1.1)
    changed = camera.changed(camera.config.model_copy(update={"zoom": zoom(24, False).config.zoom}), camera.spec, 24)
    assert float(changed.way(24)[0, 0]) == pytest.approx(1 / 1.5 ** (23 / 24) / 1.1)
