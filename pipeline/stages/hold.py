"""A guard: figures of the picture that stay where they should."""

from __future__ import annotations

import math
from functools import partial
from typing import Annotated, Literal

import torch
from pydantic import BeforeValidator, Field, WithJsonSchema
from torch import Tensor

from pipeline.ops.control import lag, proportional_integral
from pipeline.ops.hold import SCALES, scale_sharpness
from pipeline.ops.measure import figures
from pipeline.stages.base import Effect, StageConfig
from pipeline.stages.context import FrameContext
from pipeline.stages.spec import RunSpec
from pipeline.times import SpanField, Time, parse_span

FIGURES = ("brightness", "contrast", "saturation", "sharpness")
FIRST = "first"
_UNKNOWN = math.nan  # the target of a figure whose first value is still to be measured
_FLOOR = 1e-3  # a figure of a flat picture is 0 and has no logarithm

_LEAST, _MOST = 0.001, 2.0


def parse_target(value: object) -> float | str:
    """A figure as `run.jsonl` has it, or `first`. Raises ValueError."""
    if value == FIRST:
        return FIRST
    if isinstance(value, int | float) and not isinstance(value, bool) and _LEAST <= value <= _MOST:
        return float(value)
    raise ValueError(f"must be a number from {_LEAST:g} to {_MOST:g}, or {FIRST}")


Target = Annotated[
    float | Literal["first"],
    BeforeValidator(parse_target),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": _LEAST, "maximum": _MOST}, {"const": FIRST}]}),
]


class HoldConfig(StageConfig):
    """Hold figures of the picture near a target, against slow drift. `run.jsonl` and `dreamreel plot` show them."""

    brightness: Target | None = Field(
        None, description="mean luma; a number as in run.jsonl, or first: its value after `settle`"
    )
    contrast: Target | None = Field(None, description="standard deviation of luma; a number, or first")
    saturation: Target | None = Field(None, description="mean distance of the colours; a number, or first")
    sharpness: Target | None = Field(None, description="standard deviation of luma's Laplacian; a number, or first")
    settle: SpanField = Field(
        parse_span("2s"), description="how long after the beginning, lead-in included, `first` is measured"
    )
    within: float = Field(2.0, ge=0.1, le=600, description="seconds in which a deviation is corrected; more is gentler")


class Hold(Effect[HoldConfig]):
    """Pushes each held figure by a small factor per frame, from a proportional-integral controller."""

    def __init__(self, config: HoldConfig, spec: RunSpec) -> None:
        super().__init__(config, spec)
        given = [getattr(config, name) for name in FIGURES]
        self._scale = (*SCALES[:-1], partial(scale_sharpness, border=spec.border))
        self._held = [index for index, target in enumerate(given) if target is not None]
        self._places = torch.tensor(self._held, dtype=torch.long, device=spec.device)
        self._waits = FIRST in given
        self._waits_for_all = all(given[i] == FIRST for i in self._held)
        self._is_first = torch.tensor([given[i] == FIRST for i in self._held], device=spec.device)
        numbers = [_UNKNOWN if given[i] == FIRST else given[i] for i in self._held]
        self._targets = torch.tensor(numbers, dtype=torch.float32, device=spec.device)
        self._integral = torch.zeros_like(self._targets)

    def __call__(self, frame: Tensor, ctx: FrameContext) -> Tensor:
        """While there is nothing to hold it to, the frame itself."""
        settled = self._settled_in(ctx) <= 0
        if not self._held or (self._waits_for_all and not settled):
            return frame
        measured = figures(self.spec.cut(frame)).index_select(0, self._places).clamp_min(_FLOOR)
        if settled and self._waits:
            self._targets = torch.where(self._targets.isnan(), measured, self._targets)
        error = torch.log(self._targets / measured)
        if self._waits and not settled:
            error = error.masked_fill(self._is_first, 0.0)
        factors = torch.exp(self._push(error))
        for place, index in enumerate(self._held):
            frame = self._scale[index](frame, factors[place])
        return frame.clamp(0, 1)

    def fits(self, spec: RunSpec) -> bool:
        return spec.feeds_back == self.spec.feeds_back

    def changed(self, config: HoldConfig, spec: RunSpec, index: int) -> Hold:
        """What was measured of a figure stays with it while its target is the same, and so does the push that holds it.

        Pushes that add up and pushes that are forgotten are of other sizes: the one is no beginning for the other.
        """
        successor, places = Hold(config, spec), {figure: place for place, figure in enumerate(self._held)}
        for place, figure in enumerate(successor._held):
            if figure in places:
                if self.fits(spec):
                    successor._integral[place] = self._integral[places[figure]]
                if getattr(config, FIGURES[figure]) == getattr(self.config, FIGURES[figure]):
                    successor._targets[place] = self._targets[places[figure]]
        return successor

    def _settled_in(self, ctx: FrameContext) -> int:
        settle: Time = self.config.settle
        return settle.span(self.spec.fps) - (ctx.index + self.spec.lead_in)

    def _push(self, error: Tensor) -> Tensor:
        control = proportional_integral if self.spec.feeds_back else lag
        push, self._integral = control(error, self._integral, float(1 / self.spec.fps), self.config.within)
        return push

    def state_dict(self) -> dict[str, Tensor]:
        return {"integral": self._integral, "targets": self._targets} if self._held else {}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        if state:
            self._integral, self._targets = (state[name].to(self.spec.device) for name in ("integral", "targets"))
