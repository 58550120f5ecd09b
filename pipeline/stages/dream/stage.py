"""The dream: gradient ascent on a network's activations, octave by octave."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline import backbones
from pipeline.engines import (
    Climb,
    TiledEngine,
    build_engine,
    choose_engine,
    climb_octaves,
    has_packed_convolution,
    memory_budget,
    memory_text,
)
from pipeline.frame import Size, size_of
from pipeline.masks import MaskReel
from pipeline.objectives import build_objective
from pipeline.ops.gradient import smoothing_kernel
from pipeline.ops.motion import warp
from pipeline.ops.pyramid import octave_sizes
from pipeline.stages.base import Effect
from pipeline.stages.context import FrameContext
from pipeline.stages.dream.config import DreamConfig
from pipeline.stages.spec import RunSpec


class Dream(Effect[DreamConfig]):
    """Adds the dream as detail: the frame itself is never resampled."""

    def __init__(self, config: DreamConfig, spec: RunSpec) -> None:
        super().__init__(config, spec)
        recipe = backbones.find_recipe(config.model)
        layers = [term.place(recipe) for term in config.terms]
        self._backbone = backbone = backbones.load(config.model, layers, spec.device, config.weights)
        self.objective = build_objective(config.terms, backbone, balanced=config.objective is None)
        self._weights_digest = backbone.digest()
        choice = choose_engine(backbone, self.objective, spec.size, config.engine, config.precision)
        # What only the whole picture can score is never tiled.
        self._budget = None if self.objective.sees_whole else memory_budget(config.memory, spec.device)
        self.engine = TiledEngine(build_engine(backbone, choice), backbone, self._budget)
        self._mask = None if config.mask is None else MaskReel(config.mask, spec.fps)
        self._kernel = smoothing_kernel(config.smoothing).to(spec.device) if config.smoothing > 0 else None

        # With cadence: what is still to be added in each frame, and what came into sight since the last dream.
        self._pending: Tensor | None = None
        self._unseen: Tensor | None = None

    def pinned(self) -> dict[str, str]:
        taken: dict[str, str] = {"engine": self.engine.choice.engine, "precision": self.engine.choice.precision}
        if self.config.memory == "auto" and self._budget is not None:
            taken["memory"] = memory_text(self._budget)  # another machine has another half
        return taken

    def fingerprints(self) -> dict[str, str]:
        built = {"model": self._weights_digest}
        choice = self.engine.choice
        if choice.engine == "packed":  # its two convolutions end in other last digits
            built["convolution"] = "prepacked" if has_packed_convolution(choice.dtype) else "public"
        return built

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
        mask = None if self._mask is None else self._mask(shown, max(0, ctx.index))

        def length(size: Size) -> float | Tensor:
            everywhere = strength if new is None else strength + more * _resized(new, size)
            return everywhere if mask is None else everywhere * _resized(mask, size)

        octaves = (
            (size, Climb(steps, length(size) * weight / steps, c.jitter, self._kernel, c.normalise == "laplacian"))
            for size, weight in self._octaves(size_of(frame), ctx)
        )
        detail = climb_octaves(self.engine, self.objective, frame, octaves, ctx.generator(c.id))
        # Coarse octaves reach a little beyond the mask's edge: where it says nothing, nothing changes.
        return detail if mask is None or detail is None else detail * (mask > 0)

    def _octaves(self, size: Size, ctx: FrameContext) -> Iterator[tuple[Size, float]]:
        """The octaves that count at this moment, coarse to fine: their sizes, and factors on the strength."""
        c = self.config
        weights = [1.0] * c.octaves if c.octave_weights is None else [w.at(ctx.moment) for w in c.octave_weights]
        for octave, weight in zip(octave_sizes(size, c.octaves, c.octave_scale), weights, strict=True):
            if weight != 0:
                yield octave, weight

    def _meet(self, frame: Tensor, ctx: FrameContext) -> None:
        """Weigh the objective's terms for this moment, and let those that look at the seed see it."""
        c = self.config
        if c.objective is not None:
            self.objective.weigh(tuple(term.weight.at(ctx.moment) for term in c.objective))
        elif c.layer is not None:
            self.objective.weigh(c.layer.weights(ctx.moment))
        if self.objective.is_open:
            self.objective.meet(self._backbone(frame))

    def state_dict(self) -> dict[str, Tensor]:
        kept = {"pending": self._pending, "unseen": self._unseen}
        if self.engine.budget is not None and self.engine.budget != self._budget:
            kept["budget"] = torch.tensor(self.engine.budget)  # memory ran out: tiles have been smaller since
        return {name: value for name, value in kept.items() if value is not None} | self.objective.state_dict()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        if "budget" in state:
            self.engine.budget = int(state["budget"])
        here = {name: value.to(self.spec.device) for name, value in state.items() if name != "budget"}
        self._pending, self._unseen = here.pop("pending", None), here.pop("unseen", None)
        self.objective.load_state_dict(here)


def _new(ctx: FrameContext) -> Tensor | None:
    """(1, 1, H, W) in [0, 1]: what this frame shows and the last did not, which has to catch up; None: nothing."""
    return _either(None if ctx.motion is None else 1 - ctx.motion.trust, ctx.revealed)


def _either(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    return a if b is None else b if a is None else torch.maximum(a, b)


def _moved(field: Tensor | None, ctx: FrameContext) -> Tensor | None:
    """What belonged to places of the last frame, where they are now; nothing where nothing was seen."""
    if field is None or ctx.motion is None:
        return field
    return warp(field, ctx.motion.flow) * ctx.motion.trust


def _resized(field: Tensor, size: Size) -> Tensor:
    return F.interpolate(field, size, mode="bilinear", align_corners=False).clamp_(0, 1)
