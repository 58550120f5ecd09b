"""What the dream stage's keys are, and which of them fit together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from pipeline import backbones
from pipeline.backbones import ONNX_INPUTS
from pipeline.backbones.weights import AUTO, RANDOM
from pipeline.curves import Constant, CurveField, CurveList, NameTrack, NameTrackField, Within
from pipeline.dreamer import DreamerSpec
from pipeline.engines import EngineKey, PrecisionKey, parse_memory
from pipeline.errors import ModelError
from pipeline.masks import FoundMask, MaskField, simple_masks
from pipeline.media.paths import NamesFile, Placed, absolute, from_here
from pipeline.objectives import BaseTerm, GuideTerm, LayerTerm, ObjectiveField
from pipeline.ops.pyramid import octave_sizes
from pipeline.stages.base import StageConfig
from pipeline.stages.dream.cadence import EveryField
from pipeline.stages.spec import RunSpec


class DreamConfig(StageConfig):
    """Enhance whatever a layer of a network responds to (Mordvintsev, Olah, Tyka 2015)."""

    alternatives: ClassVar[frozenset[str]] = frozenset(("layer", "objective"))

    model: Annotated[str, NamesFile(prefixes=tuple(ONNX_INPUTS))] = Field(
        "lite0",
        max_length=4096,
        description="the network: lite0, googlenet and more (`dreamreel layers` lists them), timm:NAME, or onnx:FILE",
    )
    layer: NameTrackField | None = Field(
        NameTrack("blocks.5.0"),
        description="the layer: shallow ones give strokes, the middle eyes and fur, deep ones faces; or layers "
        "at their times, {0s: blocks.2.1, 6s: blocks.4.1}, which cross-fade",
    )
    objective: ObjectiveField | None = Field(
        None,
        description="instead of `layer`: one mapping or a list of them, which are summed, each times its `weight`: "
        "{layer: L, score: l2|mean|cosine}, {layer: L, channel: N}, {layer: L, neuron: N, at: [x, y]}, "
        "{class: banana}, {layer: L, guide: picture.jpg}, {layer: L, direction: random}, "
        "{directions: FILE, direction: N}, one that `dreamreel learn` found, "
        "{layer: L, caricature: now|first|picture.jpg}, more of what is special there, "
        "{layer: L, keep: first|picture.jpg}, what stays, "
        "{layer: L, wander: 3}, which travels among motifs by itself, {nearest: [palace, castle]}, each place what it "
        "resembles most, {journey: [palace, coral reef]}, one after the other",
    )
    octaves: int = Field(3, ge=1, le=12, description="how many sizes of the picture are dreamt on, coarse to fine")
    octave_scale: float = Field(1.5, ge=1.05, le=4, description="how much each octave is larger than the last")
    octave_weights: Annotated[CurveList, Within(0, 20)] = Field(
        None,
        description="a factor on the strength for each octave, coarse to fine, such as [1.5, 1, 0.5]; 1 if left out",
    )
    steps: Annotated[CurveField, Within(1, 1000, whole=True)] = Field(
        Constant(2), description="gradient steps per octave and frame: quality against time; rounded where it moves"
    )
    every: EveryField = Field(
        1,
        description="dream only on every nth frame, as much as on all of them; what it changes is carried along the "
        "motion and spread over the frames up to the next, so that nothing pops; or a list, one for each octave, "
        "coarse to fine: [1, 1, 2] takes the finest, which takes longest, every other frame",
    )
    strength: Annotated[CurveField, Within(0, 20)] = Field(
        Constant(0.12),
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
    new_strength: Annotated[CurveField, Within(0, 20)] = Field(
        Constant(0.035),
        description="how far colour values move per octave, on average, where something comes into sight in a moving "
        "picture or beyond its edges: once, so that it catches up with what is dreamt on already",
    )
    jitter: int = Field(
        32,
        ge=0,
        le=1024,
        description="the largest random shift before each step, in pixels; it keeps grid patterns away",
    )
    smoothing: float = Field(
        0.8, ge=0, le=16, description="blur of the gradient, in pixels; more gives softer, larger strokes"
    )

    normalise: Literal["mean", "laplacian"] = Field(
        "mean", description="mean: the gradient as it is; laplacian: coarse and fine detail equally strong"
    )
    mask: MaskField | None = Field(
        None,
        description="where to dream, all over if left out: {image: mask.png}, {film: mask.mp4}, "
        "{radial: 0.4, centre: [x, y]}, {luminance: [0.5, 1]}, {saliency: 0.3}, {detail: 0.02}, or subject or "
        "background, the thing that the picture is about or all around it ({find: subject}); "
        "each with `soft` edges and `invert: true`; joined by {all: [subject, {luminance: [0.3, 1]}]}, {any: [...]}, "
        "{not: ...}",
    )

    weights: Annotated[str, NamesFile(frozenset({AUTO, RANDOM}))] = Field(
        "auto",
        max_length=4096,
        description="auto: the network's published weights; a .safetensors or .pth file; or random, for tests",
    )
    engine: EngineKey = Field(
        "auto", description="what computes the gradient; auto takes the fastest on this machine, reference is plain"
    )
    precision: PrecisionKey = Field(
        "auto",
        description="auto, float32, bfloat16 (half the digits) or int8 (eight bits, on CPUs): another dream, as good, "
        "in less time",
    )
    memory: str = Field(
        "auto",
        max_length=20,
        description="what a gradient step may take, such as 4GB, before it goes tile by tile; auto is half of all",
    )

    @property
    def uses_motion(self) -> bool:
        return self.builds_up or self._follows

    @property
    def _follows(self) -> bool:
        """Whether the mask goes along with the picture."""
        return self.mask is not None and any(isinstance(each, FoundMask) for _, each in simple_masks(self.mask))

    @property
    def builds_up(self) -> bool:
        return self.seldom > 1

    @property
    def seldom(self) -> int:
        """After how many frames everything has been dreamt on."""
        return self.every if isinstance(self.every, int) else max(self.every)

    @property
    def work(self) -> float:
        """Octaves that a frame is dreamt on at, on average."""
        every = (self.every,) * self.octaves if isinstance(self.every, int) else self.every
        return sum(1 / each for each in every)

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
    def terms(self) -> tuple[BaseTerm, ...]:
        """What the dream climbs towards."""
        return tuple(part for term in self._written for part in term.parts())

    @property
    def _written(self) -> tuple[BaseTerm, ...]:
        """The terms as the preset has them."""
        if self.objective is not None:
            return self.objective
        names = self.layer.names if self.layer is not None else ()
        return tuple(LayerTerm.model_validate({"layer": name}) for name in names)

    @property
    def dreamer(self) -> DreamerSpec:
        """What is put together for the dream."""
        return DreamerSpec(
            model=self.model,
            terms=self.terms,
            weights=self.weights,
            engine=self.engine,
            precision=self.precision,
            memory=self.memory,
            balanced=self.objective is None,
        )

    @property
    def guide(self) -> str | None:
        return next((term.guide for term in self.terms if isinstance(term, GuideTerm)), None)

    @field_validator("model", mode="before")
    @classmethod
    def _typed_model(cls, model: Any) -> Any:
        prefix, file = _onnx(model)
        return prefix + from_here(Placed(file, model.folder)) if isinstance(model, Placed) and prefix else model

    @field_validator("model")
    @classmethod
    def _absolute_model(cls, model: str, info: ValidationInfo) -> str:
        prefix, file = _onnx(model)
        return prefix + absolute(file, info) if prefix else model

    @field_validator("weights", mode="before")
    @classmethod
    def _typed_weights(cls, weights: Any) -> Any:
        return from_here(weights, (AUTO, RANDOM))

    @field_validator("weights")
    @classmethod
    def _absolute_weights(cls, weights: str, info: ValidationInfo) -> str:
        if weights in (AUTO, RANDOM):
            return weights
        return absolute(weights, info)

    @field_validator("memory")
    @classmethod
    def _known_memory(cls, memory: str) -> str:
        if memory != "auto":
            parse_memory(memory)
        return memory

    def problems(self, spec: RunSpec) -> Iterator[tuple[str, str]]:
        if self.engine == "reference" and self.precision == "bfloat16":
            yield "precision", "is bfloat16, but the reference engine computes in float32; leave one of the two at auto"
        if self.precision == "int8" and self.engine not in ("auto", "packed"):
            yield (
                "precision",
                f"is int8, which the packed engine alone computes in, and `engine` is {self.engine}; use auto",
            )
        elif self.precision == "int8" and spec.device.type != "cpu":
            yield "precision", f"is int8, which only CPUs compute in, and the device is {spec.device}; use auto"
        if self.weights not in (AUTO, RANDOM) and not Path(self.weights).is_file():
            yield "weights", f"is {self.weights}, and there is no such file; name one, or use auto"
        if self.mask is not None:
            yield from ((f"mask.{key}", message) for key, message in self.mask.problems(spec.on_sphere))
        if self.engine == "graph" and spec.device.type != "cuda":
            yield "engine", f"is graph, which needs a CUDA device, and the device is {spec.device}; use auto"
        try:
            recipe = backbones.find_recipe(self.model)
        except ModelError as error:
            yield "model", str(error)
            return
        if not isinstance(self.every, int) and len(self.every) != self.octaves:
            yield "every", f"has {len(self.every)} values, must have one for each of {self.octaves} octaves, or be one"
        if self.octave_weights is not None and len(self.octave_weights) != self.octaves:
            yield "octave_weights", f"has {len(self.octave_weights)} values, must have one for each of {self.octaves}"
        found = [
            (f"objective[{index}].{key}" if self.objective is not None else "layer", message)
            for index, term in enumerate(self._written)
            for key, message in (
                *term.problems(recipe),
                *term.problems_of_film(spec.clock),
                *(term.problems_on_sphere() if spec.on_sphere else ()),
            )
        ]
        yield from found
        if found:
            return
        out_of_order = None if self.layer is None else self.layer.problem(spec.clock)
        if out_of_order is not None:
            yield "layer", out_of_order
        layer = max((backbones.find_layer(recipe, term.place(recipe)) for term in self.terms), key=_need)
        side = layer.smallest_side
        fitting = [
            size for size in octave_sizes(spec.dreamt_size, self.octaves, self.octave_scale) if min(size) >= side
        ]
        needs = f"layer {layer.name} needs {side}x{side}"
        if not fitting:
            remedy = "take a larger picture (for a film, a larger `size`) or a shallower layer"
            seen = f"the picture is {spec.size}" + (f", its views {spec.dreamt_size}" if spec.on_sphere else "")
            yield "layer" if self.objective is None else "objective", f"{needs}, {seen}; {remedy}"
        elif len(fitting) < self.octaves:
            smallest = octave_sizes(spec.dreamt_size, self.octaves, self.octave_scale)[0]
            said = f"is {self.octaves}: the smallest octave would be {smallest}, {needs}; use at most {len(fitting)}"
            yield "octaves", said


def _onnx(model: object) -> tuple[str, str]:
    """The prefix and the path of an ONNX file; both empty for any other model."""
    prefix = next((each for each in ONNX_INPUTS if isinstance(model, str) and model.startswith(each)), "")
    return prefix, str(model).removeprefix(prefix) if prefix else ""


def _need(layer: backbones.LayerInfo) -> int:
    return layer.smallest_side
