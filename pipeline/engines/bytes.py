"""Convolutions in eight bits: bytes in, and bytes or float32 out, with weights of one scale for each channel.

A tensor of bytes stands for `scale * (byte - zero)`: `zero` is 0 for what is never negative, 128 for the rest. Products
are summed exactly, in 32 bits, so that results are the same on any number of threads.

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
from pipeline.engines.convolution import Clip, Geometry, flipped, output_side
from pipeline.engines.flat import channels_last

SIGNED = 128
"""the zero of tensors that may be negative"""
HIGHEST = 255
_WEIGHTS = (127, 63)  # the largest weight: of eight bits, or of seven
_SAMPLE = 1 << 14
_SIGN_BITS = int.from_bytes(bytes([SIGNED] * 8), "little", signed=True)


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

    def to_bytes(self, x: Tensor, scale: float, result_scale: float, zero: int) -> Tensor:
        """The same in bytes with `result_scale`; what lies beyond them is held to 0 and 255, which is a clip."""
        return self._run(x, scale, result_scale, zero, torch.uint8, "none", [])

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
        self._stride, self._stuffed = g.stride, None
        inner = (*shape[:1], weight.shape[0], *output_side(weight, g, shape))
        if g.stride != (1, 1):
            sides = [shape[2 + i] + 2 * g.padding[i] - int(weight.shape[2 + i]) + 1 for i in (0, 1)]
            inner = (*inner[:2], *sides)
            # What lies between the gradient's pixels is never written to, so it serves every call.
            self._stuffed = channels_last(torch.full(inner, SIGNED, dtype=torch.uint8))
        exchanged, geometry = flipped(weight, replace(g, stride=(1, 1)))
        self._convolution = ByteConvolution(exchanged, None, geometry, inner, SIGNED)

    def to_float(self, gradient: Tensor, scale: float) -> Tensor:
        """In float32."""
        return self._convolution.to_float(self._spread(gradient), scale)

    def to_bytes(self, gradient: Tensor, scale: float, result_scale: float) -> Tensor:
        """In signed bytes with `result_scale`."""
        return self._convolution.to_bytes(self._spread(gradient), scale, result_scale, SIGNED)

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
    depthwise = g.groups == shape[1] == weight.shape[0] and g.dilation == (1, 1)
    return g.stride == (1, 1) or depthwise


def to_bytes(x: Tensor, scale: float) -> Tensor:
    """Float32 in signed bytes, rounded, and held to what these can say."""
    return channels_last(x).mul(1 / scale).add_(SIGNED + 0.5).clamp_(0, HIGHEST).to(torch.uint8)


def to_float(x: Tensor, scale: float, zero: int) -> Tensor:
    """Bytes in float32."""
    return x.float().sub_(zero).mul_(scale)


def fitting(x: Tensor, share: float) -> float:
    """The scale of signed bytes that hold this share of the values of `x`, judged by a sample; the rest is held."""
    flat = channels_last(x).permute(0, 2, 3, 1).reshape(-1) if x.ndim == 4 else x.reshape(-1)
    step = max(1, len(flat) // _SAMPLE)
    while math.gcd(step, int(x.shape[1])) > 1:  # or it would meet the same channels again and again
        step += 1
    sample = flat[::step].abs()
    largest = sample.topk(max(1, round((1 - share) * len(sample)))).values[-1]
    return max(float(largest), 1e-30) / (SIGNED - 1)


def unclipped(result: Tensor, ceiling: bool) -> Tensor:
    """255 where unsigned bytes are not held at 0, nor with a `ceiling` at 255; 0 elsewhere: (1, C, H, W) bytes."""
    # By additions that wrap, which are several times as fast as comparing bytes.
    low = result.clamp_max(1)
    return result.clamp_min(HIGHEST - 1).sub_(low).add_(2) if ceiling else low.neg_()


def masked(gradient: Tensor, mask: Tensor) -> Tensor:
    """Signed bytes, zero where `mask` is 0; its other bytes are 255."""
    if gradient.numel() % 8:
        return (gradient ^ SIGNED).bitwise_and_(mask).bitwise_xor_(SIGNED)
    words, kept = _words(gradient), _words(mask)
    found = words.bitwise_xor(_SIGN_BITS).bitwise_and_(kept).bitwise_xor_(_SIGN_BITS)
    batch, channels, height, width = gradient.shape
    return found.view(torch.uint8).view(batch, height, width, channels).permute(0, 3, 1, 2)


def _words(x: Tensor) -> Tensor:
    return channels_last(x).permute(0, 2, 3, 1).reshape(-1).view(torch.int64)


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
