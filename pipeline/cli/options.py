"""The options that change a preset, shared by the commands that read one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.complete import device_names, files_and_folders, preset_names
from pipeline.errors import PresetError, Problem

if TYPE_CHECKING:
    from pipeline.preset import Override

MAX_SEED = 2**63 - 1
PresetArgument = Annotated[
    str,
    typer.Argument(
        metavar="PRESET",
        help="A preset's path, or its name on `dreamreel presets`.",
        autocompletion=preset_names,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a key: fps=30, dream.steps=4, stages[2].zoom=2."),
]
InputOption = Annotated[
    str | None,
    typer.Option(
        "--input",
        "-i",
        metavar="FILE",
        autocompletion=files_and_folders,
        help="The picture, film or folder the source reads, such as chelsea's or over-footage's.",
    ),
]
SizeOption = Annotated[str | None, typer.Option(metavar="WxH", help="Size in pixels, such as 1280x720.")]
FpsOption = Annotated[str | None, typer.Option(metavar="RATE", help="Frames per second: 24, 30000/1001.")]
DurationOption = Annotated[str | None, typer.Option(metavar="LENGTH", help="20s, 1m30s, or 600f for frames.")]
SeedOption = Annotated[int | None, typer.Option(metavar="N", help="Another seed gives another film.")]
DeviceOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="auto, cpu, cuda or cuda:1.", autocompletion=device_names),
]


def overrides(
    set_: list[str] | None,
    input_: str | None,
    size: str | None,
    fps: str | None,
    duration: str | None,
    seed: int | None,
    device: str | None,
) -> list[Override]:
    """The options as overrides of the preset's keys, `--set` first."""
    from pipeline.preset import Override

    result = [Override.of(text) for text in set_ or []]
    named = {"size": size, "fps": fps, "duration": duration, "seed": seed, "device": device}
    result += [Override(key, str(value), f"--{key}") for key, value in named.items() if value is not None]
    if input_ is not None:
        result.append(Override("stages[0].path", _absolute(input_), "--input", quoted=True))
    return result


def _absolute(text: str) -> str:
    from pipeline.media.paths import expand

    if not text:
        raise PresetError([Problem("--input", (), "is empty, needs the path of a picture, a film or a folder")])
    if text.startswith("package:"):
        return text
    try:
        return str(expand(text).absolute())
    except ValueError as error:
        raise PresetError([Problem(f"--input {text}", (), str(error))]) from None
