"""The dream: gradient ascent on a network's activations, octave by octave."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from pipeline import backbones
from pipeline.errors import ModelError
from pipeline.frame import Size
from pipeline.objectives import LayerL2
from pipeline.ops.gradient import normalise, smooth, smoothing_kernel
from pipeline.ops.pyramid import octave_sizes
from pipeline.ops.warp import resize
from pipeline.stages.base import Effect, FrameContext, RunSpec, StageConfig


class DreamConfig(StageConfig):
    """Enhance whatever a layer of a network responds to (Mordvintsev, Olah, Tyka 2015)."""

    model: str = Field("lite0", max_length=200, description="the network; `dreamreel layers` lists them")
    layer: str = Field(
        "blocks.5.0",
        max_length=200,
        description="the layer: shallow ones give strokes, the middle eyes and fur, deep ones faces",
    )
    octaves: int = Field(3, ge=1, le=12, description="how many sizes of the picture are dreamt on, coarse to fine")
    octave_scale: float = Field(1.5, ge=1.05, le=4, description="how much each octave is larger than the last")
    steps: int = Field(2, ge=1, le=1000, description="gradient steps per octave and frame: quality against time")
    strength: float = Field(
        0.12,
        ge=0,
        le=20,
        description="how far colour values (0 to 1) move per octave and second of film, on average",
    )
    first_steps: int = Field(
        16, ge=0, le=10000, description="steps per octave on the first frame and after a cut, with no dream to build on"
    )
    first_strength: float = Field(
        0.08,
        ge=0,
        le=20,
        description="how far colour values move per octave on the first frame and after a cut, on average",
    )
    new_strength: float = Field(
        0.035,
        ge=0,
        le=20,
        description="how far colour values move per octave, on average, where something comes into sight in a moving "
        "picture: once, so that it catches up with what is dreamt on already",
    )
    jitter: int = Field(
        32,
        ge=0,
        le=1024,
        description="random shift before each step, up to so many pixels, against grid patterns",
    )
    smoothing: float = Field(
        1.0, ge=0, le=16, description="blur of the gradient, in pixels; more gives softer, larger strokes"
    )

    def problems(self, spec: RunSpec) -> Iterator[tuple[str, str]]:
        try:
            recipe = backbones.find_recipe(self.model)
        except ModelError as error:
            yield "model", str(error)
            return
        try:
            layer = backbones.find_layer(recipe, self.layer)
        except ModelError as error:
            yield "layer", str(error)
            return
        side = layer.smallest_side
        fitting = [size for size in octave_sizes(spec.size, self.octaves, self.octave_scale) if min(size) >= side]
        if len(fitting) < self.octaves:
            smallest = octave_sizes(spec.size, self.octaves, self.octave_scale)[0]
            remedy = f"use at most {len(fitting)}" if fitting else "use a larger `size` or a shallower layer"
            yield (
                "octaves",
                (
                    f"is {self.octaves}: the smallest octave would be {smallest}, "
                    f"layer {self.layer} needs {side}x{side}; {remedy}"
                ),
            )


class Dream(Effect[DreamConfig]):
    """Adds the dream as detail: the frame itself is never resampled."""

    def __init__(self, config: DreamConfig, spec: RunSpec) -> None:
        super().__init__(config, spec)
        self._objective = LayerL2(config.layer)
        self._backbone = backbones.load(config.model, self._objective.layers, spec.device)
        self._sizes = octave_sizes(spec.size, config.octaves, config.octave_scale)
        self._kernel = smoothing_kernel(config.smoothing) if config.smoothing > 0 else None

    def __call__(self, frame: Tensor, ctx: FrameContext) -> Tensor:
        c = self.config
        if ctx.fresh:
            steps, strength = c.first_steps, c.first_strength
        else:
            steps, strength = c.steps, c.strength / float(self.spec.fps)
        if steps == 0 or strength == 0:
            return frame
        generator = ctx.generator(c.id)
        detail = torch.zeros_like(frame[:, :, :1, :1])
        for size in self._sizes:
            base = resize(frame, size)
            image = base + resize(detail, size)
            step_size = self._local(strength, size, ctx) / steps
            for _ in range(steps):
                image = self._ascend(image, step_size, generator)
            detail = image - base
        return (frame + detail).clamp_(0, 1)

    def _local(self, strength: float, size: Size, ctx: FrameContext) -> Tensor:
        """The strength at each place: what comes into sight has no past and has to catch up at once."""
        if ctx.fresh or ctx.motion is None:
            return torch.tensor(strength)
        new = 1 - F.interpolate(ctx.motion.trust, size, mode="bilinear", align_corners=False)
        return strength + max(0.0, self.config.new_strength - strength) * new

    def _ascend(self, image: Tensor, step_size: Tensor, generator: torch.Generator) -> Tensor:
        reach = self.config.jitter
        dy, dx = torch.randint(-reach, reach + 1, (2,), generator=generator).tolist()
        gradient = self._gradient(image.roll((dy, dx), (2, 3))).roll((-dy, -dx), (2, 3))
        if self._kernel is not None:
            gradient = smooth(gradient, self._kernel)
        return (image + step_size * normalise(gradient)).clamp_(0, 1)

    def _gradient(self, image: Tensor) -> Tensor:
        leaf = image.detach().requires_grad_()
        with torch.enable_grad():
            score = self._objective(self._backbone(leaf))
        (gradient,) = torch.autograd.grad(score, leaf)
        return gradient
