"""The dream: gradient ascent on a network's activations, octave by octave."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch.nn.functional as F
from pydantic import Field, ValidationInfo, field_validator
from torch import Tensor

from pipeline import backbones
from pipeline.backbones.weights import AUTO, RANDOM
from pipeline.engines import (
    Climb,
    EngineKey,
    PrecisionKey,
    TiledEngine,
    build_engine,
    choose_engine,
    climb,
    memory_budget,
    parse_memory,
)
from pipeline.errors import ModelError
from pipeline.frame import Size
from pipeline.media.paths import resolve
from pipeline.objectives import LayerL2
from pipeline.ops.gradient import smoothing_kernel
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
        0.8, ge=0, le=16, description="blur of the gradient, in pixels; more gives softer, larger strokes"
    )

    weights: str = Field(
        "auto",
        max_length=4096,
        description="auto: the network's published weights; a .safetensors or .pth file; or random, for tests",
    )
    engine: EngineKey = Field(
        "auto", description="what computes the gradient; auto takes the fastest on this machine, reference is plain"
    )
    precision: PrecisionKey = Field(
        "auto", description="auto, float32 or bfloat16: half the digits, another dream of the same quality, less time"
    )
    memory: str = Field(
        "auto",
        max_length=20,
        description="what a gradient step may take, such as 4GB, before it goes tile by tile; auto is half of all",
    )

    @field_validator("weights")
    @classmethod
    def _absolute_weights(cls, weights: str, info: ValidationInfo) -> str:
        if weights in (AUTO, RANDOM):
            return weights
        return str(resolve(weights, (info.context or {}).get("folder", Path.cwd())))

    @field_validator("memory")
    @classmethod
    def _known_memory(cls, memory: str) -> str:
        if memory != "auto":
            parse_memory(memory)
        return memory

    def problems(self, spec: RunSpec) -> Iterator[tuple[str, str]]:
        if self.engine == "reference" and self.precision == "bfloat16":
            yield "precision", "is bfloat16, but the reference engine computes in float32; leave one of the two at auto"
        if self.weights not in (AUTO, RANDOM) and not Path(self.weights).is_file():
            yield "weights", f"is {self.weights}, and there is no such file"
        if self.engine == "graph" and spec.device.type != "cuda":
            yield "engine", f"is graph, which needs a CUDA device, and the device is {spec.device}; use auto"
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
        self.objective = LayerL2(config.layer)
        backbone = backbones.load(config.model, self.objective.layers, spec.device, config.weights)
        self._weights_digest = backbone.digest()
        choice = choose_engine(backbone, self.objective, spec.size, config.engine, config.precision)
        budget = memory_budget(config.memory, spec.device)
        self.engine = TiledEngine(build_engine(backbone, choice), backbone, budget)
        self.sizes = octave_sizes(spec.size, config.octaves, config.octave_scale)
        self._kernel = smoothing_kernel(config.smoothing) if config.smoothing > 0 else None

    def pinned(self) -> dict[str, str]:
        return {"engine": self.engine.choice.engine, "precision": self.engine.choice.precision}

    def fingerprints(self) -> dict[str, str]:
        return {f"weights of {self.config.model}": self._weights_digest}

    def __call__(self, frame: Tensor, ctx: FrameContext) -> Tensor:
        c = self.config
        if ctx.fresh:
            steps, strength = c.first_steps, c.first_strength
        else:
            steps, strength = c.steps, c.strength / float(self.spec.fps)
        if steps == 0 or strength == 0:
            return frame
        generator = ctx.generator(c.id)
        image, detail = frame, None
        for size in self.sizes:
            base = resize(frame, size)
            start = base if detail is None else base + resize(detail, size)
            how = Climb(steps, self._local(strength, size, ctx) / steps, c.jitter, self._kernel)
            image = climb(self.engine, self.objective, start, how, generator)
            detail = image - base
        return image

    def _local(self, strength: float, size: Size, ctx: FrameContext) -> float | Tensor:
        """The strength, (1, 1, H, W) where places differ: what comes into sight has to catch up at once."""
        if ctx.fresh or ctx.motion is None:
            return strength
        new = 1 - F.interpolate(ctx.motion.trust, size, mode="bilinear", align_corners=False)
        local: Tensor = strength + max(0.0, self.config.new_strength - strength) * new
        return local
