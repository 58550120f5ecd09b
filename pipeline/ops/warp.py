"""Resampling: moving pictures by a matrix, and changing their size. `align_corners=False` throughout.

Moving is done by interpolating cubic B-splines: a feedback loop resamples its own output for ever, and the usual
bicubic kernels either soften it or, as torch's (a = -0.75), sharpen it into ringing.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.device import constant, upload
from pipeline.frame import Size, size_of
from pipeline.ops.border import pad, pad_around
from pipeline.ops.sphere import is_on_sphere, seen_on_sphere

Edges = Literal["reflect", "wrap", "replicate", "sphere"]
_WRAPPED = 3  # the margin that a cubic spline reads at most
_FAR = 1e7
_GOING_ON = ("wrap", "sphere")
# The inverse of the sampled cubic B-spline decays by this factor per pixel (Unser 1999).
_POLE = math.sqrt(3) - 2
_BAND_PIXELS = 1 << 16  # for each thread
_RADIUS = 10  # |pole|^10 is 2e-6, far below 8 bits
_PREFILTER = tuple(-6 * _POLE / (1 - _POLE**2) * _POLE ** abs(k) for k in range(-_RADIUS, _RADIUS + 1))


class SamplingPlan(NamedTuple):
    """Where and how much to read: four bilinear reads make one cubic B-spline (Sigg, Hadwiger 2005).

    `grids` are (1, H, W, 2) for `grid_sample`, `weights` (1, 1, H, W).
    """

    grids: tuple[Tensor, ...]
    weights: tuple[Tensor, ...]
    edges: Edges = "reflect"
    """what the picture is beyond its edges"""

    def to(self, device: torch.device) -> SamplingPlan:
        """The same on another device."""
        grids, weights = (tuple(upload(each, device) for each in part) for part in (self.grids, self.weights))
        return SamplingPlan(grids, weights, self.edges)


def plan_sampling(x: Tensor, y: Tensor, source: Size, edges: Edges = "reflect") -> SamplingPlan:
    """Plans reading a picture of size `source` at pixel positions `x`, `y` (H, W), pixel centres at halves.

    Beyond the picture's `edges` it is mirrored, goes on at the other side, or repeats its outermost pixels; `sphere`
    is a whole one, equirectangular, as in `ops.sphere`.

    Example:
        >>> x, y = seen_positions(torch.eye(3).double(), Size(4, 6), torch.device('cpu'))
        >>> plan = plan_sampling(x, y, Size(4, 6))
        >>> len(plan.grids), plan.grids[0].shape, plan.weights[0].shape
        (4, torch.Size([1, 4, 6, 2]), torch.Size([1, 1, 4, 6]))
    """
    if edges == "replicate":
        x, y = x.clamp(0.5, source.width - 0.5), y.clamp(0.5, source.height - 0.5)
    if edges in _GOING_ON:
        y = y % source.height if edges == "wrap" else y.clamp(0, source.height)
        x, y = x % source.width + _WRAPPED, y + _WRAPPED
        source = Size(source.height + 2 * _WRAPPED, source.width + 2 * _WRAPPED)
    columns = _spline_taps(x, source.width)
    rows = _spline_taps(y, source.height)
    pairs = [(row, column) for row in rows for column in columns]
    grids = [torch.stack([column, row], -1)[None] for (row, _), (column, _) in pairs]
    weights = [(row_weight * column_weight)[None, None] for (_, row_weight), (_, column_weight) in pairs]
    return SamplingPlan(tuple(grids), tuple(weights), edges)


def _spline_taps(position: Tensor, length: int) -> list[tuple[Tensor, Tensor]]:
    """Two linear reads that together weigh four samples as the cubic B-spline does, in float32.

    Each is where to read, from -1 to 1 along a side of `length` pixels, and how much of it to take.
    """
    start = (position - 0.5).floor()
    f, start = (position - 0.5 - start).float(), start.float()  # only the whole position has many digits
    w1 = (0.5 * f - 1).mul_(f).mul_(f).add_(2 / 3)
    w3 = (f * f).mul_(f).div_(6)
    low = (1 - f).pow_(3).div_(6).add_(w1)
    high = 1 - low
    reads = (start - 1 + w1.div_(low), start + 1 + w3.div_(high))
    near, far = (read.mul_(2 / length).add_(1 / length - 1) for read in reads)
    return [(near, low), (far, high)]


def sample(frame: Tensor, plan: SamplingPlan) -> Tensor:
    """`frame` (1, C, h, w) read by a plan, as (1, C, H, W). Not clamped.

    Example:
        >>> picture = torch.rand(1, 3, 4, 6, generator=torch.Generator().manual_seed(0))
        >>> plan = plan_matrix(torch.eye(3).double(), Size(4, 6), picture.device)
        >>> torch.allclose(sample(picture, plan), picture, atol=1e-5)
        True
    """
    return _read(_coefficients(frame, plan.edges), plan)


def sample_at(frame: Tensor, x: Tensor, y: Tensor, edges: Edges = "reflect") -> Tensor:
    """`frame` (1, C, h, w) read once at pixel positions `x`, `y` (H, W), as `plan_sampling` and `sample` do.

    Example:
        >>> picture = torch.rand(1, 3, 4, 6, generator=torch.Generator().manual_seed(0))
        >>> x, y = seen_positions(torch.eye(3).double(), Size(4, 6), picture.device)
        >>> torch.equal(sample_at(picture, x, y), sample(picture, plan_sampling(x, y, Size(4, 6))))
        True
    """
    height, width = x.shape
    # On the CPU in bands of rows, whose plans stay in the cache: half the time of a 720p picture.
    rows = height if frame.device.type != "cpu" else max(1, _BAND_PIXELS * torch.get_num_threads() // width)
    if rows >= height:
        return sample(frame, plan_sampling(x, y, size_of(frame), edges))
    coefficients = _coefficients(frame, edges)
    result = frame.new_empty(*frame.shape[:2], height, width)
    for top in range(0, height, rows):
        band = slice(top, top + rows)
        result[..., band, :] = _read(coefficients, plan_sampling(x[band], y[band], size_of(frame), edges))
    return result


def _coefficients(frame: Tensor, edges: Edges) -> Tensor:
    return _with_margins(frame, edges) if edges in _GOING_ON else _spline_coefficients(frame)


def _read(coefficients: Tensor, plan: SamplingPlan) -> Tensor:
    result: Tensor | None = None
    for grid, weight in zip(plan.grids, plan.weights, strict=True):
        part = F.grid_sample(coefficients, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
        result = part.mul_(weight) if result is None else result.addcmul_(part, weight)
    assert result is not None
    return result


def _with_margins(frame: Tensor, edges: Edges) -> Tensor:
    """The same for a picture that goes on beyond its edges, with margins of `_WRAPPED`."""
    margin = _RADIUS + _WRAPPED
    wrapped = edges == "wrap"
    around = F.pad(frame, (margin,) * 4, mode="circular") if wrapped else pad_around(frame, margin, "sphere")
    return _spline_coefficients(around)[..., _RADIUS:-_RADIUS, _RADIUS:-_RADIUS]


def _spline_coefficients(frame: Tensor) -> Tensor:
    """The B-spline coefficients whose spline goes through every pixel of `frame` (1, C, H, W)."""
    if frame.device.type == "cpu":
        taps = np.array(_PREFILTER, np.float32)
        planes = frame[0].contiguous().numpy()
        filtered = [cv2.sepFilter2D(plane, -1, taps, taps, borderType=cv2.BORDER_REFLECT) for plane in planes]
        return torch.from_numpy(np.stack(filtered))[None]
    kernel = constant(_PREFILTER, frame)
    channels = F.conv2d(pad(frame.transpose(0, 1), 3, _RADIUS, "symmetric"), kernel.view(1, 1, 1, -1))
    return F.conv2d(pad(channels, 2, _RADIUS, "symmetric"), kernel.view(1, 1, -1, 1)).transpose(0, 1)


def project(matrix: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Positions `x`, `y` (pixels) through a (3, 3) matrix; what lies behind the horizon is sent far away.

    Example:
        >>> x, y = project(torch.diag(torch.tensor([2.0, 3.0, 1.0])), torch.ones(1), torch.ones(1))
        >>> x.tolist(), y.tolist()
        ([2.0], [3.0])
    """
    (a, b, c), (d, e, f), (g, h, i) = matrix.tolist()
    there_x, there_y = a * x + b * y + c, d * x + e * y + f
    if (g, h, i) == (0.0, 0.0, 1.0):
        return there_x, there_y
    depth = (g * x + h * y + i).clamp_min(1e-4)
    return (there_x / depth).clamp(-_FAR, _FAR), (there_y / depth).clamp(-_FAR, _FAR)


