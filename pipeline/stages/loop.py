"""A film without an end: its last frame flows into its first. docs/loops.md tells how."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field
from torch import Tensor

from pipeline.errors import PipelineError
from pipeline.ops.droste import magnification, painted, positions_ahead, seen_ahead, share_to_add
from pipeline.stages.base import Effect, StageConfig
from pipeline.stages.context import FrameContext
from pipeline.stages.spec import RunSpec
from pipeline.times import SpanField, parse_span

_MOST_FRAMES = 100_000  # each of which needs the cameras' ways over all that follow


class LoopConfig(StageConfig):
    """Close the film into a loop: towards its end, its first frame is painted where the camera will find it."""

    closes: ClassVar[bool] = True
    over: SpanField = Field(parse_span("4s"), description="how long before the end the painting begins")

    def problems(self, spec: RunSpec) -> Iterator[tuple[str, str]]:
        if spec.on_sphere:
            yield "", "closes flat films, and this one is a sphere (`projection: equirectangular`); leave the stage out"
        if spec.frames is None:
            yield "", "closes a film that ends, but `duration` is endless; give it a length, and play that in a loop"
        elif self.over.span(spec.fps) >= spec.frames:
            length = f"{float(spec.frames / spec.fps):g}s"
            yield "over", f"is {self.over}, the film lasts {length}; make it shorter, or `duration` longer"
        elif self.over.span(spec.fps) > _MOST_FRAMES:
            yield "over", f"is {self.over.span(spec.fps)} frames, may be at most {_MOST_FRAMES}; make it shorter"
        if spec.parallax:
            yield "", "paints along one motion of the whole picture, and `depth` has many; leave out one of the two"
        if not spec.continues:
            yield "", "closes films that grow out of themselves; footage can't, leave the stage out"


class Loop(Effect[LoopConfig]):
    """Keeps the first frame, and paints it into the last ones."""

    def __init__(self, config: LoopConfig, spec: RunSpec) -> None:
        super().__init__(config, spec)
        self._first: Tensor | None = None

    def __call__(self, frame: Tensor, ctx: FrameContext) -> Tensor:
        if ctx.index == 0:
            self._first = frame
        assert self.spec.frames is not None
        over, left = self.config.over.span(self.spec.fps), self.spec.frames - ctx.index
        if not 0 < left < over or self._first is None:
            return frame
        motion = ctx.camera(self.spec.frames)
        ahead = positions_ahead(motion, self.spec.size, frame.device)
        now, before = (painted(ahead, self.spec.size, 1 - frames / over) for frames in (left, left + 1))
        shown = seen_ahead(self._first, ahead, magnification(motion, self.spec.size))
        return frame.lerp(shown, share_to_add(now, before)).clamp_(0, 1)

    def join(self, index: int) -> None:
        if index > 0:
            raise PipelineError(
                f"{self.config.id}: closes a film with its first frame, and {index} frames are there already; "
                "render a film that has it from the beginning"
            )

    def state_dict(self) -> dict[str, Tensor]:
        return {} if self._first is None else {"first": self._first}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self._first = state["first"].to(self.spec.device) if state else None
