"""Convolutions in eight bits: bytes in, and bytes or float32 out, with weights of one scale for each channel.

A tensor of bytes stands for `scale * (byte - zero)`: `zero` is 0 for what is never negative, 128 for the rest. Between
convolutions a gradient lies in int8, whose zero is 0: there it is masked and routed. Products are summed exactly, in 32
bits, so that results are the same on any number of threads.

oneDNN's quantised convolution is a private operator of torch: it is probed for. On processors without VNNI it adds
pairs of products in 16 bits, which overflow unless weights keep to seven bits.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from pipeline.backbones.tape import UnsupportedNetwork
from pipeline.engines.convolution import FEW_CHANNELS, Clip, Geometry, Phases, flipped, output_side
from pipeline.engines.flat import channels_last

SIGNED = 128
"""the zero of tensors that may be negative"""
HIGHEST = 255
_WEIGHTS = (127, 63)  # the largest weight: of eight bits, or of seven
_SAMPLE = 1 << 14
_AT_ONCE = 1 << 16  # float32 numbers that a core's cache holds while they become bytes


class ByteConvolution:
    """A convolution of bytes of one shape whose zero is `zero`, with bias. Raises UnsupportedNetwork."""

    def __init__(self, weight: Tensor, bias: Tensor | None, g: Geometry, shape: tuple[int, ...], zero: int) -> None:
        largest = largest_weight()
        if largest is None:
            raise UnsupportedNetwork("this torch has no quantised convolution for this processor")
        self._scale = weight.abs().amax((1, 2, 3)).clamp_min(1e-20) / largest
        steps = (weight / self._scale[:, None, None, None]).round().to(torch.int8)
        self._zeros = torch.zeros(len(weight), dtype=torch.int32)
        self._bias, self._geometry, self._zero = bias, g, zero
        place = (g.stride, g.padding, g.dilation, g.groups)
        self._packed = torch.ops.onednn.qconv_prepack(steps, self._scale, 1.0, zero, *place, list(shape))

    def to_float(self, x: Tensor, scale: float, clip: Clip | None = None) -> Tensor:
        """clip(convolution(x) + bias) of bytes with this scale, in float32."""
        if clip is None:
            return self._run(x, scale, 1.0, 0, torch.float32, "none", [])
        if clip.is_relu:
            return self._run(x, scale, 1.0, 0, torch.float32, "relu", [])
        return self._run(x, scale, 1.0, 0, torch.float32, "hardtanh", [clip.low, clip.high])

    def to_bytes(self, x: Tensor, scale: float, result_scale: float) -> Tensor:
        """The same in bytes with `result_scale`; what lies beyond them is held to 0 and 255, which is a clip."""
        return self._run(x, scale, result_scale, 0, torch.uint8, "none", [])

    def to_int8(self, x: Tensor, scale: float, result_scale: float) -> Tensor:
        """The same in int8 with `result_scale`."""
        return self._run(x, scale, result_scale, 0, torch.int8, "none", [])

    def _run(
        self,
        x: Tensor,
        scale: float,
        result_scale: float,
        zero: int,
        dtype: torch.dtype,
        unary: str,
        given: list[float],
    ) -> Tensor:
        g = self._geometry
        place = (g.stride, g.padding, g.dilation, g.groups)
        weights = (self._packed, self._scale, self._zeros, self._bias)
        return torch.ops.onednn.qconv2d_pointwise(  # type: ignore[no-any-return]
            x, scale, self._zero, *weights, *place, result_scale, zero, dtype, unary, given, ""
        )


class ByteAdjoint:
    """The map from signed bytes, a gradient after a convolution, to the gradient before it."""

    def __init__(self, weight: Tensor, g: Geometry, shape: tuple[int, ...]) -> None:
        self._stride = g.stride
        self._stuffed: Tensor | None = None
        self._phases: Phases | None = None
        inner = (*shape[:1], weight.shape[0], *output_side(weight, g, shape))
        if g.stride == (1, 1):
            exchanged, geometry = flipped(weight, g)
        elif _is_depthwise(weight, g, shape):
            sides = [shape[2 + i] + 2 * g.padding[i] - int(weight.shape[2 + i]) + 1 for i in (0, 1)]
            inner = (*inner[:2], *sides)
            # What lies between the gradient's pixels is never written to, so it serves every call.
            self._stuffed = channels_last(torch.full(inner, SIGNED, dtype=torch.uint8))
            exchanged, geometry = flipped(weight, replace(g, stride=(1, 1)))
        else:
            self._phases = Phases(weight, g, shape)
            exchanged, geometry = self._phases.weight, self._phases.geometry
        self._convolution = ByteConvolution(exchanged, None, geometry, inner, SIGNED)

    def to_float(self, gradient: Tensor, scale: float) -> Tensor:
        """In float32."""
        result = self._convolution.to_float(self._spread(gradient), scale)
        return result if self._phases is None else self._phases.whole(result)

    def to_int8(self, gradient: Tensor, scale: float, result_scale: float) -> Tensor:
        """In int8 with `result_scale`."""
        result = self._convolution.to_int8(self._spread(gradient), scale, result_scale)
        return result if self._phases is None else self._phases.whole(result)

    def _spread(self, gradient: Tensor) -> Tensor:
        if self._stuffed is None:
            return gradient
        self._stuffed[:, :, :: self._stride[0], :: self._stride[1]] = gradient
        return self._stuffed


def has_byte_adjoint(weight: Tensor, g: Geometry, shape: tuple[int, ...]) -> bool:
    """Whether `ByteAdjoint` takes it: any stride where there is little to compute, else none."""
    reach = [d * (int(k) - 1) for d, k in zip(g.dilation, weight.shape[2:], strict=True)]
    if any(padding > most for padding, most in zip(g.padding, reach, strict=True)):
        return False
    few = g.groups == 1 and shape[1] <= FEW_CHANNELS
    return g.stride == (1, 1) or (g.dilation == (1, 1) and (few or _is_depthwise(weight, g, shape)))


def _is_depthwise(weight: Tensor, g: Geometry, shape: tuple[int, ...]) -> bool:
    return g.groups == shape[1] == weight.shape[0]


def to_int8(x: Tensor, scale: float, offset: float = 0.0) -> Tensor:
    """Float32 in int8, `offset` added, rounded, and held to what int8 can say."""
    x = channels_last(x)
    result = torch.empty_like(x, dtype=torch.int8)
    count = _AT_ONCE * torch.get_num_threads()
    work = torch.empty(min(count, x.numel()))
    # A part at a time: each pass over the whole would wait for memory.
    for part, made in zip(torch.split(_flat(x), count), torch.split(_flat(result), count), strict=True):
        space = work[: len(part)]
        torch.mul(part, 1 / scale, out=space)
        space = space.add_(offset) if offset else space
        made.copy_(space.round_().clamp_(-SIGNED, SIGNED - 1))
    return result


def to_bytes(x: Tensor, scale: float) -> Tensor:
    """Float32 in signed bytes, rounded, and held to what these can say."""
    return signed_bytes(to_int8(x, scale))


def to_unsigned(x: Tensor, scale: float) -> Tensor:
    """Float32 that is never negative in bytes whose zero is 0."""
    return signed_bytes(to_int8(x, scale, -float(SIGNED)))


def signed_bytes(x: Tensor) -> Tensor:
    """The signed bytes that int8 numbers are, in their place."""
    return x.view(torch.uint8).bitwise_xor_(SIGNED)


def to_float(x: Tensor, scale: float, zero: int) -> Tensor:
    """Bytes, or int8 with zero 0, in float32."""
    return x.float().sub_(zero).mul_(scale) if zero else x.float().mul_(scale)


def fitting(x: Tensor, share: float) -> float:
    """The scale of signed bytes that hold this share of the values of `x`, judged by a sample; the rest is held."""
    return max(largest_of(x, share), 1e-30) / (SIGNED - 1)


def largest_of(x: Tensor, share: float) -> float:
    """The absolute value that this share of the values of `x` don't exceed, judged by a sample."""
    pixels = channels_last(x).permute(0, 2, 3, 1).flatten(0, 2) if x.ndim == 4 else x.reshape(-1, 1)
    step = max(1, x.numel() // _SAMPLE)
    while math.gcd(step, int(x.shape[-1])) > 1:  # or it would meet the same columns again and again
        step += 1
    sample = pixels[::step].float().abs().flatten()
    return float(sample.topk(max(1, round((1 - share) * len(sample)))).values[-1])


def masked(gradient: Tensor, result: Tensor, ceiling: bool) -> Tensor:
    """An int8 gradient, zero where a clip's `result`, in bytes, is held at 0, or with a `ceiling` at 255.

    Both are written to: the gradient is its own result.
    """
    # One comparison does for both ends: 255 and one more is 0 in a byte.
    held = result.add_(1) if ceiling else result
    words = gradient.view(torch.uint8)
    torch.ops.aten.threshold_backward.grad_input(words, held, int(ceiling), grad_input=words)
    return gradient


def _flat(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1).flatten() if x.ndim == 4 else x.flatten()


@lru_cache
def largest_weight() -> int | None:
    """The largest weight whose products never overflow here; None where nothing is computed right."""
    return next((weight for weight in _WEIGHTS if _is_exact(weight)), None)


def _is_exact(largest: int) -> bool:
    """Whether the heaviest sums come out as they should."""
    weight = torch.full((16, 16, 1, 1), largest, dtype=torch.int8)
    x = channels_last(torch.full((1, 16, 8, 8), HIGHEST, dtype=torch.uint8))
    place = ([1, 1], [0, 0], [1, 1], 1)
    scale, zeros = torch.ones(16), torch.zeros(16, dtype=torch.int32)
    try:
        packed = torch.ops.onednn.qconv_prepack(weight, scale, 1.0, 0, *place, [1, 16, 8, 8])
        found = torch.ops.onednn.qconv2d_pointwise(
            x, 1.0, 0, packed, scale, zeros, None, *place, 1.0, 0, torch.float32, "none", [], ""
        )
    except (AttributeError, RuntimeError, TypeError, NotImplementedError):
        return False
    return bool((found == float(16 * HIGHEST * largest)).all())
