"""The zoom stage: moves the picture as its camera says, and brings something new where it looks beyond it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from pipeline.device import upload
from pipeline.ops import noise
from pipeline.ops.colour import ColourStatistics, colour_statistics, match_colours
from pipeline.ops.warp import is_identity
from pipeline.stages.base import Effect
from pipeline.stages.context import FrameContext
from pipeline.stages.spec import RunSpec
from pipeline.stages.zoom.config import ZoomConfig
from pipeline.stages.zoom.depth import GeometryDepth, ReliefDepth
from pipeline.stages.zoom.route import Route
from pipeline.stages.zoom.space import Deep, Depth, flight
from pipeline.stages.zoom.view import View
from pipeline.stages.zoom.world import World

_ALIKE, _GRAIN = 0.8, 0.04  # share of the way from the clouds' own colours to the picture's; standard deviation
_CLOUDS_SECONDS = 0.5  # how long it takes the noise beyond the edges to turn into another


class Zoom(Effect[ZoomConfig]):
    """Moves the picture on by one frame's time where it feeds back, by all the time so far over footage."""

    def __init__(self, config: ZoomConfig, spec: RunSpec) -> None:
        super().__init__(config, spec)
        self._kept: tuple[Tensor, Deep | None, View] | None = None
        self._clouds: dict[int, Tensor] = {}
        self._route = Route(config, spec)
        self._geometry = config.depth if isinstance(config.depth, GeometryDepth) else None
        self._depth = Depth(config.depth, spec) if isinstance(config.depth, ReliefDepth) else None
        self._symmetry = None if config.symmetry is None else config.symmetry.build(spec)
        self._world = World(config.id, spec) if config.edges == "noise" and any(spec.margin) else None
        # Over footage: the way from the start to a frame, from which a steady camera counts, and others go on.
        self._index, self._way = 0, torch.eye(3, dtype=torch.float64)

    def camera(self, index: int) -> Tensor:
        return self._route.to(index)

    def motion(self, seconds: float) -> Tensor:
        """The backward (3, 3) pixel matrix of a steady camera's motion over `seconds`."""
        return self._route.motion(seconds)

    def way(self, index: int) -> Tensor:
        """The backward (3, 3) pixel matrix from frame `index` to the film's first; with depth one for each plane."""
        went = self._went(index)
        if self._depth is not None:
            went = went.expand(len(self._depth.planes), 3, 3)
        return went @ self._route.punch(index) if self._route.punches else went

    def _went(self, index: int) -> Tensor:
        """The same without the punch."""
        if self.config.steady:
            seconds = float((index - self._index) / self.spec.fps)
            return self._way @ self._on_planes(partial(self._route.motion, seconds))
        if index < self._index:
            self._index, self._way = 0, torch.eye(3, dtype=torch.float64)
        while self._index < index:
            self._index += 1
            self._way = self._way @ self._on_planes(partial(self._route.step, self._index))
        return self._way

    def _on_planes(self, matrix: Callable[[float], Tensor]) -> Tensor:
        """A matrix for each plane of depth, by its disparity."""
        return matrix(1.0) if self._depth is None else torch.stack([matrix(plane) for plane in self._depth.planes])

    def fits(self, spec: RunSpec) -> bool:
        return spec.continues or not self.spec.continues

    def changed(self, config: ZoomConfig, spec: RunSpec, index: int) -> Zoom:
        """Over footage the camera goes on from where it is; footage that is new, it begins with."""
        successor = Zoom(config, spec)
        if self._world is not None and successor._world is not None:
            successor._world.load_state_dict(self._world.state_dict())
        if self._depth is not None and successor._depth is not None:
            successor._depth.load_state_dict(self._depth.state_dict())
        if self.spec.continues:
            successor.join(index)
        elif config.model_copy(update={"edges": self.config.edges}) == self.config:
            successor._index, successor._way = self._index, self._way
        elif index > 0:
            successor._index, successor._way = index - 1, self._taken_over(successor, self._went(index - 1))
        return successor

    def _taken_over(self, successor: Zoom, way: Tensor) -> Tensor:
        """The way as far as it means the same to the successor: with other planes, that of what is at distance 1."""
        if (
            self._depth is None
            or way.ndim == 2
            or (successor._depth is not None and successor._depth.planes == self._depth.planes)
        ):
            return way
        return way[self._depth.middle]

    def join(self, index: int) -> None:
        """Over footage the camera begins where the film is now, not far along a way that it did not go."""
        self._index = 0 if self.spec.continues else max(0, index - 1)

    def state_dict(self) -> dict[str, Tensor]:
        way = {"index": torch.tensor(self._index), "way": self._way} if self._index > 0 else {}
        for part in (self._world, self._depth):
            way |= {} if part is None else part.state_dict()
        return way

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        if self._world is not None and "world" in state:
            self._world.load_state_dict(state)
        if self._depth is not None:
            self._depth.load_state_dict(state)
        if "index" in state:
            self._index, self._way = int(state["index"]), state["way"].clone()

    def __call__(self, frame: Tensor, ctx: FrameContext) -> Tensor:
        if ctx.source is not None:
            return self._over_footage(frame, ctx)
        if ctx.previous is None or is_identity(matrix := self.camera(ctx.index)):
            return self._at_rest(frame, ctx)
        deep = self._step_in_depth(frame, ctx.index)
        if deep is None:
            ctx.move(matrix, torch.eye(3, dtype=matrix.dtype))
        else:
            ctx.look(deep.sight, None)
        if self._symmetry is not None:
            ctx.fold(self._symmetry)
        if self._world is not None:
            self._world.go(self._route.over_ground(ctx.index))
        view = self._view(matrix, deep, melts=True)
        if self._depth is not None:
            self._depth.move_along(view.of)
        if view.revealed is not None:
            ctx.reveal(view.revealed)
        seen = view.of(frame)
        if view.outside is not None:
            seen.lerp_(self._something_new(ctx, colour_statistics(self.spec.cut(seen))), view.outside)
        return seen.clamp_(0, 1)

    def _step_in_depth(self, frame: Tensor, index: int) -> Deep | None:
        """What the step to frame `index` is for the picture before it."""
        if self._depth is not None:
            return Deep(self._depth.step(frame, index, self._route), self.spec)
        if self._geometry is None or not self._geometry.parallax:
            return None
        made = flight(self._geometry, self.spec, self._route, index)
        if self._kept is not None and self._kept[1] is not None and made.like(self._kept[1].scene):
            return self._kept[1]
        return Deep(made, self.spec)

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
        deep = None
        if self._depth is None:
            ctx.move(matrix, before)
        else:
            then, now = self._depth.scenes(ctx, before, matrix)
            deep, matrix = Deep(now, self.spec), matrix[self._depth.middle]
            ctx.look(deep.sight, (then, Deep(then, self.spec).sight))
        if is_identity(matrix):
            return self._at_rest(frame, ctx)
        if self._symmetry is not None:
            ctx.fold(self._symmetry)
        view = self._view(matrix, deep, melts=False)
        seen = view.of(frame)
        # What lies beyond footage stays what it is, as footage does.
        return (seen if view.outside is None else seen.lerp_(self._cloud(ctx, 0), view.outside)).clamp_(0, 1)

    def _before_the_start(self) -> Tensor:
        if self.config.steady:
            return self._on_planes(partial(self._route.motion, -float(1 / self.spec.fps)))
        return self._on_planes(lambda _: torch.eye(3, dtype=torch.float64))

    def _view(self, matrix: Tensor, deep: Deep | None, *, melts: bool) -> View:
        if self._kept is None or self._kept[1] is not deep or not torch.equal(self._kept[0], matrix):
            view = View(matrix, self.spec, self.config.edges, self._symmetry, melts=melts, deep=deep)
            self._kept = (matrix.clone(), deep, view)
        return self._kept[2]

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
