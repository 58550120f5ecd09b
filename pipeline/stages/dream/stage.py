"""The dream: gradient ascent on a network's activations, octave by octave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial, reduce

from torch import Tensor

from pipeline.dreamer import Dreamer
from pipeline.engines import Climb
from pipeline.frame import Size, size_of
from pipeline.masks import MovingMask
from pipeline.ops.gradient import smoothing_kernel
from pipeline.ops.pyramid import octave_sizes
from pipeline.ops.warp import resize_bilinear
from pipeline.stages.base import Effect
from pipeline.stages.context import FrameContext
from pipeline.stages.dream.around import climb_around, seen_around
from pipeline.stages.dream.cadence import cadences, either
from pipeline.stages.dream.config import DreamConfig
from pipeline.stages.spec import RunSpec


@dataclass(frozen=True)
class _Push:
    """How hard a frame is dreamt on."""

    steps: int
    strength: float
    mask: Tensor | None = None
    """(1, 1, H, W)"""

    @property
    def is_none(self) -> bool:
        """Whether it is left as it is."""
        return self.steps == 0 or self.strength == 0


class Dream(Effect[DreamConfig]):
    """Adds the dream as detail: the frame itself is never resampled."""

    def __init__(self, config: DreamConfig, spec: RunSpec, like: Dream | None = None) -> None:
        super().__init__(config, spec)
        self.dreamer: Dreamer = Dreamer(
            config.dreamer, spec.dreamt_size, spec.device, None if like is None else like.dreamer
        )
        self._mask: MovingMask | None = None if like is None else like._mask
        if like is None or like.config.mask != config.mask:
            self._mask = None if config.mask is None else MovingMask(config.mask, spec, self._mask)
        if like is None or like.config.smoothing != config.smoothing:
            self._kernel = smoothing_kernel(config.smoothing).to(spec.device) if config.smoothing > 0 else None
        else:
            self._kernel = like._kernel

        self._cadences = cadences(config.every, config.octaves)

    def changed(self, config: DreamConfig, spec: RunSpec, index: int) -> Dream:
        """What would be the same again is shared, such as the network; what is still to be added goes on being added.

        With another `every` it is not: it was meant for so many frames.
        """
        successor = Dream(config, spec, like=self)
        if config.every == self.config.every:
            for mine, theirs in zip(self._cadences, successor._cadences, strict=True):
                theirs.pending, theirs.unseen = mine.pending, mine.unseen
        else:
            unseen = reduce(either, (each.unseen for each in self._cadences))
            for theirs in successor._cadences:
                theirs.unseen = unseen if theirs.every > 1 else None
        successor.dreamer.load_state_dict(self.dreamer.state_for(successor.dreamer))
        return successor

    def another(self, config: DreamConfig, spec: RunSpec) -> Dream:
        """One that shares the network, and what of the engine and the objective would be no other."""
        if config.mask is not None or spec.device != self.spec.device:
            return Dream(config, spec)
        other = Dream(config, spec, like=self)
        other.dreamer.objective.forget()
        return other

    def pinned(self) -> dict[str, str]:
        return self.dreamer.pinned()

    def fingerprints(self) -> dict[str, str]:
        return self.dreamer.fingerprints() | ({} if self._mask is None else self._mask.digests())

    def __call__(self, frame: Tensor, ctx: FrameContext) -> Tensor:
        if self._mask is not None:
            # In every frame, dreamt on or not: what it follows moves with the picture.
            self._mask.follow(frame, ctx.index, ctx.motion, fresh=ctx.fresh, footage=ctx.source)
        if ctx.fresh:
            for each in self._cadences:
                each.forget()
            detail = self._first(frame, ctx)
        else:
            detail = self._next(frame, ctx)
        return frame if detail is None else (frame + detail).clamp_(0, 1)

    def _first(self, frame: Tensor, ctx: FrameContext) -> Tensor | None:
        """What a picture gets that has no dream to build on."""
        c = self.config
        push = _Push(c.first_steps, c.first_strength)
        return self._detail(frame, ctx, range(c.octaves), self._met(push, frame, ctx), None)

    def _next(self, frame: Tensor, ctx: FrameContext) -> Tensor | None:
        """What a frame gets after others: coarse octaves first, and finer ones begin with what these gave."""
        push = _Push(
            round(self.config.steps.at(ctx.moment)), self.config.strength.at(ctx.moment) / float(self.spec.fps)
        )
        if any(each.is_due(ctx.index) for each in self._cadences):
            push = self._met(push, frame, ctx)
        detail: Tensor | None = None
        for each in self._cadences:
            begun = frame if detail is None else frame + detail
            often = replace(push, strength=each.every * push.strength)
            part = each.part(ctx, partial(self._detail, begun, ctx, each.octaves, often))
            detail = part if detail is None else detail if part is None else detail + part
        return detail

    def _met(self, push: _Push, frame: Tensor, ctx: FrameContext) -> _Push:
        """Meet the picture that is dreamt on; how hard, with the mask."""
        if push.is_none:
            return push
        self._meet(frame, ctx)
        if self._mask is None:
            return push
        shown = frame if ctx.source is None else ctx.source
        return replace(push, mask=self._mask(shown, self.spec.begins + max(0, ctx.index)))

    def _detail(self, frame: Tensor, ctx: FrameContext, among: range, push: _Push, new: Tensor | None) -> Tensor | None:
        """What some octaves add to the frame; None when they add nothing. `new` is (1, 1, H, W) in [0, 1]."""
        c, (steps, strength, mask) = self.config, (push.steps, push.strength, push.mask)
        if push.is_none:
            return None
        more = max(0.0, c.new_strength.at(ctx.moment) - strength)
        generator = ctx.generator(c.id)

        def climb(picture: Tensor, new: Tensor | None, mask: Tensor | None, part: int) -> Tensor | None:
            """What `part` of the steps add to the picture; `new` and `mask` are as large as that."""

            def length(size: Size) -> float | Tensor:
                everywhere = strength if new is None else strength + more * _resized(new, size)
                return everywhere if mask is None else everywhere * _resized(mask, size)

            octaves = (
                (size, Climb(part, length(size) * weight / steps, c.jitter, self._kernel, c.normalise == "laplacian"))
                for size, weight in self._octaves(size_of(picture), ctx, among)
            )
            return self.dreamer.climb(picture, octaves, generator)

        if self.spec.on_sphere:
            detail = climb_around(climb, frame, (new, mask), steps, generator)
        else:
            detail = climb(frame, new, mask, steps)
        # Coarse octaves reach a little beyond the mask's edge: where it says nothing, nothing changes.
        if detail is not None and mask is not None:
            detail = detail * (mask > 0)
        return detail if detail is None or ctx.symmetry is None else ctx.symmetry.averaged(detail)

    def _octaves(self, size: Size, ctx: FrameContext, among: range) -> Iterator[tuple[Size, float]]:
        """Those of them that count at this moment, coarse to fine: their sizes, and factors on the strength."""
        c = self.config
        weights = [1.0] * c.octaves if c.octave_weights is None else [w.at(ctx.moment) for w in c.octave_weights]
        sizes = octave_sizes(size, c.octaves, c.octave_scale)
        for octave in among:
            if weights[octave] != 0:
                yield sizes[octave], weights[octave]

    def _meet(self, frame: Tensor, ctx: FrameContext) -> None:
        """Weigh the objective's terms for this moment, and let those that have a choice to make see the picture."""
        c = self.config
        if c.objective is not None:
            self.dreamer.weigh(tuple(term.weight.at(ctx.moment) for term in c.terms))
        elif c.layer is not None:
            self.dreamer.weigh(c.layer.weights(ctx.moment))
        self.dreamer.meet(partial(self._seen, frame), float(ctx.moment.seconds[0]))

    def _seen(self, frame: Tensor) -> Tensor:
        return seen_around(frame) if self.spec.on_sphere else frame

    def state_dict(self) -> dict[str, Tensor]:
        kept: dict[str, Tensor | None] = {}
        for number, each in enumerate(self._cadences):
            kept |= {_name("pending", number): each.pending, _name("unseen", number): each.unseen}
        followed = {} if self._mask is None else self._mask.state_dict()
        return {name: value for name, value in kept.items() if value is not None} | self.dreamer.state_dict() | followed

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        there = {name: value.to(self.spec.device) for name, value in state.items()}
        for number, each in enumerate(self._cadences):
            each.pending, each.unseen = there.get(_name("pending", number)), there.get(_name("unseen", number))
        self.dreamer.load_state_dict(state)
        if self._mask is not None:
            self._mask.load_state_dict(state)


def _name(name: str, number: int) -> str:
    """Of a cadence's field; the first has no number."""
    return f"{name}-{number}" if number else name


def _resized(field: Tensor, size: Size) -> Tensor:
    return resize_bilinear(field, size).clamp_(0, 1)
