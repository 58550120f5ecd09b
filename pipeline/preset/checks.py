"""What a preset's parts have to be to one another, and what the run says of each: all as (place, message)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from pipeline.errors import KeyPath, mishap, parse_path
from pipeline.preset.curves import curve_problems
from pipeline.preset.entries import ENCODE, begins_film
from pipeline.preset.model import Preset
from pipeline.preset.notes import looks_at
from pipeline.preset.shots import problems_of_shots
from pipeline.stages import STAGES, Entry, Role, RunSpec, StageConfig

Findings = Iterator[tuple[KeyPath, str]]


def order_problems(listed: Sequence[object], models: Mapping[str, type[Entry]], *, has_scenes: bool) -> Findings:
    """One source, first; encodes last, and nothing else where scenes hold the rest.

    Judged by name, so that broken keys don't hide it.
    """
    names = [str(entry["stage"]) for entry in listed if isinstance(entry, dict) and str(entry.get("stage")) in models]
    if len(names) < len(listed):
        return
    if has_scenes:
        for index, name in enumerate(names):
            if name != ENCODE:
                said = "stands beside `scenes`, where only encode may; move it into each scene"
                yield ("stages", index, "stage"), f"{name} {said}"
        return
    sources = {name for name, model in models.items() if begins_film(model)}
    if not sources & set(names):
        ours = (name for name, kind in STAGES.items() if begins_film(kind.config))
        yield ("stages",), f"has no source; begin with one of {', '.join(ours)}"
    for index, name in enumerate(names):
        path = ("stages", index, "stage")
        if name in sources and index > 0:
            first = sources & set(names[:index])
            reason = "is a second source; keep one" if first else "is a source; it must stand first"
            yield path, f"{name} {reason}"
        if name == ENCODE and set(names[index:]) != {ENCODE}:
            yield path, f"{name} must stand last; nothing but others of its kind may follow"


def run_problems(preset: Preset, stages: Sequence[Entry | None]) -> Findings:
    """What the run says of each stage that can be read, though another can't."""
    spec = replace(preset.spec(), looks=looks_at(stages))
    for index, config in enumerate(stages):
        try:
            yield from _stage_problems(index, config, spec)
        except Exception as error:
            yield ("stages", index), mishap(error)
    if not preset.scenes:
        yield from _frame_problems(preset, spec)


def _stage_problems(index: int, config: Entry | None, spec: RunSpec) -> Findings:
    curves = curve_problems(config, spec) if isinstance(config, StageConfig) else ()
    within = spec if isinstance(config, StageConfig) and config.feeds_back else spec.shown
    for key, message in () if config is None else (*curves, *config.problems(within)):
        yield ("stages", index, *parse_path(key)), message


def _frame_problems(preset: Preset, spec: RunSpec) -> Findings:
    if spec.on_sphere and preset.margin:
        yield ("margin",), f"is {preset.margin:g}, but a sphere ends nowhere: nothing lies beyond it; leave it out"
    elif spec.on_sphere and not spec.size.is_sphere:
        height = max(2, round(spec.size.width / 4) * 2)
        wanted = f"twice as wide as high with `projection: equirectangular`, such as {2 * height}x{height}"
        yield ("size",), f"is {spec.size}, must be {wanted}"
    yield from problems_of_shots(preset)
    if spec.lead_in and not spec.continues:
        yield ("lead_in",), "is for films that grow out of themselves; footage begins as it is: leave it out"
    if preset.margin and not spec.continues:
        remedy = "leave it out; `edges: reflect` of the zoom stage shows its mirror image there"
        yield ("margin",), f"is {preset.margin:g}, but footage has nothing beyond its frame; {remedy}"


def round_problems(preset: Preset) -> Findings:
    """Behind a stage that ends the round from frame to frame, nothing feeds back."""
    ender: StageConfig | None = None
    for index, config in enumerate(preset.chain):
        if config.role is not Role.EFFECT:
            continue
        if ender is not None and config.feeds_back:
            remedy = ", or give it `shown_only: true`" if "shown_only" in type(config).model_fields else ""
            yield ("stages", index), f"{config.id} feeds back, so it must stand before {ender.id}{remedy}"
        if config.closes or not config.feeds_back:
            ender = config
