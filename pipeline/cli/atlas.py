"""`dreamreel atlas`: a contact sheet of what a network can draw."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from pipeline.cli.console import Talk
from pipeline.errors import MediaError, PresetError, Problem


def command(
    model: Annotated[str, typer.Argument(help="The network; the bundled one if left out.")] = "lite0",
    image: Annotated[Path | None, typer.Option(help="The picture to dream on; out of noise if left out.")] = None,
    layer: Annotated[
        str | None, typer.Option(metavar="L", help="Every channel of this layer, not every block.")
    ] = None,
    channels: Annotated[str | None, typer.Option(metavar="A-B", help="Only these of the layer's channels.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Where atlas.png and .html go.")
    ] = None,
    side: Annotated[int, typer.Option(min=32, max=1024, help="The longer side of a picture, in pixels.")] = 288,
    weights: Annotated[str, typer.Option(metavar="FILE", help="auto, random, or a weights file.")] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an atlas that exists.")] = False,
    device: Annotated[str, typer.Option(metavar="NAME", help="auto, cpu, cuda or cuda:1.")] = "auto",
) -> None:
    """Show what every block, or every channel of a layer, makes of a picture or of noise."""
    folder = out if out is not None else Path(_name(f"atlas-{model}" + (f"-{layer}" if layer else "")))
    sheet, page = folder / "atlas.png", folder / "atlas.html"
    there = [path for path in (sheet, page) if path.exists()]
    if there and not overwrite:
        raise MediaError(f"{there[0]} exists already; --overwrite replaces it, -o writes elsewhere")
    wanted = _channels(channels, layer)
    from pipeline.atlas import block_entries, channel_entries, draw_plates, write_page, write_sheet
    from pipeline.backbones import find_recipe
    from pipeline.device import open_device
    from pipeline.frame import Size, size_of, to_uint8
    from pipeline.media.picture import fit_to, read_picture

    recipe = find_recipe(model)
    entries = block_entries(recipe) if layer is None else channel_entries(recipe, layer, wanted)
    picture = None if image is None else read_picture(image)
    if picture is not None:
        old = size_of(picture)
        scale = side / max(old)
        picture = fit_to(picture, Size(*(max(1, round(length * scale)) for length in old)), "stretch")
    start, console = time.perf_counter(), Talk()
    drawn = draw_plates(model, entries, picture, side, open_device(device), weights)
    shown = track(drawn, "drawing", len(entries), console=console, transient=True, disable=not console.is_terminal)
    plates = [to_uint8(plate) for plate in shown]
    folder.mkdir(parents=True, exist_ok=True)
    labels = [entry.label for entry in entries]
    write_sheet(plates, labels, sheet)
    title = f"{model}{f' {layer}' if layer else ''}{f' on {image.name}' if image else ' out of noise'}"
    write_page(plates, labels, [entry.yaml(model) for entry in entries], title, page)
    said = f"{sheet} and {page.name}: {len(plates)} pictures, {time.perf_counter() - start:.0f} s"
    console.print(said, highlight=False, soft_wrap=True, markup=False)


def _name(text: str) -> str:
    return re.sub(r"[^\w.-]", "-", text)


def _channels(text: str | None, layer: str | None) -> range | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", text)
    if match is None or layer is None or int(match[2] or match[1]) < int(match[1]):
        reason = "needs --layer too" if layer is None else "must be A-B, such as 0-31"
        raise PresetError([Problem("", "--channels", f"is {text!r}, {reason}")])
    return range(int(match[1]), int(match[2] or match[1]) + 1)
