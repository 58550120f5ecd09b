"""A stage for dreamreel: the picture in a kaleidoscope, whose mirrors turn."""

from __future__ import annotations

import math
from typing import Annotated

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from dreamreel.api import Constant, CurveField, Effect, Field, FrameContext, RunSpec, StageConfig, StageType, Within


class KaleidoscopeConfig(StageConfig):
    """See the picture between mirrors that meet in its middle."""

    segments: int = Field(6, ge=2, le=64, description="how often the picture is repeated around its middle")
    turn: Annotated[CurveField, Within(-3600, 3600)] = Field(
        Constant(10.0), description="how fast the mirrors turn, in degrees per second"
    )
    shown_only: bool = Field(
        False, description="true: only the film shows it; false: the dream goes on from what the mirrors show"
    )

    @property
    def feeds_back(self) -> bool:
        return not self.shown_only


class Kaleidoscope(Effect[KaleidoscopeConfig]):
    """Folds the angle of every pixel into one segment, whose edges are mirrors."""

    def __init__(self, config: KaleidoscopeConfig, spec: RunSpec) -> None:
        super().__init__(config, spec)
        # `turn` may move along the film, so where the mirrors stand is the sum of all frames so far.
        self._degrees = 0.0

    def __call__(self, frame: Tensor, ctx: FrameContext) -> Tensor:
        self._degrees += self.config.turn.at(ctx.moment) / float(self.spec.fps)
        grid = folded_grid(frame, math.radians(self._degrees), self.config.segments)
        return grid_sample(frame, grid, padding_mode="reflection", align_corners=False).clamp(0, 1)

    def state_dict(self) -> dict[str, Tensor]:
        return {"degrees": torch.tensor(self._degrees, dtype=torch.float64)}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self._degrees = float(state["degrees"])


def folded_grid(frame: Tensor, radians: float, segments: int) -> Tensor:
    """Where each pixel of a frame (1, 3, H, W) is looked up, as (1, H, W, 2) for `grid_sample`, `align_corners=False`.

    The mirrors stand at `radians`, clockwise from the right, and every whole segment further.
    """
    height, width = frame.shape[-2:]
    like = {"device": frame.device, "dtype": frame.dtype}
    y = torch.arange(height, **like)[:, None] + 0.5 - height / 2
    x = torch.arange(width, **like)[None, :] + 0.5 - width / 2
    radius, segment = torch.hypot(x, y), 2 * math.pi / segments
    within = torch.remainder(torch.atan2(y, x) - radians, segment)
    angle = torch.minimum(within, segment - within) + radians
    return torch.stack([radius * torch.cos(angle) * 2 / width, radius * torch.sin(angle) * 2 / height], -1)[None]


STAGE = StageType(KaleidoscopeConfig, Kaleidoscope)
