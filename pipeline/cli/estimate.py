"""`dreamreel estimate`: what a render will cost on this machine, before it is begun."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import options
from pipeline.cli.console import print_table
from pipeline.cli.watch import Watch, clock, megabytes

if TYPE_CHECKING:
    from pipeline.run.estimate import Estimate


def command(
    preset: options.PresetArgument,
    set_: options.SetOption = None,
    input_: options.InputOption = None,
    size: options.SizeOption = None,
    fps: options.FpsOption = None,
    duration: options.DurationOption = None,
    seed: options.SeedOption = None,
    device: options.DeviceOption = None,
    probe: Annotated[
        float, typer.Option(min=0.0, metavar="SECONDS", help="How long to try; more makes it surer.")
    ] = 20.0,
) -> None:
    """Tell what a render takes here: time, memory and disk, by rendering a few frames at their real size.

    Nothing is left behind. The options are those of `dreamreel render`.
    """
    changes = options.overrides(set_, input_, size, fps, duration, seed, device)
    with Watch(f"estimating {preset}", stderr=True):
        from pipeline.preset import load_preset
        from pipeline.run.estimate import estimate

        loaded = load_preset(preset, changes)
        found = estimate(loaded, probe)
    each = "" if loaded.duration.to_frames(loaded.fps) is not None else " of every minute"
    print_table(
        [
            ("film", f"{loaded.name}, {found.frames} frames{each}, {loaded.size}, {loaded.fps} fps, on {found.device}"),
            ("time", f"{_time(found)}{each}"),
            ("memory", "not told by this system" if found.memory is None else f"{megabytes(found.memory)} at its peak"),
            ("disk", f"{_disk(found)}{each}"),
        ]
    )


def _time(found: Estimate) -> str:
    seconds = found.seconds
    return f"about {clock(seconds.value)}, between {clock(seconds.low)} and {clock(seconds.high)}"


def _disk(found: Estimate) -> str:
    film, states = found.film, found.states * found.state_bytes
    made = f"a film of {megabytes(film.low)} to {megabytes(film.high)}, and as much again in segments"
    counted = f"{found.states} state{'s' if found.states > 1 else ''}"
    kept = f", {megabytes(states)} in {counted} to branch from" if found.states else ""
    return f"{made}{kept}; at most {megabytes(found.working)} more while it renders"