def seen_positions(matrix: Tensor, size: Size, device: torch.device) -> tuple[Tensor, Tensor]:
    """Where each pixel of a picture of `size` is read through a backward (3, 3) matrix: x and y, float64 (H, W).

    A (4, 4) matrix moves a sphere, see `ops.sphere`.

    Example:
        >>> x, y = seen_positions(torch.eye(3).double(), Size(1, 2), torch.device('cpu'))
        >>> x.tolist(), y.tolist()
        ([[0.5, 1.5]], [[0.5, 0.5]])
    """
    y = torch.arange(size.height, device=device, dtype=matrix.dtype) + 0.5
    x = torch.arange(size.width, device=device, dtype=matrix.dtype) + 0.5
    x, y = torch.meshgrid(x, y, indexing="xy")
    return seen_on_sphere(matrix, x, y, size) if is_on_sphere(matrix) else project(matrix, x, y)


def plan_matrix(matrix: Tensor, size: Size, device: torch.device, edges: Edges = "reflect") -> SamplingPlan:
    """Plans reading a picture of `size` through a backward (3, 3) float64 pixel matrix, at the same size.

    A (4, 4) matrix reads a sphere, which has no edges.

    Example:
        >>> plan_matrix(torch.eye(3).double(), Size(4, 6), torch.device('cpu'), 'wrap').edges
        'wrap'
    """
    return plan_sampling(*seen_positions(matrix, size, device), size, "sphere" if is_on_sphere(matrix) else edges)


