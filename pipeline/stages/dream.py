"""The dream: gradient ascent on a network's activations, octave by octave."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field, ValidationInfo, field_validator, model_validator
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
from pipeline.frame import Size, size_of
from pipeline.masks import MaskField, MaskReel
from pipeline.media.paths import resolve
from pipeline.objectives import LayerTerm, ObjectiveField, Term, build_objective
from pipeline.ops.gradient import smoothing_kernel
from pipeline.ops.pyramid import octave_sizes
from pipeline.ops.warp import resize
from pipeline.stages.base import Effect, FrameContext, RunSpec, StageConfig


class DreamConfig(StageConfig):
    """Enhance whatever a layer of a network responds to (Mordvintsev, Olah, Tyka 2015)."""

    model: str = Field("lite0", max_length=200, description="the network; `dreamreel layers` lists them")
    layer: str | None = Field(
        "blocks.5.0",
        max_length=200,
        description="the layer: shallow ones give strokes, the middle eyes and fur, deep ones faces",
    )
    objective: ObjectiveField | None = Field(
        None,
        description="instead of `layer`: one mapping or a list of them, which are summed, each times its `weight`: "
        "{layer: L, score: l2|mean|cosine}, {layer: L, channel: N}, {layer: L, neuron: N, at: [x, y]}, "
        "{class: banana}, {layer: L, guide: picture.jpg}, {layer: L, direction: random}",
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

    normalise: Literal["mean", "laplacian"] = Field(
        "mean", description="mean: the gradient as it is; laplacian: coarse and fine detail equally strong"
    )
    mask: MaskField | None = Field(
        None,
        description="where to dream, all over if left out: {image: mask.png}, {film: mask.mp4}, "
        "{radial: 0.4, centre: [x, y]}, {luminance: [0.5, 1]} or {saliency: 0.3}; "
        "each with `soft` edges and `invert: true`",
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

    @model_validator(mode="before")
    @classmethod
    def _layer_or_objective(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        if given.get("objective") is None:
            if given.get("layer", "") is None:
                raise ValueError("has neither `layer` nor `objective`; name one, or leave out both for the default")
            return given
        if given.get("layer") is not None:
            raise ValueError("names both `layer` and `objective`; keep one, `layer: X` is short for `{layer: X}`")
        return given | {"layer": None}

    @property
    def terms(self) -> tuple[Term, ...]:
        """What the dream climbs towards."""
        if self.objective is not None:
            return self.objective
        assert self.layer is not None
        return (LayerTerm.model_validate({"layer": self.layer}),)

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
        if self.mask is not None:
            yield from ((f"mask.{key}", message) for key, message in self.mask.problems())
        if self.engine == "graph" and spec.device.type != "cuda":
            yield "engine", f"is graph, which needs a CUDA device, and the device is {spec.device}; use auto"
        try:
            recipe = backbones.find_recipe(self.model)
        except ModelError as error:
            yield "model", str(error)
            return
        found = [
            (f"objective[{index}].{key}" if self.objective is not None else key, message)
            for index, term in enumerate(self.terms)
            for key, message in term.problems(recipe)
        ]
        yield from found
        if found:
            return
        layer = max((backbones.find_layer(recipe, term.place(recipe)) for term in self.terms), key=_need)
        side = layer.smallest_side
        fitting = [size for size in octave_sizes(spec.size, self.octaves, self.octave_scale) if min(size) >= side]
        if len(fitting) < self.octaves:
            smallest = octave_sizes(spec.size, self.octaves, self.octave_scale)[0]
            remedy = f"use at most {len(fitting)}" if fitting else "use a larger `size` or a shallower layer"
            yield (
                "octaves",
                (
                    f"is {self.octaves}: the smallest octave would be {smallest}, "
                    f"layer {layer.name} needs {side}x{side}; {remedy}"
                ),
            )


def _need(layer: backbones.LayerInfo) -> int:
    return layer.smallest_side


class Dream(Effect[DreamConfig]):
    """Adds the dream as detail: the frame itself is never resampled."""

    def __init__(self, config: DreamConfig, spec: RunSpec) -> None:
        super().__init__(config, spec)
        recipe = backbones.find_recipe(config.model)
        layers = [term.place(recipe) for term in config.terms]
        self._backbone = backbone = backbones.load(config.model, layers, spec.device, config.weights)
        self._objective = build_objective(config.terms, backbone)
        self._weights_digest = backbone.digest()
        choice = choose_engine(backbone, self._objective, spec.size, config.engine, config.precision)
        # What only the whole picture can score is never tiled.
        budget = None if self._objective.sees_whole else memory_budget(config.memory, spec.device)
        self._engine = TiledEngine(build_engine(backbone, choice), backbone, budget)
        self._mask = None if config.mask is None else MaskReel(config.mask, spec.fps)
        self._kernel = smoothing_kernel(config.smoothing) if config.smoothing > 0 else None

    def pinned(self) -> dict[str, str]:
        return {"engine": self._engine.choice.engine, "precision": self._engine.choice.precision}

    def fingerprints(self) -> dict[str, str]:
        files = {name: digest for term in self.config.terms for name, digest in term.fingerprints().items()}
        files |= {} if self.config.mask is None else self.config.mask.fingerprints()
        return {f"weights of {self.config.model}": self._weights_digest} | files

    def state_dict(self) -> dict[str, Tensor]:
        return self._objective.state_dict()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self._objective.load_state_dict(state)

    def __call__(self, frame: Tensor, ctx: FrameContext) -> Tensor:
        c = self.config
        if ctx.fresh:
            steps, strength = c.first_steps, c.first_strength
        else:
            steps, strength = c.steps, c.strength / float(self.spec.fps)
        if steps == 0 or strength == 0:
            return frame
        if self._objective.is_open:
            self._objective.meet(self._backbone(frame))
        generator = ctx.generator(c.id)
        mask = None if self._mask is None else self._mask(frame if ctx.source is None else ctx.source, ctx.index)
        detail = torch.zeros_like(frame[:, :, :1, :1])
        for size in octave_sizes(size_of(frame), c.octaves, c.octave_scale):
            base = resize(frame, size)
            length = self._local(strength, size, ctx, mask) / steps
            how = Climb(steps, length, c.jitter, self._kernel, c.normalise == "laplacian")
            image = climb(self._engine, self._objective, base + resize(detail, size), how, generator)
            detail = image.sub_(base)
        dreamt = detail.add_(frame).clamp_(0, 1)
        # Coarse octaves reach a little beyond the mask's edge: where it says nothing, nothing changes.
        return dreamt if mask is None else torch.where(mask > 0, dreamt, frame)

    def _local(self, strength: float, size: Size, ctx: FrameContext, mask: Tensor | None) -> float | Tensor:
        """The strength, (1, 1, H, W) where places differ: by a mask, or by what comes into sight."""
        catching_up = self._catching_up(strength, size, ctx)
        return catching_up if mask is None else catching_up * resize(mask, size).clamp(0, 1)

    def _catching_up(self, strength: float, size: Size, ctx: FrameContext) -> float | Tensor:
        """What comes into sight has to catch up at once."""
        if ctx.fresh or ctx.motion is None:
            return strength
        new = 1 - F.interpolate(ctx.motion.trust, size, mode="bilinear", align_corners=False)
        local: Tensor = strength + max(0.0, self.config.new_strength - strength) * new
        return local
