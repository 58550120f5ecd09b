"""`dreamreel dream` and `dreamreel visualise`: stills in one line."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from pipeline.cli.console import say
from pipeline.cli.options import MAX_SEED
from pipeline.cli.watch import Watch
from pipeline.errors import MediaError, ModelError, PipelineError, PresetError, Problem

OutOption = Annotated[Path | None, typer.Option("--out", "-o", metavar="PATH", help="The file, or a folder.")]
ModelOption = Annotated[str, typer.Option(metavar="NAME", help="The network; `dreamreel layers` lists them.")]
WeightsOption = Annotated[str, typer.Option(metavar="FILE", help="auto, random, or a .safetensors or .pth file.")]
LayerOption = Annotated[str | None, typer.Option(metavar="L", help="More of whatever the layer responds to.")]
ClassOption = Annotated[str | None, typer.Option("--class", metavar="NAME", help="An ImageNet class, or its index.")]
ChannelOption = Annotated[str | None, typer.Option(metavar="L:N", help="A layer's channel, such as blocks.4.1:7.")]
GuideOption = Annotated[Path | None, typer.Option(metavar="IMAGE", help="Features to draw, at --layer.")]
ObjectiveOption = Annotated[
    str | None, typer.Option(metavar="YAML", help="As in presets: '[{class: banana}, {class: lemon, weight: -1}]'.")
]
SeedOption = Annotated[int, typer.Option(min=0, max=MAX_SEED, metavar="N", help="Another seed gives another picture.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace pictures that exist.")]
DeviceOption = Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda or cuda:1.")]
BitsOption = Annotated[int | None, typer.Option(metavar="8|16", help="A channel; as in the original if left out.")]
_GUIDE_LAYER = "blocks.4.1"
_NAMING = ("class", "layer", "channel", "neuron", "direction")
_SIZE, _NOISE_STEPS = "224x224", 160


def dream_command(
    images: Annotated[
        list[str] | None, typer.Argument(metavar="IMAGE", help="Files, folders or patterns; none: from noise.")
    ] = None,
    out: OutOption = None,
    layer: LayerOption = None,
    class_: ClassOption = None,
    channel: ChannelOption = None,
    guide: GuideOption = None,
    objective: ObjectiveOption = None,
    steps: Annotated[int | None, typer.Option(min=1, max=10000, help="For each octave (16); from noise 160.")] = None,
    octaves: Annotated[int | None, typer.Option(min=1, max=12, help="Sizes dreamt on; as many as fit.")] = None,
    strength: Annotated[
        float | None, typer.Option(min=0, max=20, help="How far colours (0 to 1) move per octave (0.08).")
    ] = None,
    memory: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="What a step may take, such as 4GB, before it goes in tiles.")
    ] = None,
    projection: Annotated[
        str, typer.Option(metavar="NAME", help="flat, or equirectangular: a whole sphere, 2:1, seamless all around.")
    ] = "flat",
    bits: BitsOption = None,
    model: ModelOption = "lite0",
    weights: WeightsOption = "auto",
    seed: SeedOption = 0,
    overwrite: OverwriteOption = False,
    device: DeviceOption = "auto",
) -> None:
    """Dream over pictures, each at its own size; without any, out of noise."""
    keys = _keys(model, weights, layer, class_, channel, guide, objective)
    known = _known_projection(projection)
    if not images:
        if not (octaves is None and strength is None and memory is None and known == "flat"):
            options = "--octaves, --strength, --memory and --projection"
            raise _mistake("", f"{options} are for dreams over pictures; name one, or leave them out")
        _from_nothing(keys, out, _SIZE, _NOISE_STEPS if steps is None else steps, seed, overwrite, device, bits)
        return
    given = {"first_steps": steps, "first_strength": strength, "octaves": octaves, "memory": memory}
    keys |= {key: value for key, value in given.items() if value is not None}
    from pipeline.device import open_device
    from pipeline.stills import StillDreamer, plan

    jobs = plan(images, out, overwrite)
    _known_bits(bits)
    dreamer = StillDreamer(keys, seed, open_device(device), known)
    failures: list[str] = []
    with Watch("dreaming") as watch:
        for number, job in enumerate(jobs, 1):
            watch.turn_to(f"{job.source.name} ({number} of {len(jobs)})")
            try:
                watch.say(_dream_one(dreamer, job.source, job.target, bits))
            except PipelineError as error:  # one picture of many stops none of the others
                said = str(error)
                failures.append(said if str(job.source) in said else f"{job.source}: {said}")
                if isinstance(error, ModelError):
                    break  # they would all fail
    if failures:
        count = [f"{len(failures)} of {len(jobs)} pictures failed:"] if len(jobs) > 1 else []
        raise MediaError("\n".join([*count, *failures]))


def _dream_one(dreamer: Any, source: Path, target: Path, bits: int | None) -> str:
    from pipeline.frame import size_of
    from pipeline.media.still import DEEP, write_still
    from pipeline.stills import dream_still

    start = time.perf_counter()
    picture, still = dream_still(dreamer, source)
    deep = bits == 16 or (bits is None and still.deep and target.suffix.lower() in DEEP)
    write_still(picture, target, still, deep)
    return f"{target}  {size_of(picture)}, {time.perf_counter() - start:.1f} s"


def visualise_command(
    class_: ClassOption = None,
    layer: LayerOption = None,
    channel: ChannelOption = None,
    guide: GuideOption = None,
    objective: ObjectiveOption = None,
    out: OutOption = None,
    size: Annotated[str, typer.Option(metavar="WxH", help="Size in pixels.")] = _SIZE,
    steps: Annotated[int, typer.Option(min=1, max=10000, help="Steps of the climb.")] = _NOISE_STEPS,
    prior: Annotated[bool, typer.Option(help="Statistics of photographs; without: every pixel for itself.")] = True,
    bits: BitsOption = None,
    model: ModelOption = "lite0",
    weights: WeightsOption = "auto",
    seed: SeedOption = 0,
    overwrite: OverwriteOption = False,
    device: DeviceOption = "auto",
) -> None:
    """Draw what a class, channel or layer responds to, out of nothing."""
    keys = _keys(model, weights, layer, class_, channel, guide, objective)
    _from_nothing(keys, out, size, steps, seed, overwrite, device, bits, prior)


def _from_nothing(
    keys: dict[str, Any],
    out: Path | None,
    size: str,
    steps: int,
    seed: int,
    overwrite: bool,
    device: str,
    bits: int | None,
    prior: bool = True,
) -> None:
    if "objective" not in keys and "layer" not in keys:
        raise _mistake("", "needs a picture, or something to draw: --class, --channel, --layer or --objective")
    from dataclasses import replace

    from pipeline.device import open_device
    from pipeline.media.still import write_still
    from pipeline.stills import visualise_still
    from pipeline.units import parse_size
    from pipeline.visualise import PLAIN, Visualisation

    _known_bits(bits)
    target = Path(_name(keys)) if out is None else out
    if target.is_dir():
        target = target / _name(keys)
    if target.exists() and not overwrite:
        raise MediaError(f"{target} exists already; --overwrite replaces it, -o writes elsewhere")
    try:
        wanted = parse_size(size)
    except ValueError as error:
        raise _mistake("--size", f"is {size!r}: {error}") from None
    how = replace(Visualisation() if prior else PLAIN, steps=steps)
    start = time.perf_counter()
    with Watch(f"drawing {target.name}"):
        picture = visualise_still(keys, wanted, how, seed, open_device(device))
    write_still(picture, target, deep=bits == 16)
    say(f"{target}  {wanted}, {time.perf_counter() - start:.1f} s")


def _keys(
    model: str,
    weights: str,
    layer: str | None,
    class_: str | None,
    channel: str | None,
    guide: Path | None,
    objective: str | None,
) -> dict[str, Any]:
    """The options as keys of a dream; what several of them ask for is summed."""
    terms: list[Any] = []
    if class_ is not None:
        terms.append({"class": int(class_) if class_.isdecimal() else class_})
    if channel is not None:
        place, colon, number = channel.rpartition(":")
        if not colon or not number.isdecimal():
            raise _mistake("--channel", f"is {channel!r}, must be LAYER:NUMBER, such as blocks.4.1:7")
        terms.append({"layer": place, "channel": int(number)})
    if guide is not None:
        terms.append({"layer": _GUIDE_LAYER if layer is None else layer, "guide": str(guide)})
    if objective is not None:
        terms += _terms(objective)
    keys: dict[str, Any] = {"model": model, "weights": weights}
    if not terms:
        return keys if layer is None else keys | {"layer": layer}
    return keys | {"objective": [*terms, *([{"layer": layer}] if layer is not None and guide is None else [])]}


def _name(keys: dict[str, Any]) -> str:
    """A file's name that says what is in it, such as `banana.png`."""
    parts = [str(value) for term in keys.get("objective", [keys]) for key, value in term.items() if key in _NAMING]
    return re.sub(r"[^\w.-]+", "-", "-".join(parts)) + ".png"


def _terms(text: str) -> list[Any]:
    from pipeline.preset.yaml12 import read_value

    found = read_value(text, "--objective")
    terms = found if isinstance(found, list) else [found]
    if not terms or not all(isinstance(term, dict) for term in terms):
        raise _mistake("--objective", f"is {text!r}, must be a mapping such as {{class: banana}}, or a list of them")
    return terms


def _known_projection(name: str) -> Any:
    from pipeline.frame import Projection

    if name not in get_args(Projection):
        raise _mistake("--projection", f"is {name!r}, must be one of {', '.join(get_args(Projection))}")
    return name


def _known_bits(bits: int | None) -> None:
    if bits not in (None, 8, 16):
        raise _mistake("--bits", f"is {bits}, must be 8 or 16")


def _mistake(option: str, message: str) -> PipelineError:
    return PresetError([Problem("", (option,) if option else (), message)])
