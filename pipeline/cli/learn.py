"""`dreamreel learn`: directions of one's own, from pictures."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.console import say
from pipeline.cli.options import MAX_SEED
from pipeline.cli.watch import Watch
from pipeline.errors import MediaError

if TYPE_CHECKING:
    import torch

    from pipeline.learn import Learnt


def command(
    images: Annotated[list[str], typer.Argument(metavar="IMAGE", help="Files, folders or patterns.")],
    layer: Annotated[
        str, typer.Option(metavar="L", help="The layer; `dreamreel layers` lists them. Deeper ones know larger things.")
    ] = "blocks.5.0",
    count: Annotated[int, typer.Option("--count", "-k", min=2, max=1024, help="How many directions.")] = 32,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="The file; its atlas lies beside it as .png and .html."),
    ] = None,
    atlas: Annotated[bool, typer.Option(help="Draw every direction, beside the places that show it.")] = True,
    side: Annotated[int, typer.Option(min=32, max=1024, help="The side of a picture in the atlas, in pixels.")] = 144,
    places: Annotated[
        int, typer.Option(min=1000, max=1_000_000, help="From how many places of the pictures it learns, at most.")
    ] = 20_000,
    model: Annotated[str, typer.Option(metavar="NAME", help="The network; `dreamreel layers` lists them.")] = "lite0",
    weights: Annotated[str, typer.Option(metavar="FILE", help="auto, random, or a weights file.")] = "auto",
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, metavar="N", help="Another seed learns others.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")] = False,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda or cuda:1.")] = "auto",
) -> None:
    """Learn what your pictures are made of: directions to dream along, and an atlas of them."""
    from pipeline.device import open_device
    from pipeline.learn import learn
    from pipeline.objectives.learnt import write_directions
    from pipeline.stills import find_pictures

    pictures = find_pictures(images)
    file, made = _files(out, layer, atlas, overwrite)
    start, opened = time.perf_counter(), open_device(device)
    with Watch(f"looking at {len(pictures)} pictures") as watch:
        found = learn(pictures, layer, count, opened, model=model, weights=weights, seed=seed, most=places)
        facts = {"pictures": len(pictures), "places": len(found.codes), "seed": seed, "explained": found.explained}
        write_directions(found.directions, file, facts)
        watch.say(f"{file}  {_said(found)}, {time.perf_counter() - start:.1f} s")
        if atlas:
            _draw(found, file, made, pictures, side, opened, weights, watch)
            watch.say(f"{made[0]} and {made[1].name}")
    say(f"Dream on one: dreamreel visualise --direction {file}:0")


def _files(out: Path | None, layer: str, atlas: bool, overwrite: bool) -> tuple[Path, tuple[Path, Path]]:
    """The file of directions, and those of its atlas. Raises MediaError."""
    from pipeline.objectives.learnt import SUFFIX

    file = Path(layer + SUFFIX) if out is None else out
    if file.suffix != ".safetensors":
        raise MediaError(f"{file} must be a .safetensors file; name it {file.name.removesuffix(file.suffix)}{SUFFIX}")
    stem = file.name.removesuffix(".safetensors").removesuffix(".directions")
    made = file.with_name(f"{stem}.png"), file.with_name(f"{stem}.html")
    there = [path for path in (file, *(made if atlas else ())) if path.exists()]
    if there and not overwrite:
        raise MediaError(f"{there[0]} exists already; --overwrite replaces it, -o writes elsewhere")
    file.parent.mkdir(parents=True, exist_ok=True)
    return file, made


def _said(found: Learnt) -> str:
    each = float((found.codes > 0).sum(1).float().mean())
    return (
        f"{len(found.directions)} directions of {found.directions.layer}, "
        f"{100 * found.explained:.0f} % of what {len(found.codes)} places are, about {each:.0f} at each"
    )


def _draw(
    found: Learnt,
    file: Path,
    made: tuple[Path, Path],
    pictures: list[Path],
    side: int,
    device: torch.device,
    weights: str,
    watch: Watch,
) -> None:
    from pipeline.atlas import write_page, write_sheet
    from pipeline.learn import direction_entries, direction_plates

    entries, plates = direction_entries(found, file.resolve()), []
    watch.turn_to(f"direction 1 of {len(entries)}")
    for plate in direction_plates(found, entries, pictures, side, device, weights):
        plates.append(plate)
        watch.turn_to(f"direction {len(plates) + 1} of {len(entries)}")
    labels, model = [entry.label for entry in entries], found.directions.model
    write_sheet(plates, labels, made[0])
    title = f"{file.name}: {model} {found.directions.layer}"
    write_page(plates, labels, [entry.yaml(model) for entry in entries], title, made[1])
