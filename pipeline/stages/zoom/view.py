"""What a camera sees through a matrix."""

from __future__ import annotations

import torch
from torch import Tensor

from pipeline.ops.motion import inside, recently_revealed, sees_beyond
from pipeline.ops.warp import Edges, SamplingPlan, plan_sampling, sample, seen_positions
from pipeline.stages.spec import RunSpec

_BEYOND: dict[str, Edges] = {"reflect": "reflect", "wrap": "wrap", "replicate": "replicate", "noise": "replicate"}
_MELTING_SECONDS = 0.5
_LEFT_A_SECOND = 0.001  # of the old border, if it melted for a second on end


class View:
    """What a camera sees through a matrix: the plan for reading it, and with noise edges how much of it is new.

    `outside` is (1, 1, H, W) in [0, 1]. Where it `melts`, the border of the old picture gives way in the half second
    after it came into sight, so that no line is left behind.
    """

    def __init__(self, matrix: Tensor, spec: RunSpec, edges: str, *, melts: bool) -> None:
        size = spec.size
        x, y = seen_positions(matrix, size, spec.device)
        self._plan: SamplingPlan = plan_sampling(x, y, size, _BEYOND[edges])
        self.outside: Tensor | None = None
        if edges == "noise" and sees_beyond(matrix, size):
            outside = 1 - inside(torch.stack([x, y])[None].float(), size)
            if melts:
                young = recently_revealed(x, y, _MELTING_SECONDS * float(spec.fps))
                outside = torch.maximum(outside, young * (1 - _LEFT_A_SECOND ** float(1 / spec.fps)))
            self.outside = outside

    def of(self, frame: Tensor) -> Tensor:
        """The frame, read; not clamped."""
        return sample(frame, self._plan)
