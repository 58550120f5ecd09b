"""Estimating the motion between two pictures of a film: DIS on the CPU, RAFT where its weights are at hand."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Literal, Protocol

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from pipeline.backbones.weights import read_weights
from pipeline.errors import ModelError, reason_of
from pipeline.frame import Size, size_of, to_uint8
from pipeline.ops.border import pad
from pipeline.ops.motion import Motion, trust
from pipeline.ops.warp import Edges, resize, resize_bilinear

Method = Literal["dis", "raft", "raft-small"]
_FLAT: Edges = "reflect"
_SPHERE: Edges = "sphere"
_MARGIN = 8  # of a sphere's width, the part that is seen twice, so that motion is found across its edges


class Estimator(Protocol):
    """Dense flow between two pictures."""

    def __call__(self, now: Tensor, before: Tensor) -> Tensor:
        """Backward flow (1, 2, H, W) in pixels: `now` at p shows what `before` shows at p + flow(p).

        Both are (1, 3, H, W) in [0, 1] on the CPU; so is the flow.
        """
        ...


class Dis:
    """Dense inverse search (Kroeger et al. 2016), OpenCV's, with its medium preset."""

    def __init__(self) -> None:
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def __call__(self, now: Tensor, before: Tensor) -> Tensor:
        # No flow is carried from frame to frame as a start: a resumed run would begin without it.
        flow = self._dis.calc(_grey(now), _grey(before), np.empty(0))
        return torch.from_numpy(np.ascontiguousarray(flow.transpose(2, 0, 1)))[None]


def _grey(picture: Tensor) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(to_uint8(picture), cv2.COLOR_RGB2GRAY), np.uint8)


class Raft:
    """Recurrent all-pairs field transforms (Teed, Deng 2020), torchvision's, on `device`."""

    _STRIDE = 8
    _SMALLEST = 128  # its coarsest correlation level is empty below this

    def __init__(self, method: Method, weights: Path | None, device: torch.device) -> None:
        self._device = device
        self._network = _load_raft(method, weights).eval().requires_grad_(False).to(device)

    def __call__(self, now: Tensor, before: Tensor) -> Tensor:
        size = size_of(now)
        right = max(self._SMALLEST - size.width, -size.width % self._STRIDE)
        bottom = max(self._SMALLEST - size.height, -size.height % self._STRIDE)
        pair = [F.pad(p.to(self._device) * 2 - 1, (0, right, 0, bottom), mode="replicate") for p in (now, before)]
        flow: Tensor = self._network(*pair)[-1]
        return flow[:, :, : size.height, : size.width].cpu()


def _load_raft(method: Method, path: Path | None) -> torch.nn.Module:
    from torchvision.models import optical_flow  # half a second to import, so only when asked for

    build, known = {
        "raft": (optical_flow.raft_large, optical_flow.Raft_Large_Weights.DEFAULT),
        "raft-small": (optical_flow.raft_small, optical_flow.Raft_Small_Weights.DEFAULT),
    }[method]
    network: torch.nn.Module = build()
    try:
        network.load_state_dict(read_weights(path) if path is not None else known.get_state_dict(progress=False))
    except (ModelError, OSError, RuntimeError) as error:
        source = str(path) if path is not None else known.url
        raise ModelError(
            f"RAFT's weights can't be had from {source} ({reason_of(error)}); offline, fetch that file "
            "elsewhere and name it as `weights: PATH`, or take `motion: dis`, which needs none"
        ) from error
    return network


def make_estimator(method: Method, weights: Path | None, device: torch.device) -> Estimator:
    """The estimator a preset names. Raises ModelError when its weights can't be had."""
    return Dis() if method == "dis" else Raft(method, weights, device)


def estimate_motion(
    estimator: Estimator, now: Tensor, before: Tensor, longest_side: int, on_sphere: bool = False
) -> Motion:
    """How the picture `before` became `now`, both (1, 3, H, W) on the CPU, with trust by forward-backward check.

    Estimated at a working size of at most `longest_side` pixels and enlarged; pictures that are the same stand still.
    In whole spheres things move on over the left and right edge.
    """
    return motion_finder(estimator, longest_side, on_sphere)(now, before)


def motion_finder(
    estimator: Estimator, longest_side: int, on_sphere: bool = False
) -> Callable[[Tensor, Tensor], Motion]:
    """`estimate_motion` for pictures in a row, each of which is brought to the working size once."""

    @lru_cache(maxsize=2)
    def reduced(picture: Tensor) -> Tensor:
        if not on_sphere:
            return _at_working_size(picture, longest_side)
        around = pad(picture, 3, size_of(picture).width // _MARGIN, "sphere")
        return _at_working_size(around, longest_side + 2 * longest_side // _MARGIN)

    def find(now: Tensor, before: Tensor) -> Motion:
        size, edges = size_of(now), _SPHERE if on_sphere else _FLAT
        if torch.equal(now, before):
            return Motion(torch.zeros(1, 2, *size), torch.ones(1, 1, *size), edges)
        backward = estimator(reduced(now), reduced(before))
        believed = trust(backward, estimator(reduced(before), reduced(now)))
        margin = size.width // _MARGIN if on_sphere else 0
        around, inner = Size(size.height, size.width + 2 * margin), slice(margin, margin + size.width)
        flow, believed = _enlarged(backward, around, in_pixels=True), _enlarged(believed, around, in_pixels=False)
        return Motion(flow[..., inner], believed[..., inner], edges)

    return find


def _at_working_size(picture: Tensor, longest_side: int) -> Tensor:
    size = size_of(picture)
    ratio = longest_side / max(size)
    if ratio >= 1:
        return picture
    return resize(picture, Size(max(1, round(size.height * ratio)), max(1, round(size.width * ratio)))).clamp(0, 1)


def _enlarged(field: Tensor, size: Size, *, in_pixels: bool) -> Tensor:
    old = size_of(field)
    if old == size:
        return field
    larger = resize_bilinear(field, size)
    if not in_pixels:
        return larger
    return larger * larger.new_tensor([size.width / old.width, size.height / old.height]).view(1, 2, 1, 1)