def warp_matrix(frame: Tensor, matrix: Tensor, edges: Edges = "reflect") -> Tensor:
    """`frame` (1, C, H, W) read through a backward (3, 3) pixel matrix. Not clamped.

    The identity returns the frame itself, bit for bit.

    Example:
        >>> picture = torch.rand(1, 3, 4, 6, generator=torch.Generator().manual_seed(0))
        >>> right = torch.tensor([[1.0, 0, 1], [0, 1, 0], [0, 0, 1]]).double()  # reads one pixel further right
        >>> torch.allclose(warp_matrix(picture, right)[..., :-1], picture[..., 1:], atol=1e-5)
        True
    """
    if is_identity(matrix):
        return frame
    return sample(frame, plan_matrix(matrix, size_of(frame), frame.device, edges))


def is_identity(matrix: Tensor) -> bool:
    """Whether a camera's matrix moves nothing at all.

    Example:
        >>> is_identity(torch.eye(3)), is_identity(2 * torch.eye(3))
        (True, False)
    """
    return torch.equal(matrix, torch.eye(len(matrix), dtype=matrix.dtype))


def resize(frame: Tensor, size: Size) -> Tensor:
    """`frame` (1, C, h, w) at another size: bicubic, low-passed when it shrinks. Not clamped.

    Example:
        >>> resize(torch.ones(1, 3, 4, 6), Size(2, 3)).shape
        torch.Size([1, 3, 2, 3])
    """
    if size_of(frame) == size:
        return frame
    return F.interpolate(frame, size, mode="bicubic", align_corners=False, antialias=True)


def resize_bilinear(field: Tensor, size: Size) -> Tensor:
    """A field (1, C, h, w) at another size, bilinear: for flows, trust and gradients, which must not overshoot.

    Not low-passed. A flow's values stay in pixels of the old size.

    Example:
        >>> resize_bilinear(torch.tensor([[[[0.0, 1.0]]]]), Size(1, 4)).flatten().tolist()
        [0.0, 0.25, 0.75, 1.0]
    """
    return F.interpolate(field, size, mode="bilinear", align_corners=False)
