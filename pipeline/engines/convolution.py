"""Convolutions with fixed weights, and their adjoints, as forward convolutions whose weights are packed once.

The network is frozen, so the gradient with respect to a convolution's input is itself a fixed linear map: at
stride 1 a convolution with flipped weights, at larger strides one of three forms below.

oneDNN's prepacked convolution is a private operator of torch: it is probed for, and torch's public convolution,
which packs the weights anew in each call, stands in where it is missing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.device import is_out_of_memory
from pipeline.engines.base import log
from pipeline.engines.flat import channels_last

aten = torch.ops.aten
Linear = Callable[[Tensor], Tensor]
# Below so many input channels, oneDNN's own backward pass is several times slower than phases.
FEW_CHANNELS = 8


@dataclass(frozen=True)
class Clip:
    """A ReLU, or one with a ceiling such as ReLU6: what is not between `low` and `high` is set to them."""

    low: float
    high: float

    def forward(self, x: Tensor) -> Tensor:
        """The clipped values."""
        return x.relu() if self.is_relu else F.hardtanh(x, self.low, self.high)

    def backward(self, gradient: Tensor, result: Tensor) -> Tensor:
        """The gradient before the clip, from that after it and from the clip's result."""
        if self.is_relu:
            return aten.threshold_backward(gradient, result, 0)  # type: ignore[no-any-return]
        return aten.hardtanh_backward(gradient, result, self.low, self.high)  # type: ignore[no-any-return]

    @property
    def is_relu(self) -> bool:
        """Whether there is no ceiling."""
        return self.low == 0 and math.isinf(self.high)


@dataclass(frozen=True)
class Geometry:
    """A convolution's numbers, per height and width: what `aten.convolution` is given, transposition aside."""

    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int


class Convolution:
    """A convolution of inputs of one shape, with bias, addition and clip in the same pass."""

    def __init__(
        self, weight: Tensor, bias: Tensor | None, geometry: Geometry, shape: tuple[int, ...], clip: Clip | None = None
    ) -> None:
        self._geometry, self._clip = geometry, clip
        self._bias = bias
        self._weight = channels_last(weight)
        self._packed = weight.device.type == "cpu" and has_packed_convolution(weight.dtype)
        if self._packed:
            g = geometry
            self._weight = torch.ops.mkldnn._reorder_convolution_weight(
                self._weight, g.padding, g.stride, g.dilation, g.groups, list(shape)
            )
        self._scalars: list[float] = []
        self._unary = "none" if clip is None else "relu" if clip.is_relu else "hardtanh"
        if clip is not None and not clip.is_relu:
            self._scalars = [clip.low, clip.high]

    def __call__(self, x: Tensor, added: Tensor | None = None) -> Tensor:
        """clip(convolution(x) + bias + added); with `added`, the clip must be a ReLU."""
        g = self._geometry
        place = (g.padding, g.stride, g.dilation, g.groups)
        if not self._packed:
            result = F.conv2d(x, self._weight, self._bias, g.stride, g.padding, g.dilation, g.groups)
            result = result if added is None else result + added
            return result if self._clip is None else self._clip.forward(result)
        if added is None:
            return torch.ops.mkldnn._convolution_pointwise(  # type: ignore[no-any-return]
                x, self._weight, self._bias, *place, self._unary, self._scalars, ""
            )
        unary = None if self._unary == "none" else self._unary
        return torch.ops.mkldnn._convolution_pointwise.binary(  # type: ignore[no-any-return]
            x, added, self._weight, self._bias, *place, "add", 1.0, unary, [], ""
        )


@lru_cache
def has_packed_convolution(dtype: torch.dtype) -> bool:
    """Whether this torch has oneDNN's prepacked convolution, and it computes what the public one does."""
    try:
        return _probe_packed_convolution(dtype)
    except (AttributeError, RuntimeError, TypeError, NotImplementedError) as error:
        if is_out_of_memory(error):
            raise  # no answer: the other convolution has other last digits
        log.warning("no prepacked convolutions in %s, torch's public ones stand in: %s", dtype, error)
        return False


