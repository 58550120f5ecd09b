"""`dreamreel preview`: how a film will look, small and soon; or its camera alone, over a grid."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli import options
from pipeline.cli.console import remark, say
from pipeline.cli.render import watched
from pipeline.cli.watch import Watch


def command(
    preset: options.PresetArgument,
    camera: Annotated[
        bool, typer.Option("--camera", help="Only how the camera moves, over a grid: in seconds.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR|MP4",
            help="The folder, renders/NAME-preview if left out; with --camera the film, renders/NAME-camera.mp4.",
        ),
    ] = None,
    set_: options.SetOption = None,
    input_: options.InputOption = None,
    fps: options.FpsOption = None,
    duration: options.DurationOption = None,
    seed: options.SeedOption = None,
    device: options.DeviceOption = None,
) -> None:
    """Render a preset small and quickly, with the same camera and seed, and motifs as large in the frame.

    The preview that was there before makes room for it.
    """
    changes = options.overrides(set_, input_, None, fps, duration, seed, device)
    with Watch(f"checking {preset}", stderr=True) as watch:
        from pipeline.preset import load_preset
        from pipeline.run import render
        from pipeline.run.small import SUFFIX, small

        loaded = load_preset(preset, changes)
        if camera:
            from pipeline.run.camera import film_camera

            watch.turn_to(f"the camera of {preset}")
            film = film_camera(loaded, Path("renders") / f"{loaded.name}-camera.mp4" if out is None else out)
        else:
            folder = Path("renders") / f"{loaded.name}{SUFFIX}" if out is None else out
            made, differs = small(loaded, folder)
    if camera:
        say(str(film))
        return
    for line in differs:
        remark(f"preview: {line}")
    overwrite = folder_of_preview(folder, SUFFIX)
    watched(made, 30.0, False, lambda options: render(made, folder, overwrite=overwrite, options=options))


def folder_of_preview(folder: Path, suffix: str) -> bool:
    """Whether a preview lies in the folder, which may go; any other run stays."""
    from pipeline.run.folder import RunFolder

    there = RunFolder(folder)
    return there.holds_run() and there.load_preset().name.endswith(suffix)
