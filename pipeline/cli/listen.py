"""`dreamreel listen`: what a preset would hear of a song."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.console import print_table, say
from pipeline.cli.watch import Watch, clock
from pipeline.errors import PresetError, Problem

if TYPE_CHECKING:
    from pipeline.signals import Signals

_MOST_SECTIONS = 24


def command(
    song: Annotated[str, typer.Argument(metavar="SONG", help="A file with sound; a film will do.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="Write a chart (PNG) and a page that plays the song there."),
    ] = None,
    bpm: Annotated[str, typer.Option(metavar="TEMPO", help="120, or a range such as 60-100; auto finds it.")] = "auto",
    first_beat: Annotated[str | None, typer.Option(metavar="TIME", help="When the first bar begins: 0.37s.")] = None,
    meter: Annotated[int, typer.Option(min=1, max=16, help="Beats in a bar.")] = 4,
    export: Annotated[Path | None, typer.Option(metavar="CSV", help="Write every beat as time,beat,bar.")] = None,
    click: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the song with a click on every beat: .wav, .flac, .mp3.")
    ] = None,
) -> None:
    """Tell a song's tempo, beats and sections, as curves in a preset would follow them."""
    from pipeline.listen import hear, song_of
    from pipeline.listen.page import write_page
    from pipeline.listen.report import write_beats, write_chart, write_clicks

    config = _config({"path": song, "bpm": bpm, "first_beat": first_beat, "meter": meter})
    name = Path(song).stem
    with Watch(f"listening to {Path(song).name}", stderr=True) as watch:
        sound = song_of(config)
        signals = hear(config, sound)
        made: list[Path] = []
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            watch.turn_to("drawing")
            made += [out / f"{name}.png", out / f"{name}.html"]
            write_chart(name, signals, made[0])
            write_page(name, tempo(signals), sound, signals, made[1])
        if export is not None:
            made.append(export)
            write_beats(signals, export)
        if click is not None:
            made.append(click)
            write_clicks(sound, signals, click)
    _tell(Path(song).name, signals)
    for path in made:
        say(str(path))


def _config(keys: dict[str, Any]) -> Any:
    from pipeline.listen import ListenConfig
    from pipeline.preset.boundary import validated
    from pipeline.preset.yaml12 import Document

    given = {key: value for key, value in keys.items() if value is not None}
    config, problems = validated(ListenConfig, given, (), Document("", given), {"folder": Path.cwd()})
    if config is None:
        named = {"bpm": "--bpm", "first_beat": "--first-beat", "path": "SONG"}
        raise PresetError([Problem("", (named.get(str(p.path[0]), *p.path),), p.message) for p in problems])
    return config


def tempo(signals: Signals) -> str:
    """The tempo in words."""
    if not signals.bpm:
        return "no beat was found; if there is one, say --bpm"
    kept = "steady" if signals.steady else "it changes along the way"
    others = " or ".join(f"{guess:.1f}" for guess in signals.guesses[:2])
    return f"{signals.bpm:.2f} beats a minute, {kept}; it might be read as {others} too (--bpm decides)"


def _tell(name: str, signals: Signals) -> None:
    say(f"{name}: {clock(signals.seconds)}")
    rows = [("tempo", tempo(signals))]
    if signals.bpm:
        rows.append(("beats", f"{len(signals.beats)}, the first at {signals.beats[0]:.2f} s, {signals.meter} to a bar"))
    rows.append(("onsets", f"{len(signals.song.onsets)}"))
    sections = [clock(float(start)) for start in signals.sections[:_MOST_SECTIONS]]
    more = f" and {len(signals.sections) - _MOST_SECTIONS} more" if len(signals.sections) > _MOST_SECTIONS else ""
    rows.append(("sections", f"{len(signals.sections)}, beginning at {', '.join(sections)}{more}"))
    print_table(rows)
