"""A batch at a glance: what runs differ in, with their posters, as one picture and as a page of films."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.batch.planning import Work
from pipeline.disk import write_whole

_WIDTH, _GAP, _LINE, _MOST_COLUMNS, _MOST_PICTURES = 240, 10, 16, 8, 400
_PAPER, _INK, _FAINT = 24, 225, 140
_FONT, _SCALE = cv2.FONT_HERSHEY_SIMPLEX, 0.4
_PAGE = Template((Path(__file__).parent / "page.html").read_text(encoding="utf-8"))


def columns_of(works: Sequence[Work]) -> int:
    """How many stand side by side: as many as there are values of what changes fastest, seeds before all."""
    told = [work.planned.told for work in works]
    last = list(told[0])[-1] if told and told[0] else ""
    rest = [{key: value for key, value in each.items() if key != last} for each in told]
    run = next((number for number, (a, b) in enumerate(pairwise(rest), 1) if a != b), len(told))
    return min(_MOST_COLUMNS, run) if run > 1 else min(4, len(told))


def write_sheet(works: Sequence[Work], path: Path) -> None:
    """A PNG of the posters, in rows, each with what its run differs in below; at most 400 of them. Raises OSError."""
    shown = works[:_MOST_PICTURES]
    common = _common(works)
    captions = [_caption(work.planned.told, common) for work in shown]
    posters = [_poster(work) for work in shown]
    height = max((poster.shape[0] for poster in posters if poster is not None), default=_WIDTH * 9 // 16)
    lines = max(map(len, captions), default=0)
    cell = height + lines * _LINE + _GAP
    columns = columns_of(shown)
    sheet = np.full((-(-len(shown) // columns) * cell + _GAP, columns * (_WIDTH + _GAP) + _GAP, 3), _PAPER, np.uint8)
    for index, (work, poster, caption) in enumerate(zip(shown, posters, captions, strict=True)):
        top, left = _GAP + index // columns * cell, _GAP + index % columns * (_WIDTH + _GAP)
        if poster is None:
            cv2.rectangle(sheet, (left, top), (left + _WIDTH - 1, top + height - 1), (60,) * 3, 1)
            _write(sheet, work.standing().state, left + 8, top + height // 2, _FAINT)
        else:
            sheet[top : top + poster.shape[0], left : left + _WIDTH] = poster
        for number, line in enumerate(caption, 1):
            _write(sheet, line, left, top + height + number * _LINE - 4, _INK)
    done, data = cv2.imencode(".png", sheet)
    assert done
    write_whole(path, data.tobytes())


def write_page(works: Sequence[Work], title: str, path: Path) -> None:
    """A page beside the runs' folders where their films play side by side, at the same second. Raises OSError."""
    common = _common(works)
    films = [
        {
            "name": work.planned.name,
            "told": _caption(work.planned.told, common),
            "film": f"{quote(work.planned.name)}/{quote(film.name)}" if film is not None else None,
            "poster": f"{quote(work.planned.name)}/poster.png" if film is not None else None,
            "size": _size(work.folder.poster),
            "state": work.standing().state,
        }
        for work in works
        for film in [_film(work)]
    ]
    said = "; ".join(f"{key} {value}" for key, value in common.items())
    data = json.dumps(films).replace("<", "\\u003c")
    page = _PAGE.substitute(title=html.escape(title), said=html.escape(said), films=data, columns=columns_of(works))
    write_whole(path, page.encode())


def _common(works: Sequence[Work]) -> dict[str, Any]:
    """What all runs have alike, which no caption repeats."""
    told = [work.planned.told for work in works]
    return (
        {key: value for key, value in told[0].items() if all(each.get(key) == value for each in told)} if told else {}
    )


def _caption(told: dict[str, Any], common: dict[str, Any]) -> list[str]:
    """A line for each thing that a run differs in."""
    return [
        f"{key} {value if isinstance(value, str) else json.dumps(value, default=str)}"
        for key, value in told.items()
        if key not in common
    ]


def _film(work: Work) -> Path | None:
    """The finished film, if there is one that a browser may play."""
    name = work.note.get("film")
    found = sorted(work.folder.path.glob(f"{name}.*")) if isinstance(name, str) else []
    return next((path for path in found if path.suffix in (".mp4", ".webm", ".mov")), None)


def _poster(work: Work) -> NDArray[Any] | None:
    """(h, 240, 3) BGR; None where there is none yet."""
    picture = cv2.imread(str(work.folder.poster)) if work.folder.poster.exists() else None
    if picture is None:
        return None
    height = max(1, round(picture.shape[0] * _WIDTH / picture.shape[1]))
    return cv2.resize(picture, (_WIDTH, height), interpolation=cv2.INTER_AREA)


def _size(poster: Path) -> str:
    """A poster's width and height, as CSS has them, so that a page keeps room for it."""
    try:
        with Image.open(poster) as picture:
            return f"{picture.width} / {picture.height}"
    except OSError:
        return "16 / 9"


def _write(sheet: NDArray[np.uint8], text: str, left: int, bottom: int, ink: int) -> None:
    (wide, _), _ = cv2.getTextSize(text, _FONT, _SCALE, 1)
    scale = _SCALE * min(1.0, _WIDTH / max(1, wide))
    plain = text.encode("ascii", "replace").decode()
    cv2.putText(sheet, plain, (left, bottom), _FONT, scale, (ink,) * 3, 1, cv2.LINE_AA)
