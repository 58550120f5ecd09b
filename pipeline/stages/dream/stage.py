"""The dream: gradient ascent on a network's activations, octave by octave."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from pipeline.dreamer import Dreamer
from pipeline.engines import Climb
from pipeline.frame import Size, size_of
from pipeline.masks import FilmMask, ImageMask, MaskReel, RadialMask
from pipeline.ops.border import pad
from pipeline.ops.gradient import smoothing_kernel
from pipeline.ops.motion import warp
from pipeline.ops.pyramid import octave_sizes
from pipeline.ops.warp import resize_bilinear
from pipeline.stages.base import Effect
from pipeline.stages.context import FrameContext
from pipeline.stages.dream.around import climb_around, seen_around
from pipeline.stages.dream.config import DreamConfig
from pipeline.stages.spec import RunSpec


class Dream(Effect[DreamConfig]):
    """Adds the dream as detail: the frame itself is never resampled."""

    def __init__(self, config: DreamConfig, spec: RunSpec, like: Dream | None = None) -> None:
        super().__init__(config, spec)
        self.dreamer: Dreamer = Dreamer(
            config.dreamer, spec.dreamt_size, spec.device, None if like is None else like.dreamer
        )
        if like is None or like.config.mask != config.mask:
            self._mask = None if config.mask is None else MaskReel(config.mask, spec.fps, spec.on_sphere)
        else:
            self._mask = like._mask
        if like is None or like.config.smoothing != config.smoothing:
            self._kernel = smoothing_kernel(config.smoothing).to(spec.device) if config.smoothing > 0 else None
        else:
            self._kernel = like._kernel

        # With cadence: what is still to be added in each frame, and what came into sight since the last dream.
        self._pending: Tensor | None = None
        self._unseen: Tensor | None = None

    def changed(self, config: DreamConfig, spec: RunSpec, index: int) -> Dream:
        """What would be the same again is shared, such as the network; what is still to be added goes on being added.

        With another `every` it is not: it was meant for so many frames.
        """
        successor = Dream(config, spec, like=self)
        if config.every == self.config.every:
            successor._pending = self._pending
        if config.every > 1:
            successor._unseen = self._unseen
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
        return self.dreamer.fingerprints()

    def __call__(self, frame: Tensor, ctx: FrameContext) -> Tensor:
        c = self.config
        if ctx.fresh:
            self._pending = self._unseen = None
            detail = self._detail(frame, ctx, c.first_steps, c.first_strength, None)
        elif c.every == 1:
            detail = self._detail(frame, ctx, round(c.steps.at(ctx.moment)), self._strength(ctx), _new(ctx))
        else:
            detail = self._spread(frame, ctx)
        return frame if detail is None else (frame + detail).clamp_(0, 1)

    def _strength(self, ctx: FrameContext) -> float:
        return self.config.strength.at(ctx.moment) / float(self.spec.fps)

    def _spread(self, frame: Tensor, ctx: FrameContext) -> Tensor | None:
        """This frame's part of the change that the last dreamt-on frame asked for, where it has moved to by now."""
        c = self.config
        self._unseen = _either(_moved(self._unseen, ctx), _new(ctx))
        if ctx.index % c.every == 0:
            steps, strength = round(c.steps.at(ctx.moment)), c.every * self._strength(ctx)
            whole = self._detail(frame, ctx, steps, strength, self._unseen)
            self._pending, self._unseen = None if whole is None else whole / c.every, None
        else:
            self._pending = _moved(self._pending, ctx)
        return self._pending

    def _detail(
        self, frame: Tensor, ctx: FrameContext, steps: int, strength: float, new: Tensor | None
    ) -> Tensor | None:
        """What the dream adds to the frame; None when it adds nothing. `new` is (1, 1, H, W) in [0, 1]."""
        c = self.config
        if steps == 0 or strength == 0:
            return None
        self._meet(frame, ctx)
        more = max(0.0, c.new_strength.at(ctx.moment) - strength)
        shown = frame if ctx.source is None else ctx.source
        mask = None if self._mask is None else self._masked(self._mask, shown, max(0, ctx.index))

        generator = ctx.generator(c.id)

        def climb(picture: Tensor, new: Tensor | None, mask: Tensor | None, part: int) -> Tensor | None:
            """What `part` of the steps add to the picture; `new` and `mask` are as large as that."""

            def length(size: Size) -> float | Tensor:
                everywhere = strength if new is None else strength + more * _resized(new, size)
                return everywhere if mask is None else everywhere * _resized(mask, size)

            octaves = (
                (size, Climb(part, length(size) * weight / steps, c.jitter, self._kernel, c.normalise == "laplacian"))
                for size, weight in self._octaves(size_of(picture), ctx)
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

    def _masked(self, mask: MaskReel, shown: Tensor, index: int) -> Tensor:
        """(1, 1, H, W). A mask that knows places knows those of the film's frame, and goes on beyond it as it ends."""
        (down, right) = self.spec.margin
        if not isinstance(self.config.mask, ImageMask | FilmMask | RadialMask):
            return mask(shown, index)
        return pad(pad(mask(self.spec.cut(shown), index), 2, down, "edge"), 3, right, "edge")

    def _octaves(self, size: Size, ctx: FrameContext) -> Iterator[tuple[Size, float]]:
        """The octaves that count at this moment, coarse to fine: their sizes, and factors on the strength."""
        c = self.config
        weights = [1.0] * c.octaves if c.octave_weights is None else [w.at(ctx.moment) for w in c.octave_weights]
        for octave, weight in zip(octave_sizes(size, c.octaves, c.octave_scale), weights, strict=True):
            if weight != 0:
                yield octave, weight

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
        kept = {"pending": self._pending, "unseen": self._unseen}
        return {name: value for name, value in kept.items() if value is not None} | self.dreamer.state_dict()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        pending, unseen = state.get("pending"), state.get("unseen")
        self._pending = None if pending is None else pending.to(self.spec.device)
        self._unseen = None if unseen is None else unseen.to(self.spec.device)
        self.dreamer.load_state_dict(state)


def _new(ctx: FrameContext) -> Tensor | None:
    """(1, 1, H, W) in [0, 1]: what this frame shows and the last did not, which has to catch up; None: nothing."""
    return _either(None if ctx.motion is None else 1 - ctx.motion.trust, ctx.revealed)


def _either(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    return a if b is None else b if a is None else torch.maximum(a, b)


def _moved(field: Tensor | None, ctx: FrameContext) -> Tensor | None:
    """What belonged to places of the last frame, where they are now; nothing where nothing was seen."""
    if field is None or ctx.motion is None:
        return field
    return warp(field, ctx.motion.flow, ctx.motion.edges) * ctx.motion.trust


def _resized(field: Tensor, size: Size) -> Tensor:
    return resize_bilinear(field, size).clamp_(0, 1)
