"""Pools and joins in bytes: float32's values, and gradients that go where its gradients go."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline import backbones
from pipeline.backbones.tape import Node, Tape, Value
from pipeline.engines.byteoperators import ByteJoin, BytePool
from pipeline.engines.bytes import fitting, largest_weight, to_float
from pipeline.engines.bytewires import Scale, Wire
from pipeline.engines.eightbit import EightBitEngine, Plan
from pipeline.engines.operators import aten
from pipeline.frame import Size

SOURCE, RESULT = Value(1), Value(2)
WINDOWS = [(2, 2, 0, False), (3, 2, 0, True), (3, 1, 1, True), (3, 2, 1, False), (2, 3, 0, False)]


def _picture(height: int = 13, width: int = 16) -> Tensor:
    """Bytes no two of which are alike in any window of 3x3."""
    rows, columns = torch.arange(height)[:, None], torch.arange(width)
    found = (5 * rows + 41 * columns + 17 * torch.arange(6)[:, None, None]) % 255 + 1
    return found[None].to(torch.uint8).contiguous(memory_format=torch.channels_last)


def _gradient(shape: torch.Size) -> Tensor:
    found = torch.randint(-127, 128, shape, generator=torch.Generator().manual_seed(1)).to(torch.int8)
    return found.contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("kernel", "stride", "padding", "incomplete"), WINDOWS)
@pytest.mark.parametrize("single", [True, False])
def test_a_pool_does_in_bytes_what_it_does_in_float32(
    kernel: int, stride: int, padding: int, incomplete: bool, single: bool
) -> None:
    x = _picture()
    given = x.float().requires_grad_()
    wanted = F.max_pool2d(given, kernel, stride, padding, 1, incomplete)
    gradient = _gradient(wanted.shape)
    (before,) = torch.autograd.grad(wanted, given, gradient.float() * 0.5)
    window = ([kernel] * 2, [stride] * 2, [padding] * 2, [1, 1], incomplete)
    node = Node(aten.max_pool2d_with_indices.default, (SOURCE, *window), {}, (RESULT, Value(3)))
    shapes = {SOURCE: tuple(x.shape), RESULT: tuple(wanted.shape)}
    source, made = Wire(Scale(), single), Wire(Scale(), True, gradient_scale=0.5)
    pool = BytePool(node, Tape((node,), {}, shapes), source, made)
    assert torch.equal(pool.forward([x])[0].float(), wanted)
    (found,) = pool.backward([gradient.clone()])
    assert found is not None and found.is_contiguous(memory_format=torch.channels_last)
    if not single:
        assert torch.equal(found, before)
        return
    # What windows share is more than int8 holds: then it is rounded, and its few largest are held.
    error = (to_float(found, source.gradient_scale, 0) - before).abs()
    assert found.dtype is torch.int8
    assert source.gradient_scale == (pytest.approx(fitting(before, 0.999), rel=1e-3) if kernel > stride else 0.5)
    assert float(error.quantile(0.99)) <= (0.51 * source.gradient_scale if kernel > stride else 0)


def test_a_pool_takes_the_first_of_several_that_are_as_large() -> None:
    x = torch.full((1, 2, 4, 4), 7, dtype=torch.uint8).contiguous(memory_format=torch.channels_last)
    node = Node(aten.max_pool2d_with_indices.default, (SOURCE, [2, 2], [2, 2]), {}, (RESULT, Value(3)))
    shapes = {SOURCE: (1, 2, 4, 4), RESULT: (1, 2, 2, 2)}
    pool = BytePool(node, Tape((node,), {}, shapes), Wire(Scale(), True), Wire(Scale(), True, gradient_scale=1.0))
    pool.forward([x])
    (found,) = pool.backward([torch.full((1, 2, 2, 2), 5, dtype=torch.int8)])
    assert found is not None and found.sum() == 2 * 4 * 5
    assert (found[:, :, ::2, ::2] == 5).all()


def test_a_join_gives_each_its_part() -> None:
    left, right = _picture(), _picture().flip(3)[:, :4].contiguous(memory_format=torch.channels_last)
    node = Node(aten.cat.default, ([SOURCE, Value(3)], 1), {}, (RESULT,))
    sources = [Wire(Scale(), True), Wire(Scale(), False)]
    tape = Tape((node,), {}, {SOURCE: tuple(left.shape), Value(3): tuple(right.shape)})
    join = ByteJoin(node, tape, sources, Wire(Scale(), True, gradient_scale=0.25))
    (whole,) = join.forward([left, right])
    assert torch.equal(whole, torch.cat([left, right], 1))
    gradient = _gradient(whole.shape)
    first, second = join.backward([gradient])
    assert first is not None and second is not None
    assert torch.equal(first, gradient[:, :6]) and sources[0].gradient_scale == 0.25
    assert torch.equal(second, gradient[:, 6:].float() * 0.25)


@pytest.mark.skipif(largest_weight() is None, reason="this torch has no quantised convolution here")
@pytest.mark.parametrize(("model", "layer"), [("vgg16", "features.15"), ("googlenet", "inception3b")])
def test_all_between_the_picture_and_the_layer_lies_in_bytes(model: str, layer: str) -> None:
    backbone = backbones.load(model, [layer], torch.device("cpu"), "random")
    engine = EightBitEngine(backbone)
    tape = engine._flat.tape(Size(96, 96))
    plan = Plan(tape, engine._noted)
    target = tape.targets[layer]
    joined = {value for part in plan.parts if part.output == target for value in part.nodes[0].inputs}
    others = {part.output for part in plan.parts} - set(plan._wires) - {target}
    assert others <= joined and target not in plan._wires
