"""What a camera sees through a matrix."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pipeline.device import upload
from pipeline.frame import Size
from pipeline.ops.blur import anti_alias, filter_separable
from pipeline.ops.growth import dissolving, ripening
from pipeline.ops.motion import inside, recently_revealed, sees_beyond
from pipeline.ops.symmetry import Symmetry
from pipeline.ops.warp import Edges, SamplingPlan, plan_sampling, project, sample, seen_positions
from pipeline.stages.spec import RunSpec

_BEYOND: dict[str, Edges] = {"reflect": "reflect", "wrap": "wrap", "replicate": "replicate", "noise": "replicate"}
_MELTING_SECONDS = 0.5
_LEFT_A_SECOND = 0.001  # of the old border, if it melted for a second on end


class View:
    """What a camera sees through a matrix: the plan for reading it, and with noise edges how much of it is new.

    `outside` is (1, 1, H, W) in [0, 1]: how far the picture gives way to something new. `revealed`, likewise, is how
    much the dream has to catch up there. Both None: nothing is new. Where it `melts`, the picture gives way in the
    margin, or without one the border of the old picture does in the half second after it came into sight, so that no
    line is left behind. With a margin, what moves away is low-passed as it shrinks, by little in each frame: else
    detail would gather in the middle, finer and finer, till it is no more than grit.
    """

    def __init__(self, matrix: Tensor, spec: RunSpec, edges: str, symmetry: Symmetry | None, *, melts: bool) -> None:
        size = spec.size
        here = x, y = seen_positions(torch.eye(3, dtype=matrix.dtype), size, spec.device)
        if symmetry is None:
            x, y = project(matrix, x, y)
        else:
            here = symmetry.positions(x, y, begun=melts)
            x, y = project(matrix, *here)
            if melts:  # what the picture was made from was symmetric, too
                x, y = symmetry.positions(x, y)
        self._plan: SamplingPlan = plan_sampling(x, y, size, _BEYOND[edges])
        self._taps: Tensor | None = None
        self.outside: Tensor | None = None
        self.revealed: Tensor | None = None
        if edges != "noise" or not (symmetry is not None or sees_beyond(matrix, size)):
            return
        self.outside = self.revealed = 1 - inside(torch.stack([x, y])[None].float(), size)
        if melts and any(spec.margin):
            self.outside = torch.maximum(self.outside, dissolving(*here, spec.margin, float(1 / spec.fps)))
            self.revealed = ripening(here, (x, y), spec.margin)
            if (scale := _shrinking(matrix, size)) > 1:
                self._taps = upload(anti_alias(scale), spec.device)
        elif melts:
            young = recently_revealed(x, y, _MELTING_SECONDS * float(spec.fps))
            self.outside = torch.maximum(self.outside, young * (1 - _LEFT_A_SECOND ** float(1 / spec.fps)))
            self.revealed = self.outside

    def of(self, frame: Tensor) -> Tensor:
        """The frame, read; not clamped."""
        return sample(frame if self._taps is None else filter_separable(frame, self._taps, "edge"), self._plan)


def _shrinking(matrix: Tensor, size: Size) -> float:
    """How much smaller things become in the middle of the view; below 1 they become larger."""
    three = torch.tensor([[0.5, -0.5, 0.5], [0.5, 0.5, -0.5]], dtype=matrix.dtype)
    x, y = project(matrix, three[0] + size.width / 2, three[1] + size.height / 2)
    return math.sqrt(abs(float((x[0] - x[1]) * (y[0] - y[2]) - (x[0] - x[2]) * (y[0] - y[1]))))
