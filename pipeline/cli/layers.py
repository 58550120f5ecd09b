"""`dreamreel layers`: what a network offers to dream on."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table


def command(
    model: Annotated[str, typer.Argument(help="The network; the bundled one if left out.")] = "lite0",
    every: Annotated[bool, typer.Option("--all", help="Every module, not only the blocks.")] = False,
) -> None:
    """List a network's layers, from strokes to faces, with what each needs."""
    from pipeline.backbones import find_recipe, list_layers

    recipe = find_recipe(model)
    table = Table("layer", "kind", "channels", "stride", "smallest side", box=None, pad_edge=False)
    for layer in list_layers(recipe):
        if every or (layer.name.count(".") <= 2 and layer.kind != "Identity"):
            table.add_row(layer.name, layer.kind, str(layer.channels), str(layer.stride), f"{layer.smallest_side} px")
    typer.echo(f"{recipe.name}: {recipe.about}\n")
    Console().print(table)
    typer.echo(f"\nDream on one: dreamreel render first-light --set dream.model={model} --set dream.layer=LAYER")
