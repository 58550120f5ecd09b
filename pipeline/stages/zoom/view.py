"""What a camera sees through a matrix."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pipeline.device import upload
from pipeline.frame import Size
from pipeline.ops.blur import anti_alias, filter_separable
from pipeline.ops.growth import dissolving, ripening
from pipeline.ops.motion import inside, read_field, recently_revealed, sees_beyond
from pipeline.ops.relief import Sight, pixel_area
from pipeline.ops.symmetry import Symmetry
from pipeline.ops.warp import Edges, SamplingPlan, plan_sampling, project, sample, seen_positions
from pipeline.stages.spec import RunSpec
from pipeline.stages.zoom.space import Deep

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

    With depth, `matrix` says what is seen of the plane at distance 1 only, and `deep` the rest.
    """

    def __init__(
        self,
        matrix: Tensor,
        spec: RunSpec,
        edges: str,
        symmetry: Symmetry | None,
        *,
        melts: bool,
        deep: Deep | None = None,
    ) -> None:
        size = spec.size
        here = x, y = seen_positions(torch.eye(3, dtype=matrix.dtype), size, spec.device)
        if symmetry is None:
            x, y = project(matrix, x, y) if deep is None else deep.sight.positions[0]
        else:
            here = symmetry.positions(x, y, begun=melts)
            x, y = (
                project(matrix, *here)
                if deep is None
                else deep.scene.sight(torch.stack(here)[None].float()).positions[0]
            )
            if melts:  # what the picture was made from was symmetric, too
                x, y = symmetry.positions(x, y)
        self._plan: SamplingPlan = plan_sampling(x, y, size, _BEYOND[edges])
        self._taps: Tensor | None = None
        self.outside: Tensor | None = None
        self.revealed: Tensor | None = None if deep is None else _hidden(deep.sight, symmetry, here)
        if edges != "noise" or not (symmetry is not None or deep is not None or sees_beyond(matrix, size)):
            return
        hidden = self.revealed
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
        if hidden is not None and self.revealed is not None:
            self.revealed = torch.maximum(self.revealed, hidden)

    def of(self, frame: Tensor) -> Tensor:
        """The frame, read; not clamped."""
        return sample(frame if self._taps is None else filter_separable(frame, self._taps, "edge"), self._plan)


def _shrinking(matrix: Tensor, size: Size) -> float:
    """How much smaller things become in the middle of the view; below 1 they become larger."""
    return math.sqrt(pixel_area(matrix, size))


def _hidden(sight: Sight, symmetry: Symmetry | None, here: tuple[Tensor, Tensor]) -> Tensor | None:
    if sight.hidden is None or symmetry is None:
        return sight.hidden
    return read_field(sight.hidden, torch.stack(here)[None].float())
