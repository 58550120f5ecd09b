"""`dreamreel dream` and `dreamreel visualise`: stills in one line."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from pipeline.cli.options import MAX_SEED
from pipeline.cli.watch import Watch
from pipeline.errors import MediaError, ModelError, PipelineError, PresetError, Problem

OutOption = Annotated[Path | None, typer.Option("--out", "-o", metavar="PATH", help="The file, or a folder.")]
ModelOption = Annotated[str, typer.Option(metavar="NAME", help="The network; `dreamreel layers` lists them.")]
WeightsOption = Annotated[str, typer.Option(metavar="FILE", help="auto, random, or a .safetensors or .pth file.")]
LayerOption = Annotated[str | None, typer.Option(metavar="L", help="More of whatever the layer responds to.")]
ClassOption = Annotated[str | None, typer.Option("--class", metavar="NAME", help="An ImageNet class, or its index.")]
ClassesOption = Annotated[
    list[str] | None, typer.Option("--class", metavar="NAME", help="An ImageNet class; repeated: a picture of each.")
]
ChannelOption = Annotated[str | None, typer.Option(metavar="L:N", help="A layer's channel, such as blocks.4.1:7.")]
DirectionOption = Annotated[
    str | None, typer.Option(metavar="FILE:N", help="One that `dreamreel learn` found, by its number.")
]
GuideOption = Annotated[Path | None, typer.Option(metavar="IMAGE", help="Features to draw, at --layer.")]
ObjectiveOption = Annotated[
    str | None, typer.Option(metavar="YAML", help="As in presets: '[{class: banana}, {class: lemon, weight: -1}]'.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A key of the dream stage: smoothing=2, 'mask={detail: 0.02}'."),
]
SeedOption = Annotated[int, typer.Option(min=0, max=MAX_SEED, metavar="N", help="Another seed gives another picture.")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace pictures that exist.")]
DeviceOption = Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda or cuda:1.")]
BitsOption = Annotated[int | None, typer.Option(metavar="8|16", help="A channel; as in the original if left out.")]
_GUIDE_LAYER = _CARICATURE_LAYER = "blocks.4.1"
_NAMING = ("class", "layer", "channel", "neuron", "direction")
_SIZE, _CLASS_SIZE = "224x224", "512x512"
_FOR_FILMS = {"steps": "--steps", "strength": "--strength", "new_strength": "--strength", "every": "--steps"}


def dream_command(
    images: Annotated[
        list[str] | None, typer.Argument(metavar="IMAGE", help="Files, folders or patterns; none: from noise.")
    ] = None,
    out: OutOption = None,
    layer: LayerOption = None,
    class_: ClassOption = None,
    channel: ChannelOption = None,
    direction: DirectionOption = None,
    guide: GuideOption = None,
    caricature: Annotated[
        bool, typer.Option("--caricature", help="More of what is special in each picture, at --layer.")
    ] = False,
    objective: ObjectiveOption = None,
    steps: Annotated[
        int | None, typer.Option(min=1, max=10000, help="For each octave (16); out of nothing 160.")
    ] = None,
    octaves: Annotated[int | None, typer.Option(min=1, max=12, help="Sizes dreamt on; as many as fit.")] = None,
    strength: Annotated[
        float | None, typer.Option(min=0, max=20, help="How far colours (0 to 1) move per octave (0.08).")
    ] = None,
    memory: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="What a step may take, such as 4GB, before it goes in tiles.")
    ] = None,
    set_: SetOption = None,
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
    keys = _keys(model, weights, layer, class_, channel, direction, guide, objective, caricature)
    known = _known_projection(projection)
    if not images:
        if not (octaves is None and strength is None and memory is None and not set_ and known == "flat"):
            options = "--octaves, --strength, --memory, --projection and --set"
            raise _mistake("", f"{options} are for dreams over pictures; name one, or leave them out")
        _from_nothing([keys], out, None, steps, seed, overwrite, device, bits)
        return
    given = {"first_steps": steps, "first_strength": strength, "octaves": octaves, "memory": memory}
    keys |= {key: value for key, value in given.items() if value is not None} | _settings(set_ or [])
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
    classes: ClassesOption = None,
    layer: LayerOption = None,
    channel: ChannelOption = None,
    direction: DirectionOption = None,
    guide: GuideOption = None,
    objective: ObjectiveOption = None,
    out: OutOption = None,
    size: Annotated[
        str | None, typer.Option(metavar="WxH", help="In pixels: 512x512 for classes, 224x224 for all else.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, max=10000, help="Steps of the climb (160).")] = None,
    prior: Annotated[bool, typer.Option(help="Statistics of photographs; without: every pixel for itself.")] = True,
    bits: BitsOption = None,
    model: ModelOption = "lite0",
    weights: WeightsOption = "auto",
    seed: SeedOption = 0,
    overwrite: OverwriteOption = False,
    device: DeviceOption = "auto",
) -> None:
    """Draw what a class, channel or layer responds to, out of nothing. Classes come large enough for a print."""
    each = [None] if classes is None else classes
    wanted = [_keys(model, weights, layer, class_, channel, direction, guide, objective) for class_ in each]
    _from_nothing(wanted, out, size, steps, seed, overwrite, device, bits, prior)


def _from_nothing(
    wanted: list[dict[str, Any]],
    out: Path | None,
    size: str | None,
    steps: int | None,
    seed: int,
    overwrite: bool,
    device: str,
    bits: int | None,
    prior: bool = True,
) -> None:
    """One picture for each of `wanted`; nothing is drawn before all of them are known to fit."""
    if not all("objective" in keys or "layer" in keys for keys in wanted):
        raise _mistake("", "needs a picture, or something to draw: --class, --channel, --layer or --objective")
    from pipeline.device import open_device
    from pipeline.media.still import write_still
    from pipeline.stills import out_of_nothing, visualise_still

    _known_bits(bits)
    targets = _targets(wanted, out, overwrite)
    large = prior and all(_asks_for_classes(keys) for keys in wanted)
    pixels, how, opened = _pixels(size, large), _climb(large, prior, steps), open_device(device)
    for keys in wanted:
        out_of_nothing(keys, pixels, seed, opened)
    with Watch("drawing") as watch:
        for number, (keys, target) in enumerate(zip(wanted, targets, strict=True), 1):
            start = time.perf_counter()
            watch.turn_to(f"{target.name} ({number} of {len(targets)})" if len(targets) > 1 else target.name)
            write_still(visualise_still(keys, pixels, how, seed, opened), target, deep=bits == 16)
            watch.say(f"{target}  {pixels}, {time.perf_counter() - start:.1f} s")


def _asks_for_classes(keys: dict[str, Any]) -> bool:
    return "objective" in keys and all("class" in term for term in keys["objective"])


def _targets(wanted: list[dict[str, Any]], out: Path | None, overwrite: bool) -> list[Path]:
    """A file for each picture; several go into the folder `out`."""
    names = list(dict.fromkeys(_name(keys) for keys in wanted))
    if len(names) < len(wanted):
        raise _mistake("--class", "names a class twice; name each once")
    into_folder = out is not None and (out.is_dir() or len(wanted) > 1)
    if out is not None and into_folder and out.suffix and not out.is_dir():
        raise MediaError(f"{out} is one file, and there are {len(wanted)} pictures; give a folder")
    targets = [Path(name) if out is None else out / name if into_folder else out for name in names]
    there = [target for target in targets if target.exists()]
    if there and not overwrite:
        raise MediaError(f"{there[0]} exists already; --overwrite replaces it, -o writes elsewhere")
    return targets


def _pixels(size: str | None, large: bool) -> Any:
    from pipeline.units import parse_size

    text = size if size is not None else _CLASS_SIZE if large else _SIZE
    try:
        return parse_size(text)
    except ValueError as error:
        raise _mistake("--size", f"is {text!r}: {error}") from None


def _climb(large: bool, prior: bool, steps: int | None) -> Any:
    from dataclasses import replace

    from pipeline.prints import Print
    from pipeline.visualise import PLAIN, Visualisation

    how = Print() if large else Visualisation() if prior else PLAIN
    return how if steps is None else replace(how, steps=steps)


def _keys(
    model: str,
    weights: str,
    layer: str | None,
    class_: str | None,
    channel: str | None,
    direction: str | None,
    guide: Path | None,
    objective: str | None,
    caricature: bool = False,
) -> dict[str, Any]:
    """The options as keys of a dream; what several of them ask for is summed."""
    terms: list[Any] = []
    if class_ is not None:
        terms.append({"class": int(class_) if class_.isdecimal() else class_})
    if channel is not None:
        place, number = _numbered("--channel", channel, "LAYER:NUMBER, such as blocks.4.1:7")
        terms.append({"layer": place, "channel": number})
    if direction is not None:
        file, number = _numbered("--direction", direction, "FILE:NUMBER, such as my.directions.safetensors:7")
        terms.append({"directions": file, "direction": number})
    if caricature:
        terms.append({"layer": _CARICATURE_LAYER if layer is None else layer, "caricature": "now"})
    if guide is not None:
        terms.append({"layer": _GUIDE_LAYER if layer is None else layer, "guide": str(guide)})
    if objective is not None:
        terms += _terms(objective)
    keys: dict[str, Any] = {"model": model, "weights": weights}
    if not terms:
        return keys if layer is None else keys | {"layer": layer}
    alone = layer is not None and guide is None and not caricature
    return keys | {"objective": [*terms, *([{"layer": layer}] if alone else [])]}


def _numbered(option: str, text: str, form: str) -> tuple[str, int]:
    place, colon, number = text.rpartition(":")
    if not colon or not number.isdecimal():
        raise _mistake(option, f"is {text!r}, must be {form}")
    return place, int(number)


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


def _settings(settings: list[str]) -> dict[str, Any]:
    """The keys that `--set KEY=VALUE` gives."""
    from pipeline.preset import Override
    from pipeline.preset.yaml12 import read_value

    found: dict[str, Any] = {}
    for text in settings:
        override = Override.of(text)
        if override.key in _FOR_FILMS:
            raise _mistake("--set", f"{override.key} is for films; a still takes {_FOR_FILMS[override.key]}")
        found[override.key] = read_value(override.value, f"--set {override.key}")
    return found


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
