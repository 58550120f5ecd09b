"""`dreamreel dream`: dreams over stills in one line."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from pipeline.cli import still_options as options
from pipeline.cli.visualise import from_nothing
from pipeline.cli.watch import Watch
from pipeline.errors import MediaError, ModelError, PipelineError

_FOR_FILMS = {"steps": "--steps", "strength": "--strength", "new_strength": "--strength", "every": "--steps"}


def dream_command(
    images: Annotated[
        list[str] | None, typer.Argument(metavar="IMAGE", help="Files, folders or patterns; none: from noise.")
    ] = None,
    out: options.OutOption = None,
    layer: options.LayerOption = None,
    class_: options.ClassOption = None,
    channel: options.ChannelOption = None,
    direction: options.DirectionOption = None,
    guide: options.GuideOption = None,
    caricature: Annotated[
        bool, typer.Option("--caricature", help="More of what is special in each picture, at --layer.")
    ] = False,
    objective: options.ObjectiveOption = None,
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
    set_: options.SetOption = None,
    projection: Annotated[
        str, typer.Option(metavar="NAME", help="flat, or equirectangular: a whole sphere, 2:1, seamless all around.")
    ] = "flat",
    bits: options.BitsOption = None,
    model: options.ModelOption = "lite0",
    weights: options.WeightsOption = "auto",
    seed: options.SeedOption = 0,
    overwrite: options.OverwriteOption = False,
    device: options.DeviceOption = "auto",
) -> None:
    """Dream over pictures, each at its own size; without any, out of noise."""
    keys = options.keys(model, weights, layer, class_, channel, direction, guide, objective, caricature)
    known = _known_projection(projection)
    if not images:
        if not (octaves is None and strength is None and memory is None and not set_ and known == "flat"):
            named = "--octaves, --strength, --memory, --projection and --set"
            raise options.mistake("", f"{named} are for dreams over pictures; name one, or leave them out")
        from_nothing([keys], out, None, steps, seed, overwrite, device, bits)
        return
    given = {"first_steps": steps, "first_strength": strength, "octaves": octaves, "memory": memory}
    keys |= {key: value for key, value in given.items() if value is not None} | _settings(set_ or [])
    _over_pictures(images, keys, out, bits, seed, overwrite, device, known)


def _over_pictures(
    images: list[str],
    keys: dict[str, Any],
    out: Path | None,
    bits: int | None,
    seed: int,
    overwrite: bool,
    device: str,
    projection: Any,
) -> None:
    """A dream over each; one that fails stops none of the others."""
    from pipeline.device import open_device
    from pipeline.stills import StillDreamer, plan

    jobs = plan(images, out, overwrite)
    options.known_bits(bits)
    dreamer = StillDreamer(keys, seed, open_device(device), projection)
    failures: list[str] = []
    with Watch("dreaming") as watch:
        for number, job in enumerate(jobs, 1):
            watch.turn_to(f"{job.source.name} ({number} of {len(jobs)})")
            try:
                watch.say(_dream_one(dreamer, job.source, job.target, bits))
            except PipelineError as error:
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


def _settings(settings: list[str]) -> dict[str, Any]:
    """The keys that `--set KEY=VALUE` gives."""
    from pipeline.preset import Override
    from pipeline.preset.yaml12 import read_value

    found: dict[str, Any] = {}
    for text in settings:
        override = Override.of(text)
        if override.key in _FOR_FILMS:
            raise options.mistake("--set", f"{override.key} is for films; a still takes {_FOR_FILMS[override.key]}")
        found[override.key] = read_value(override.value, f"--set {override.key}")
    return found


def _known_projection(name: str) -> Any:
    from pipeline.frame import Projection

    if name not in get_args(Projection):
        raise options.mistake("--projection", f"is {name!r}, must be one of {', '.join(get_args(Projection))}")
    return name
