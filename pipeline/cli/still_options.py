"""What `dreamreel dream` and `dreamreel visualise` are asked in the same words, and what dreams make of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.options import MAX_SEED
from pipeline.errors import PipelineError, PresetError, Problem

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


def keys(
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
        raise mistake(option, f"is {text!r}, must be {form}")
    return place, int(number)


def name(keys: dict[str, Any]) -> str:
    """A file's name that says what is in it, such as `banana.png`."""
    parts = [str(value) for term in keys.get("objective", [keys]) for key, value in term.items() if key in _NAMING]
    return re.sub(r"[^\w.-]+", "-", "-".join(parts)) + ".png"


def _terms(text: str) -> list[Any]:
    from pipeline.preset.yaml12 import read_value

    found = read_value(text, "--objective")
    terms = found if isinstance(found, list) else [found]
    if not terms or not all(isinstance(term, dict) for term in terms):
        raise mistake("--objective", f"is {text!r}, must be a mapping such as {{class: banana}}, or a list of them")
    return terms


def known_bits(bits: int | None) -> None:
    """Raises PresetError for a depth that no picture has."""
    if bits not in (None, 8, 16):
        raise mistake("--bits", f"is {bits}, must be 8 or 16")


def mistake(option: str, message: str) -> PipelineError:
    """What is wrong with an option, to be raised."""
    return PresetError([Problem("", (option,) if option else (), message)])