def _probe_packed_convolution(dtype: torch.dtype) -> bool:
    generator = torch.Generator().manual_seed(0)
    x = channels_last(torch.randn(1, 16, 8, 8, generator=generator).to(dtype))
    weight = channels_last(torch.randn(16, 16, 3, 3, generator=generator).to(dtype))
    place = ([1, 1], [1, 1], [1, 1], 1)
    packed = torch.ops.mkldnn._reorder_convolution_weight(weight, *place, [1, 16, 8, 8])
    expected = F.conv2d(x, weight, None, 1, 1)
    plain = torch.ops.mkldnn._convolution_pointwise(x, packed, None, *place, "hardtanh", [0.0, 6.0], "")
    summed = torch.ops.mkldnn._convolution_pointwise.binary(
        x, expected, packed, None, *place, "add", 1.0, "relu", [], ""
    )
    pairs = [(plain, expected.clamp(0, 6)), (summed, (2 * expected).relu())]
    return all(torch.allclose(a.float(), b.float(), rtol=0.02, atol=0.2) for a, b in pairs)


def adjoint(weight: Tensor, geometry: Geometry, shape: tuple[int, ...]) -> Convolution | Linear:
    """The map from the gradient after a convolution to that with respect to its input, which is of `shape`."""
    kernel, g = (int(weight.shape[2]), int(weight.shape[3])), geometry
    reach = tuple(d * (k - 1) for d, k in zip(g.dilation, kernel, strict=True))
    if any(p > r for p, r in zip(g.padding, reach, strict=True)):
        return _Native(weight, geometry, shape)
    if g.stride == (1, 1):
        return _flipped(weight, geometry, (*shape[:1], weight.shape[0], *output_side(weight, geometry, shape)))
    if kernel == (1, 1) and g.groups == 1:
        return _Spread(weight, geometry, shape)
    if g.groups == shape[1] == weight.shape[0] and g.dilation == (1, 1):
        return _Stuffed(weight, geometry, shape)
    if g.groups == 1 and shape[1] <= FEW_CHANNELS and g.dilation == (1, 1):
        return _InPhases(weight, geometry, shape)
    return _Native(weight, geometry, shape)


def output_side(weight: Tensor, g: Geometry, shape: tuple[int, ...]) -> tuple[int, int]:
    """The height and width of what a convolution makes of an input of `shape`."""
    sides = [
        (shape[2 + i] + 2 * g.padding[i] - g.dilation[i] * (int(weight.shape[2 + i]) - 1) - 1) // g.stride[i] + 1
        for i in (0, 1)
    ]
    return sides[0], sides[1]


def _flipped(weight: Tensor, g: Geometry, shape: tuple[int, ...]) -> Convolution:
    exchanged, geometry = flipped(weight, g)
    return Convolution(exchanged, None, geometry, shape)


