"""`dreamreel layers`: what a network offers to dream on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.console import print_table, say

if TYPE_CHECKING:
    from pipeline.backbones import Recipe


def command(
    model: Annotated[str, typer.Argument(help="The network; the bundled one if left out.")] = "lite0",
    every: Annotated[bool, typer.Option("--all", help="Every module, not only the blocks.")] = False,
    classes: Annotated[bool, typer.Option("--classes", help="The classes it can name, instead.")] = False,
) -> None:
    """List a network's layers, from strokes to faces, with what each needs."""
    from pipeline.backbones import find_recipe, list_layers

    recipe = find_recipe(model)
    if classes:
        _print_classes(recipe)
        return
    rows = []
    for layer in list_layers(recipe):
        if every or (layer.name.count(".") <= 2 and layer.kind != "Identity"):
            field = "whole" if layer.receptive_field is None else f"{layer.receptive_field} px"
            numbers = (str(layer.channels), str(layer.stride), field, f"{layer.smallest_side} px")
            rows.append((layer.name, layer.kind, *numbers))
    say(f"{recipe.name}: {recipe.about}")
    say()
    print_table(rows, ("layer", "kind", "channels", "stride", "field", "smallest side"))
    say()
    say(f"Dream on one: dreamreel render first-light --set dream.model={model} --set dream.layer=LAYER")


def _print_classes(recipe: Recipe) -> None:
    from pipeline.objectives.classes import named_classes

    for index, name in enumerate(named_classes(recipe)):
        say(f"{index:4}  {name}")
