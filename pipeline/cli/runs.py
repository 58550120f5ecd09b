"""`dreamreel info` and `dreamreel assemble`: looking at a run, and joining what it has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.console import print_table, remark, say
from pipeline.cli.render import RunArgument
from pipeline.cli.watch import Watch, before_the_first, clock

if TYPE_CHECKING:
    from pipeline.run import Report

_MOST_SHOWN = 12


def info_command(run: RunArgument) -> None:
    """Tell how a run stands: frames, segments, checkpoints, time, and what was changed in its preset."""
    with Watch(f"looking at {run}", stderr=True):
        from pipeline.run import report

        found = report(run)
    preset = found.preset
    print_table(
        [
            ("run", f"{preset.name}, {preset.size}, {preset.fps} fps, {preset.duration}, seed {preset.seed}"),
            ("state", found.state),
            ("frames", f"{found.frames} of {found.total if found.total is not None else 'endless'}"),
            *([("segments", str(found.segments))] if not found.shots else _shots(found)),
            *(("checkpoint", f"{_place(frame)}: {health}") for frame, health in found.checkpoints.items()),
            *_branched(found),
            ("time spent", clock(found.seconds)),
            ("film", str(found.film) if found.film is not None else "not joined yet (dreamreel assemble)"),
            ("preset from", found.origin if found.origin is not None else "Python"),
            *(("changed", change) for change in found.changes),
        ]
    )


def _shots(found: Report) -> Iterator[tuple[str, str]]:
    """Those of a film that is cut into shots, and where those that are not finished stand."""
    left = [f"{n:04d}: {done} of {all_} frames" for n, (done, all_) in enumerate(found.shots, 1) if done < all_]
    shown = left if len(left) <= _MOST_SHOWN else [*left[: _MOST_SHOWN - 1], "..."]
    yield "shots", ", ".join([f"{len(found.shots) - len(left)} of {len(found.shots)} finished", *shown])


def _branched(found: Report) -> Iterator[tuple[str, str]]:
    """Where the run comes from, and where branches of it may begin."""
    origin, fps = found.ancestry, found.preset.fps
    if origin is not None:
        changes = ", ".join(f"{key}={value}" for key, value in origin.set.items())
        yield "branch of", f"{origin.parent}, at {origin.at} (frame {origin.frame}): {changes or 'nothing changed'}"
    for change in found.preset.changes:
        yield "change", f"at {change.at} (frame {change.frame(fps)}): {', '.join(change.set)}"
    for number, scene in enumerate(found.preset.scenes):
        for frame, change in scene.changes:
            keys = ", ".join(f"scenes[{number}].{key}" for key in change.set)
            yield "change", f"at {round(float(frame / fps), 3):g}s (frame {frame}): {keys}"
    if found.kept:
        shown = [f"{float(frame / fps):g}s" for frame in found.kept]
        shown = shown if len(shown) <= _MOST_SHOWN else [*shown[: _MOST_SHOWN - 2], "...", shown[-1]]
        yield "kept states", f"{', '.join(shown)}: {found.kept_bytes / 1e6:.1f} MB, to branch from"


def _place(frame: int) -> str:
    return f"frame {frame}" if frame >= 0 else before_the_first(-frame)


def assemble_command(
    run: RunArgument,
    audio: Annotated[
        str | None,
        typer.Option(metavar="SOUND", help="Another sound for this film: none, source, or a file with sound."),
    ] = None,
) -> None:
    """Join the film so far, of a run that is rendering, stopped or damaged."""
    with Watch(f"joining {run}", stderr=True):
        from pipeline.run import assemble

        film, frames = assemble(run, audio, lambda note: remark(f"note: {note}"))
    say(f"{film}: {frames} frames")
