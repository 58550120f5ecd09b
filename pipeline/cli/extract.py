"""`dreamreel extract`: the preset back out of a film."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.console import remark, say
from pipeline.errors import MediaError, printable

if TYPE_CHECKING:
    from pipeline.run.extract import Wanted


def command(
    film: Annotated[Path, typer.Argument(metavar="FILM", help="A film that dreamreel rendered.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Where to write it; printed if left out.")
    ] = None,
) -> None:
    """Write out the preset that a film was rendered from, and say which files it wants beside it."""
    from pipeline.run.extract import extract

    found = extract(film)
    folder = Path.cwd() if out is None else out.absolute().parent
    told = [f"{each.key} wants {_described(each)}: {each.found_in(folder)}" for each in found.wanted]
    made_with = ", ".join(f"{name} {version}" for name, version in found.made_with.items())
    about = [
        f"The preset of {film.name}, written out by dreamreel.",
        *([f"Made with {made_with}."] if made_with else []),
    ]
    # A film comes from anywhere: what it says must not end a comment.
    text = "".join(f"# {printable(line)}\n" for line in [*about, *told]) + found.preset
    if out is None:
        for line in text.splitlines():
            say(line)
    else:
        _write(out, text)
        say(f"{out}: the preset of {film}")
    for line in told:
        (remark if out is None else say)(line)


def _described(wanted: Wanted) -> str:
    size = "" if wanted.size is None else f", {wanted.size} bytes"
    digest = "" if wanted.digest is None else f", BLAKE2b {wanted.digest}"
    return f"{wanted.file}{size}{digest}"


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise MediaError(f"{path} is there already; name another file with --out") from None
    except (OSError, ValueError) as error:
        raise MediaError(f"can't write to {path}: {getattr(error, 'strerror', None) or error}") from None