def flipped(weight: Tensor, g: Geometry) -> tuple[Tensor, Geometry]:
    """Stride 1: correlate with the weights upside down, input and output channels exchanged within each group."""
    out, inner, height, width = weight.shape
    grouped = weight.flip(2, 3).view(g.groups, out // g.groups, inner, height, width)
    exchanged = grouped.transpose(1, 2).reshape(g.groups * inner, out // g.groups, height, width)
    padding = (g.dilation[0] * (height - 1) - g.padding[0], g.dilation[1] * (width - 1) - g.padding[1])
    return exchanged, Geometry((1, 1), padding, g.dilation, g.groups)


class _Spread:
    """1x1 with a stride: the pixels that were skipped have no gradient."""

    def __init__(self, weight: Tensor, g: Geometry, shape: tuple[int, ...]) -> None:
        self._shape, self._stride = shape, g.stride
        inner = (*shape[:1], weight.shape[0], *output_side(weight, g, shape))
        self._convolution = _flipped(weight, replace(g, stride=(1, 1)), inner)

    def __call__(self, gradient: Tensor) -> Tensor:
        result = gradient.new_zeros(self._shape).contiguous(memory_format=torch.channels_last)
        result[:, :, :: self._stride[0], :: self._stride[1]] = self._convolution(gradient)
        return result


class _Stuffed:
    """Depthwise with a stride: put zeros between the gradient's pixels, then go on as for stride 1.

    oneDNN's own backward pass takes up to twenty times as long for depthwise convolutions in bfloat16.
    """

    def __init__(self, weight: Tensor, g: Geometry, shape: tuple[int, ...]) -> None:
        sides = [shape[2 + i] + 2 * g.padding[i] - int(weight.shape[2 + i]) + 1 for i in (0, 1)]
        stuffed = (shape[0], shape[1], *sides)
        self._stride, self._sides = g.stride, output_side(weight, g, shape)
        # Its zeros are never written to, so it serves every call.
        self._buffer = channels_last(torch.zeros(stuffed, dtype=weight.dtype, device=weight.device))
        self._convolution = _flipped(weight, replace(g, stride=(1, 1)), stuffed)

    def __call__(self, gradient: Tensor) -> Tensor:
        self._buffer[:, :, :: self._stride[0], :: self._stride[1]] = gradient
        return self._convolution(self._buffer)


class Phases:
    """Few input channels and a stride: each phase of the input pixels is a small convolution of the gradient.

    Input pixel `stride * m + phase` only meets every `stride`-th weight. All phases are the channels of one
    stride-1 convolution; interleaving them gives the padded picture (Shi et al. 2016, sub-pixel convolution).
    """

    def __init__(self, weight: Tensor, g: Geometry, shape: tuple[int, ...]) -> None:
        (sy, sx), (out, inner, height, width) = g.stride, weight.shape
        taps = (math.ceil(height / sy), math.ceil(width / sx))
        whole = F.pad(weight, (0, taps[1] * sx - width, 0, taps[0] * sy - height))
        split = whole.view(out, inner, taps[0], sy, taps[1], sx).permute(1, 3, 5, 0, 2, 4)
        self.weight = split.reshape(inner * sy * sx, out, *taps).flip(2, 3).contiguous()
        self.geometry = Geometry((1, 1), (taps[0] - 1, taps[1] - 1), (1, 1), 1)
        self._shape, self._stride, self._padding = shape, g.stride, g.padding

    def whole(self, phases: Tensor) -> Tensor:
        """The picture of what the convolution by `weight` and `geometry` gives."""
        (sy, sx), (top, left), (_, channels, height, width) = self._stride, self._padding, self._shape
        rows, columns = phases.shape[2:]
        # (channels, sy, sx) x (rows, columns) -> channels x (rows, sy) x (columns, sx)
        whole = phases.view(1, channels, sy, sx, rows, columns).permute(0, 1, 4, 2, 5, 3)
        whole = whole.reshape(1, channels, rows * sy, columns * sx)[:, :, top : top + height, left : left + width]
        return F.pad(whole, (0, width - whole.shape[3], 0, height - whole.shape[2]))


class _InPhases:
    """`Phases` by a packed convolution."""

    def __init__(self, weight: Tensor, g: Geometry, shape: tuple[int, ...]) -> None:
        self._phases = Phases(weight, g, shape)
        place = (*shape[:1], weight.shape[0], *output_side(weight, g, shape))
        self._convolution = Convolution(self._phases.weight, None, self._phases.geometry, place)

    def __call__(self, gradient: Tensor) -> Tensor:
        return self._phases.whole(self._convolution(gradient))


class _Native:
    """Whatever else: torch's own backward pass."""

    def __init__(self, weight: Tensor, g: Geometry, shape: tuple[int, ...]) -> None:
        self._weight, self._geometry = channels_last(weight), g
        # Only its shape is read.
        layout = torch.channels_last
        self._input = torch.empty(shape, dtype=weight.dtype, device=weight.device, memory_format=layout)

    def __call__(self, gradient: Tensor) -> Tensor:
        g, mask = self._geometry, [True, False, False]
        result: Tensor = aten.convolution_backward(
            gradient, self._input, self._weight, None, g.stride, g.padding, g.dilation, False, [0, 0], g.groups, mask
        )[0]
        return result
