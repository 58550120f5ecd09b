"""The zoom stage: moves the picture as its camera says, and brings something new where it looks beyond it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.curves import CurveError
from pipeline.device import upload
from pipeline.frame import Size
from pipeline.ops import noise
from pipeline.ops.camera import (
    Rates,
    cells_per_second,
    magnified,
    motion_matrix,
    over_ground,
    path_matrix,
    rate_matrices,
    seen_from,
)
from pipeline.ops.colour import ColourStatistics, colour_statistics, match_colours
from pipeline.ops.warp import is_identity
from pipeline.stages.base import Effect
from pipeline.stages.context import FrameContext
from pipeline.stages.spec import RunSpec
from pipeline.stages.zoom.config import ZoomConfig, pair_values
from pipeline.stages.zoom.view import View
from pipeline.stages.zoom.world import World

Array = NDArray[np.float64]
_ALIKE, _GRAIN = 0.8, 0.04  # share of the way from the clouds' own colours to the picture's; standard deviation
_CLOUDS_SECONDS = 0.5  # how long it takes the noise beyond the edges to turn into another


class Zoom(Effect[ZoomConfig]):
    """Moves the picture on by one frame's time where it feeds back, by all the time so far over footage."""

    def __init__(self, config: ZoomConfig, spec: RunSpec) -> None:
        super().__init__(config, spec)
        self._kept: tuple[Tensor, View] | None = None
        self._clouds: dict[int, Tensor] = {}
        self._steady = self.motion(float(1 / spec.fps)) if config.steady else None
        self._symmetry = None if config.symmetry is None else config.symmetry.build(spec)
        self._world = World(config.id, spec) if config.edges == "noise" and any(spec.margin) else None
        # Over footage: the way from the start to a frame, from which a steady camera counts, and others go on.
        self._index, self._way = 0, torch.eye(3, dtype=torch.float64)

    def motion(self, seconds: float) -> Tensor:
        """The backward (3, 3) pixel matrix of a steady camera's motion over `seconds`."""
        c = self.config
        start = self.spec.clock.at_frame(0)
        zoom, degrees = float(c.zoom.values(start)[0]), float(c.rotate.values(start)[0])
        names = ("pan", "centre", "shear", "tilt")
        pan, centre, shear, tilt = (tuple(float(x[0]) for x in pair_values(getattr(c, name), start)) for name in names)
        matrix = motion_matrix(
            seconds,
            self.spec.frame,
            zoom=zoom,
            degrees_per_second=degrees,
            pan=(pan[0], pan[1]),
            centre=(centre[0], centre[1]),
            shear=(shear[0], shear[1]),
            tilt=(tilt[0], tilt[1]),
        )
        return self._on_canvas(matrix)

    def _on_canvas(self, matrices: Tensor) -> Tensor:
        """Matrices of the frame's pixels in those of the picture that goes round, which begins before the frame."""
        down, right = self.spec.margin
        return seen_from(matrices, Size(-down, -right)) if any(self.spec.margin) else matrices

    def camera(self, index: int) -> Tensor:
        if self._steady is not None:
            return self._steady
        return self._punched(self._step(index, self._rates), index)

    def _punched(self, step: Tensor, index: int) -> Tensor:
        """A step to frame `index` between pictures that are punched: that of the one before is taken back first."""
        if self.config.punch.constant == 0:
            return step
        taken_back: Tensor = torch.linalg.inv(self._punch(index - 1))
        return taken_back @ step @ self._punch(index)

    def _punch(self, index: int) -> Tensor:
        """The backward (3, 3) pixel matrix of what a frame is magnified by beside all motion."""
        moment = self.spec.clock.at_frame(max(0, index))
        x, y = (curve.at(moment) for curve in self.config.centre)
        return self._on_canvas(magnified(1 + self.config.punch.at(moment), (x, y), self.spec.frame))

    def _step(self, index: int, rates: Callable[[Array], Tensor]) -> Tensor:
        index = max(1, index)  # a lead-in moves as the film begins to
        start, end = float((index - 1) / self.spec.fps), float(index / self.spec.fps)
        margin = 2 / cells_per_second(end - start)
        return path_matrix(rates, start, end, self.config.breaks(start - margin, end + margin, self.spec))

    def _rates(self, seconds: Array) -> Tensor:
        rates = self._on_canvas(rate_matrices(self._rates_at(seconds), self.spec.frame))
        if not rates.isfinite().all():  # in an endless film, past what was checked
            raise CurveError(f"{self.config.id}: the camera's motion has no finite value at {seconds[0]:.2f}s")
        return rates

    def _ground_rates(self, seconds: Array) -> Tensor:
        return self._on_canvas(rate_matrices(over_ground(self._rates_at(seconds)), self.spec.frame))

    def _rates_at(self, seconds: Array) -> Rates:
        return self.config.rates(self.spec.clock.at_seconds(seconds))

    def way(self, index: int) -> Tensor:
        """The backward (3, 3) pixel matrix from frame `index` to the film's first."""
        went = self._went(index)
        return went if self.config.punch.constant == 0 else went @ self._punch(index)

    def _went(self, index: int) -> Tensor:
        """The same without the punch."""
        if self.config.steady:
            return self._way @ self.motion(float((index - self._index) / self.spec.fps))
        if index < self._index:
            self._index, self._way = 0, torch.eye(3, dtype=torch.float64)
        while self._index < index:
            self._index += 1
            self._way = self._way @ self._step(self._index, self._rates)
        return self._way

    def fits(self, spec: RunSpec) -> bool:
        return spec.continues or not self.spec.continues

    def changed(self, config: ZoomConfig, spec: RunSpec, index: int) -> Zoom:
        """Over footage the camera goes on from where it is; footage that is new, it begins with."""
        successor = Zoom(config, spec)
        if self._world is not None and successor._world is not None:
            successor._world.load_state_dict(self._world.state_dict())
        if self.spec.continues:
            successor.join(index)
        elif config.model_copy(update={"edges": self.config.edges}) == self.config:
            successor._index, successor._way = self._index, self._way
        elif index > 0:
            successor._index, successor._way = index - 1, self._went(index - 1)
        return successor

    def join(self, index: int) -> None:
        """Over footage the camera begins where the film is now, not far along a way that it did not go."""
        self._index = 0 if self.spec.continues else max(0, index - 1)

    def state_dict(self) -> dict[str, Tensor]:
        way = {"index": torch.tensor(self._index), "way": self._way} if self._index > 0 else {}
        return way if self._world is None else way | self._world.state_dict()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        if self._world is not None and "world" in state:
            self._world.load_state_dict(state)
        if "index" in state:
            self._index, self._way = int(state["index"]), state["way"].clone()

    def __call__(self, frame: Tensor, ctx: FrameContext) -> Tensor:
        if ctx.source is not None:
            return self._over_footage(frame, ctx)
        if ctx.previous is None or is_identity(matrix := self.camera(ctx.index)):
            return self._at_rest(frame, ctx)
        ctx.move(matrix, torch.eye(3, dtype=matrix.dtype))
        if self._symmetry is not None:
            ctx.fold(self._symmetry)
        if self._world is not None:
            self._world.go(self._punched(self._step(ctx.index, self._ground_rates), ctx.index))
        view = self._view(matrix, melts=True)
        if view.outside is None:
            return view.of(frame).clamp_(0, 1)
        assert view.revealed is not None
        ctx.reveal(view.revealed)
        seen = view.of(frame)
        return seen.lerp_(self._something_new(ctx, colour_statistics(self.spec.cut(seen))), view.outside).clamp_(0, 1)

    def _at_rest(self, frame: Tensor, ctx: FrameContext) -> Tensor:
        if self._symmetry is None:
            return frame
        ctx.fold(self._symmetry)
        begun = ctx.previous is not None and ctx.source is None
        return (self._symmetry.folded if begun else self._symmetry.imposed)(frame).clamp_(0, 1)

    def _over_footage(self, frame: Tensor, ctx: FrameContext) -> Tensor:
        """Footage is fresh in every frame, so the camera has its whole way from the start to go each time."""
        before = self.way(ctx.index - 1) if ctx.index > 0 else self._before_the_start()
        matrix = self.way(ctx.index)
        ctx.move(matrix, before)
        if is_identity(matrix):
            return self._at_rest(frame, ctx)
        if self._symmetry is not None:
            ctx.fold(self._symmetry)
        view = self._view(matrix, melts=False)
        seen = view.of(frame)
        # What lies beyond footage stays what it is, as footage does.
        return (seen if view.outside is None else seen.lerp_(self._cloud(ctx, 0), view.outside)).clamp_(0, 1)

    def _before_the_start(self) -> Tensor:
        return self.motion(-float(1 / self.spec.fps)) if self.config.steady else torch.eye(3, dtype=torch.float64)

    def _view(self, matrix: Tensor, *, melts: bool) -> View:
        if self._kept is None or not torch.equal(self._kept[0], matrix):
            self._kept = (matrix.clone(), View(matrix, self.spec, self.config.edges, self._symmetry, melts=melts))
        return self._kept[1]

    def _something_new(self, ctx: FrameContext, colours: ColourStatistics) -> Tensor:
        """Clouds near the picture's colours, and grain; they drift, so that what grows is as long as it is wide."""
        if self._world is not None:
            return match_colours(self._world.seen(ctx.generator), colours, 1.0)
        number, share = divmod(ctx.seconds / _CLOUDS_SECONDS, 1.0)
        clouds = self._cloud(ctx, int(number)).lerp(self._cloud(ctx, int(number) + 1), share)
        grain = upload(torch.randn(1, 1, *self.spec.size, generator=ctx.generator(self.config.id)), self.spec.device)
        return match_colours(clouds, colours, _ALIKE).add_(grain, alpha=_GRAIN)

    def _cloud(self, ctx: FrameContext, number: int) -> Tensor:
        if number not in self._clouds:
            generator = ctx.generator(f"{self.config.id}/clouds", number)
            self._clouds = {n: cloud for n, cloud in self._clouds.items() if abs(n - number) <= 1}
            self._clouds[number] = upload(noise.pink(self.spec.size, 0.2, 2.0, generator), self.spec.device)
        return self._clouds[number]
