"""Curves that stand in a file of their own: `{file: schedule.txt}`, `{file: moves.csv}`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from pipeline.curves.curve import Curve
from pipeline.curves.deforum import Deforum
from pipeline.curves.expression import Expression
from pipeline.curves.keyframes import Keyframes
from pipeline.disk import read_regular
from pipeline.media.paths import from_here, resolve
from pipeline.times import Array, Moments, parse_time
from pipeline.units import parse_fps

MAX_BYTES = 8_000_000
_DEFORUM = re.compile(r"\s*['\"]?[^,:()'\"]+['\"]?\s*:")
_SEPARATORS = re.compile(r"[,;\t]")
_KEYS = {"csv": ("column", "ease", "fps"), "deforum": ("fps", "width"), "expression": ()}
_FRAME_NAMES = ("frame", "frames")


def parse_deforum(value: Mapping[Any, Any]) -> Deforum:
    """The schedule of `{deforum: TEXT, fps: RATE, width: PIXELS}`. Raises ValueError."""
    unknown = sorted(str(key) for key in value if key not in ("deforum", "fps", "width"))
    if unknown:
        raise ValueError(f"a Deforum schedule has the keys deforum, fps and width, not {', '.join(unknown)}")
    text, width = value["deforum"], value.get("width")
    if isinstance(text, int | float) and not isinstance(text, bool):
        text = f"0:({text})"
    if not isinstance(text, str):
        raise ValueError('a Deforum schedule is text such as "0:(1.02), 50:(1.1)"')
    if width is not None and (not isinstance(width, int) or isinstance(width, bool) or not 1 <= width <= 65536):
        raise ValueError("`width` is the width in pixels that the schedule was written for, such as 512")
    return Deforum(text, parse_fps(value["fps"]) if "fps" in value else None, width)


def curve_from_file(value: Mapping[Any, Any], folder: Path, checked: bool) -> Curve:
    """What a file holds: in a .csv lines of times and values, else a Deforum schedule, an expression or a number.

    Not `checked`, a file that can't be read gives a curve without values. Raises ValueError.
    """
    name = value["file"]
    if not isinstance(name, str) or not name:
        raise ValueError("`file` is the path of a schedule, such as {file: schedule.txt}")
    try:
        path = resolve(from_here(name), folder)
        curve = _read(path, {key: item for key, item in value.items() if key != "file"})
    except (OSError, ValueError) as error:
        if checked:
            reason = f"can't be read: {error.strerror}" if isinstance(error, OSError) else error
            raise ValueError(f"{name}: {reason}") from None
        curve, path = Unread(), folder / name
    curve.content, curve.source = curve.source, {**value, "file": str(path)}
    curve.file = str(path)
    return curve


def _read(path: Path, options: Mapping[Any, Any]) -> Curve:
    try:
        text = read_regular(path, MAX_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("is not text in UTF-8") from None
    if path.suffix.lower() == ".csv":
        return _csv(text, _known(options, "csv"))
    if _DEFORUM.match(text):
        return parse_deforum({"deforum": " ".join(text.splitlines()), **_known(options, "deforum")})
    _known(options, "expression")
    return Expression(text.strip())


def _known(options: Mapping[Any, Any], kind: str) -> Mapping[Any, Any]:
    for key in options:
        if key not in _KEYS[kind]:
            there = "".join(f", `{each}`" for each in _KEYS[kind])
            raise ValueError(f"beside a file with {kind} there may be no key {key!r} (there are: `file`{there})")
    return options


def _csv(text: str, options: Mapping[Any, Any]) -> Keyframes:
    """The keyframes in lines of a time and a value, or more columns of which `column` names one."""
    rows = [
        (number, [column.strip().strip('"') for column in _SEPARATORS.split(line)])
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    names = rows.pop(0)[1] if rows and not any(letter.isdigit() for letter in rows[0][1][0]) else []
    at = _column(names, len(rows[0][1]) if rows else 2, options.get("column"))
    fps = parse_fps(options["fps"]) if "fps" in options else None
    in_frames = bool(names) and names[0].lower() in _FRAME_NAMES
    if fps is not None and not in_frames:
        raise ValueError(
            f"`fps` says how fast frames are, and its first column is not called {' or '.join(_FRAME_NAMES)}"
        )
    keys: dict[str, Any] = {}
    for number, columns in rows:
        if len(columns) != len(rows[0][1]):
            must = "TIME,VALUE, such as 2.5s,1.2" if at == 1 and len(rows[0][1]) == 2 else f"{len(rows[0][1])}"
            raise ValueError(f"line {number}: has {len(columns)} columns, must be {must}")
        try:
            time, level = _time(columns[0], in_frames, fps), float(columns[at])
        except ValueError:
            found = ",".join(columns)[:40]
            raise ValueError(f"line {number}: {found!r} must be TIME,VALUE, such as 2.5s,1.2") from None
        if time in keys:
            raise ValueError(f"line {number}: the time {columns[0]} stands twice")
        keys[time] = level
    if not keys:
        raise ValueError("holds no lines of TIME,VALUE, such as 2.5s,1.2")
    return Keyframes({**keys, **{key: value for key, value in options.items() if key == "ease"}})


def _column(names: list[str], count: int, wanted: object) -> int:
    """Which column holds the values. Raises ValueError."""
    if wanted is None:
        if count != 2:
            there = f" ({', '.join(names[1:])})" if names else ""
            raise ValueError(
                f"has {count} columns{there}; name the one with the values: {{file: moves.csv, column: zoom}}"
            )
        return 1
    if wanted not in names[1:]:
        there = f"there are {', '.join(names[1:])}" if names[1:] else "its first line must name its columns"
        raise ValueError(f"has no column {wanted!r}; {there}")
    return names.index(str(wanted))


def _time(text: str, in_frames: bool, fps: Fraction | None) -> str:
    """A time as keyframes have it; a plain number counts seconds, or frames in their column. Raises ValueError."""
    if in_frames:
        frame = int(text.removesuffix("f"))
        return f"{frame}f" if fps is None else f"{float(frame / fps):.9f}s"
    if text[-1:].isdigit():
        return f"{float(text):.9f}s"
    parse_time(text)
    return text


class Unread(Curve):
    """A curve whose file is gone: it can be shown, and has no values."""

    source: Any = None

    def values(self, moments: Moments) -> Array:
        return moments.seconds * float("nan")
