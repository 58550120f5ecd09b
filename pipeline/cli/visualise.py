"""`dreamreel visualise`: pictures out of nothing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli import still_options as options
from pipeline.cli.watch import Watch
from pipeline.errors import MediaError

_SIZE, _CLASS_SIZE = "224x224", "512x512"


def command(
    classes: options.ClassesOption = None,
    layer: options.LayerOption = None,
    channel: options.ChannelOption = None,
    direction: options.DirectionOption = None,
    guide: options.GuideOption = None,
    objective: options.ObjectiveOption = None,
    out: options.OutOption = None,
    size: Annotated[
        str | None, typer.Option(metavar="WxH", help="In pixels: 512x512 for classes, 224x224 for all else.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, max=10000, help="Steps of the climb: 300 for classes, 160 for all else.")
    ] = None,
    prior: Annotated[bool, typer.Option(help="Statistics of photographs; without: every pixel for itself.")] = True,
    bits: options.BitsOption = None,
    model: options.ModelOption = "lite0",
    weights: options.WeightsOption = "auto",
    seed: options.SeedOption = 0,
    overwrite: options.OverwriteOption = False,
    device: options.DeviceOption = "auto",
) -> None:
    """Draw what a class, channel or layer responds to, out of nothing. Classes come large enough for a print."""
    each = [None] if classes is None else classes
    wanted = [options.keys(model, weights, layer, class_, channel, direction, guide, objective) for class_ in each]
    from_nothing(wanted, out, size, steps, seed, overwrite, device, bits, prior)


def from_nothing(
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
        raise options.mistake("", "needs a picture, or something to draw: --class, --channel, --layer or --objective")
    from pipeline.device import open_device
    from pipeline.media.still import write_still
    from pipeline.stills import out_of_nothing, visualise_still

    options.known_bits(bits)
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
    names = list(dict.fromkeys(options.name(keys) for keys in wanted))
    if len(names) < len(wanted):
        raise options.mistake("--class", "names a class twice; name each once")
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
        raise options.mistake("--size", f"is {text!r}: {error}") from None


def _climb(large: bool, prior: bool, steps: int | None) -> Any:
    from dataclasses import replace

    from pipeline.prints import Print
    from pipeline.visualise import PLAIN, Visualisation

    how = Print() if large else Visualisation() if prior else PLAIN
    return how if steps is None else replace(how, steps=steps)
