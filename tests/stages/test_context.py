"""What stages tell each other of a frame: once, in their order, and by no other way."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import pytest
import torch
from torch import Tensor

from pipeline.chain import Chain
from pipeline.errors import StageError
from pipeline.frame import Size
from pipeline.ops import noise
from pipeline.preset import parse_preset
from pipeline.stages import FrameContext, RunSpec
from pipeline.stages.zoom import Zoom

SPEC = RunSpec(Size(32, 48), Fraction(24), 10, 0, torch.device("cpu"))
STILL = torch.eye(3, dtype=torch.float64)
ASIDE = torch.tensor([[1.0, 0, 3], [0, 1, 0], [0, 0, 1]], dtype=torch.float64)
NOWHERE = torch.zeros(1, 1, *SPEC.size)
TWO_CAMERAS = b"""\
size: 64x48
fps: 12
duration: 3f
device: cpu
stages:
  - stage: noise
  - {stage: zoom, zoom: 0.5, edges: noise}
  - {stage: zoom, id: second, pan: [0.5, 0], edges: noise}
"""


def picture(seed: int = 0) -> Tensor:
    return noise.pink(SPEC.size, 0.15, 1.5, torch.Generator().manual_seed(seed))


def context(index: int = 1) -> FrameContext:
    return FrameContext(index, SPEC, picture(1))


@pytest.mark.parametrize(
    "name", [field.name for field in dataclasses.fields(FrameContext)] + ["source", "motion", "cut"]
)
def test_nobody_sets_a_field_by_hand(name: str) -> None:
    with pytest.raises((dataclasses.FrozenInstanceError, AttributeError)):
        setattr(context(), name, None)


def test_what_is_told_in_order_is_read_behind() -> None:
    ctx = context()
    ctx.hand_to("video")
    ctx.show(picture(2), picture(3), None, False)
    ctx.hand_to("zoom")
    ctx.move(ASIDE, ASIDE)
    ctx.reveal(NOWHERE)
    ctx.hand_to("another")
    ctx.move(ASIDE, STILL)
    ctx.reveal(NOWHERE + 0.5)
    ctx.hand_to("dream")
    assert ctx.source is not None and not torch.equal(ctx.source, picture(2))
    assert ctx.motion is not None and ctx.motion.flow[0, 0, 16, 24] == pytest.approx(3)
    assert ctx.revealed is not None and ctx.revealed.min() == 0.5


def test_another_frame_is_told_anew() -> None:
    first = context()
    first.show(picture(2), picture(3), None, True)
    second = context(2)
    assert second.source is None and not second.cut
    second.show(picture(2), picture(3), None, False)


def test_footage_is_shown_by_the_source_alone_and_once() -> None:
    ctx = context()
    ctx.hand_to("video")
    ctx.show(picture(2), None, None, False)
    with pytest.raises(
        StageError, match=r"^video: calls `show` twice for one frame; the order is show, move, fold, reveal"
    ):
        ctx.show(picture(2), None, None, False)
    ctx.hand_to("zoom")
    ctx.move(ASIDE, STILL)
    ctx.hand_to("overlay")
    with pytest.raises(StageError, match=r"^overlay: shows footage, which only the source may"):
        ctx.show(picture(2), None, None, False)


@pytest.mark.parametrize(
    ("calls", "words"),
    [
        (("move", "move"), "zoom: calls `move` twice"),
        (("reveal", "move"), "zoom: calls `move` after `reveal`"),
        (("move", "reveal", "reveal"), "zoom: calls `reveal` twice"),
    ],
)
def test_a_camera_moves_once_and_reveals_after(calls: tuple[str, ...], words: str) -> None:
    ctx = context()
    ctx.hand_to("noise")
    ctx.hand_to("zoom")
    given = {"move": (ASIDE, STILL), "reveal": (NOWHERE,)}
    for call in calls[:-1]:
        getattr(ctx, call)(*given[call])
    with pytest.raises(StageError, match=words):
        getattr(ctx, calls[-1])(*given[calls[-1]])


def test_the_loop_gives_every_stage_a_turn_and_names_the_one_at_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    with Chain(parse_preset(TWO_CAMERAS)) as chain:
        previous = chain.step(0, None).feedback
        chain.step(1, previous)  # each camera in its own turn
        right = Zoom.__call__

        def wrong(self: Zoom, frame: Tensor, ctx: FrameContext) -> Tensor:
            moved = right(self, frame, ctx)
            if self.config.id == "second":
                ctx.move(ASIDE, STILL)
            return moved

        monkeypatch.setattr(Zoom, "__call__", wrong)
        with pytest.raises(StageError, match=r"^second: calls `move` after `reveal`"):
            chain.step(2, previous)
