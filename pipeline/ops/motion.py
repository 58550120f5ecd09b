"""Dense motion: moving pictures along it, judging where it can be trusted, and composing it with a camera's.

Flow is (1, 2, H, W), channel 0 = dx, channel 1 = dy, in pixels, backward: pixel p of frame n was at p + flow(p) in
frame n-1. Positions are (1, 2, H, W) pixels with centres at half-integers, as in `ops.camera`.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.frame import Size, size_of
from pipeline.ops.smoothstep import smoothstep
from pipeline.ops.sphere import is_on_sphere, seen_on_sphere, shortest_way
from pipeline.ops.warp import Edges, project, sample_at


@dataclass(frozen=True)
class Motion:
    """How one frame came out of the one before: backward `flow` in pixels, and how far each pixel's is believed.

    `trust` is (1, 1, H, W) in [0, 1]: 0 where the frame shows what the one before hid, or where it ends.
    """

    flow: Tensor
    trust: Tensor
    edges: Edges = "reflect"
    """what the pictures are beyond their edges"""

    def to(self, device: torch.device) -> Motion:
        """The same on another device."""
        return Motion(self.flow.to(device, non_blocking=True), self.trust.to(device, non_blocking=True), self.edges)

    def pinned(self) -> Motion:
        """The same, ready for a CUDA device to fetch without anyone waiting."""
        return Motion(self.flow.pin_memory(), self.trust.pin_memory(), self.edges)


def pixel_positions(size: Size, like: Tensor) -> Tensor:
    """Every pixel's own position, (1, 2, H, W), on the device and in the type of `like`.

    Example:
        >>> pixel_positions(Size(1, 2), torch.zeros(())).tolist()
        [[[[0.5, 1.5]], [[0.5, 0.5]]]]
    """
    y = torch.arange(size.height, device=like.device, dtype=like.dtype) + 0.5
    x = torch.arange(size.width, device=like.device, dtype=like.dtype) + 0.5
    return torch.stack([x.expand(size.height, -1), y[:, None].expand(-1, size.width)])[None]


def read_field(field: Tensor, positions: Tensor) -> Tensor:
    """A field (1, C, h, w), such as a flow, read between its values at `positions` (1, 2, H, W); mirrored outside.

    Example:
        >>> field = torch.tensor([[[[0.0, 10.0]]]])
        >>> read_field(field, torch.tensor([1.0, 0.5]).view(1, 2, 1, 1)).item()  # halfway between two pixels' centres
        5.0
    """
    height, width = size_of(field)
    grid = torch.stack([positions[:, 0] * (2 / width) - 1, positions[:, 1] * (2 / height) - 1], -1)
    return F.grid_sample(field, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


def warp(picture: Tensor, flow: Tensor, edges: Edges = "reflect") -> Tensor:
    """`picture` of frame n-1, (1, C, H, W), as it lies in frame n: by cubic B-splines. Unclamped.

    Example:
        >>> picture = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> flow = torch.zeros(1, 2, 8, 8)
        >>> flow[:, 0] = 1  # each pixel was one further right: everything moves left
        >>> torch.allclose(warp(picture, flow)[..., :-1], picture[..., 1:], atol=1e-5)
        True
    """
    positions = pixel_positions(size_of(flow), flow) + flow
    return sample_at(picture, positions[0, 0], positions[0, 1], edges)


def projected(matrix: Tensor, positions: Tensor, size: Size) -> Tensor:
    """`positions` (1, 2, H, W) in a picture of `size` through a camera's matrix, (3, 3) or on a sphere (4, 4).

    Example:
        >>> twice, one = torch.diag(torch.tensor([2.0, 3.0, 1.0])), torch.ones(1, 2, 1, 1)
        >>> projected(twice, one, Size(4, 4)).flatten().tolist()
        [2.0, 3.0]
    """
    if is_on_sphere(matrix):
        x, y = seen_on_sphere(matrix, positions[:, 0], positions[:, 1], size)
    else:
        x, y = project(matrix, positions[:, 0], positions[:, 1])
    return torch.stack([x, y], 1)


def under_camera(motion: Motion | None, now: Tensor, before: Tensor, like: Tensor) -> Motion:
    """The motion of a scene that moves by `motion` (None: not at all), seen by a camera that moves too.

    `now` and `before` are the camera's backward matrices, from frames n and n-1 to the scene, (3, 3) or on a sphere
    (4, 4); `like` is a frame (1, 3, H, W). A pixel of frame n is followed to the scene, along its motion, and back to
    frame n-1.

    Example:
        >>> shift = torch.tensor([[1.0, 0, 2], [0, 1, 0], [0, 0, 1]]).double()
        >>> motion = under_camera(None, shift, torch.eye(3).double(), torch.zeros(1, 3, 4, 6))
        >>> motion.flow[0, :, 0, 0].tolist(), motion.trust[0, 0, 0].tolist()
        ([2.0, 0.0], [1.0, 1.0, 1.0, 1.0, 0.5, 0.0])
    """
    size = size_of(like)
    here = pixel_positions(size, like)
    scene = projected(now, here, size)
    trust = torch.ones_like(here[:, :1])
    if motion is not None:
        trust = read_field(motion.trust, scene)
        scene = scene + read_field(motion.flow, scene)
    there = projected(torch.linalg.inv(before.double()), scene, size)
    if is_on_sphere(now):
        return Motion(shortest_way(there - here, size), trust, "sphere")
    return Motion(there - here, trust * inside(there, size))


def inside(positions: Tensor, size: Size) -> Tensor:
    """(1, 1, H, W): 1 where `positions` lie in a picture of `size`, falling to 0 within a pixel outside.

    Example:
        >>> inside(torch.tensor([0.5, 2.25, 9.0]).expand(1, 2, 1, 3), Size(2, 2)).flatten().tolist()
        [1.0, 0.75, 0.0]
    """
    x, y = positions[:, :1], positions[:, 1:]
    outside = torch.maximum(torch.maximum(-x, x - size.width), torch.maximum(-y, y - size.height))
    return (1 - outside).clamp(0, 1)


def sees_beyond(matrix: Tensor, size: Size) -> bool:
    """Whether part of a picture of `size` is read outside of it through a backward (3, 3) matrix, on the CPU.

    That is so long before a whole pixel is, when a camera moves slowly.

    Example:
        >>> closer, further = torch.diag(torch.tensor([0.5, 0.5, 1])), torch.diag(torch.tensor([2.0, 2.0, 1]))
        >>> sees_beyond(closer, Size(4, 6)), sees_beyond(further, Size(4, 6))
        (False, True)
    """
    # The corners tell for all pixels: what they enclose stays within them.
    corners = (torch.tensor([0, side], dtype=matrix.dtype) for side in (size.width, size.height))
    x, y = project(matrix, *torch.meshgrid(*corners, indexing="xy"))
    return max(float(-x.min()), float(x.max()) - size.width, float(-y.min()), float(y.max()) - size.height) > 1e-6


def recently_revealed(x: Tensor, y: Tensor, frames: float) -> Tensor:
    """(1, 1, H, W) in [0, 1]: how new each place is to a camera that reads it at `x`, `y` (H, W) of the frame before.

    1 where it just came in over the edge, 0 where it has been in sight for `frames`, if the camera goes on as it does.

    Example:
        >>> here = pixel_positions(Size(1, 4), torch.zeros(()))[0]
        >>> new = recently_revealed(here[0] + 0.25, here[1], 8.0)
        >>> [round(value, 3) for value in new.flatten().tolist()]
        [0.0, 0.0, 0.156, 0.844]
    """
    height, width = x.shape
    here = pixel_positions(Size(height, width), x)[0]
    ages = [
        torch.where(to > at, side - at, at) / (to - at).abs().clamp_min(1e-6)
        for to, at, side in ((x, here[0], width), (y, here[1], height))
    ]
    share = (1 - torch.minimum(*ages) / frames).clamp(0, 1).float()
    return smoothstep(share)[None, None]


def disoccluded(backward: Tensor, forward: Tensor) -> Tensor:
    """(1, 1, H, W) bool: what frame n-1 did not show, by forward and backward flow contradicting each other.

    `forward` is the flow from n-1 to n, given at n-1. Source: Ruder, Dosovitskiy, Brox 2016, eq. 4
    (after Sundaram et al. 2010).

    Example:
        >>> right = torch.tensor([3.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 4, 8)
        >>> bool(disoccluded(right, -right).any()), bool(disoccluded(right, right).all())
        (False, True)
    """
    returned = read_field(forward, pixel_positions(size_of(backward), backward) + backward)
    gap = (returned + backward).square().sum(1, keepdim=True)
    length = returned.square().sum(1, keepdim=True) + backward.square().sum(1, keepdim=True)
    return gap > 0.01 * length + 0.5


def motion_edges(backward: Tensor) -> Tensor:
    """(1, 1, H, W) bool: borders between motions, where flow is smeared. Source: Ruder et al. 2016, eq. 5.

    Example:
        >>> flow = torch.zeros(1, 2, 4, 8)
        >>> flow[..., 4:] = 5
        >>> motion_edges(flow)[0, 0, 0].int().tolist()
        [0, 0, 0, 1, 1, 0, 0, 0]
    """
    dx, dy = torch.gradient(backward, dim=(3, 2))
    steepness = (dx.square() + dy.square()).sum(1, keepdim=True)
    return steepness > 0.01 * backward.square().sum(1, keepdim=True) + 0.002


def trust(backward: Tensor, forward: Tensor, edge_trust: float = 0.5) -> Tensor:
    """(1, 1, H, W) in [0, 1]: 0 where `backward` leads to nothing seen before, `edge_trust` at motion edges.

    The masks are widened by a pixel and softened, so that no hard border of trust shows in a picture (our addition).

    Example:
        >>> still = torch.zeros(1, 2, 4, 6)
        >>> trust(still, still).unique().tolist()
        [1.0]
    """
    hidden = _widened(disoccluded(backward, forward))
    edges = motion_edges(backward).float()
    result = (1 - hidden) * (1 - (1 - edge_trust) * edges)
    result = F.avg_pool2d(F.pad(result, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return result * inside(pixel_positions(size_of(backward), backward) + backward, size_of(backward))


def _widened(mask: Tensor) -> Tensor:
    if mask.device.type != "cpu":
        return F.max_pool2d(mask.float(), 3, 1, 1)
    # Forty times as fast, and the same.
    widened = cv2.dilate(mask[0, 0].numpy().view(np.uint8), np.ones((3, 3), np.uint8))
    return torch.from_numpy(widened)[None, None].float()
