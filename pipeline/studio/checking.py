"""What is wrong with a preset's text, under the very characters."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.disk import OUT_OF_REACH
from pipeline.errors import PresetError, Problem, format_path
from pipeline.preset import parse_preset
from pipeline.preset.spans import Place, Spans, spans_of

_AT_KEY = ("unknown key", "stands twice", "is missing", "may have at most", "has ")
_QUOTED = re.compile(r"'([^']+)'")


def check(text: str, base: Path) -> list[dict[str, object]]:
    """Every problem and note with its place; relative paths begin in `base`.

    A file that may not be opened yet is a warning: whether it fits is seen by the render.
    """
    spans = spans_of(text)
    try:
        preset = parse_preset(text, name="", folder=base)
    except PresetError as error:
        return [_placed(problem, spans) for problem in error.problems]
    return [_told(spans.whole, note, "", "warning") for note in preset.notes]


def _placed(problem: Problem, spans: Spans) -> dict[str, object]:
    elsewhere = OUT_OF_REACH in problem.message
    severity = "warning" if elsewhere else "error"
    return _told(_place(problem, spans), problem.message, format_path(problem.path), severity)


def _place(problem: Problem, spans: Spans) -> Place:
    """The characters that a problem is about: the key, its value, or the word in it that the message quotes."""
    if spans.broken is not None:
        return spans.broken
    found, whole = spans.nearest(problem.path)
    if found is None:
        return spans.line(problem.line or 1)
    if not whole or problem.message.startswith(_AT_KEY):
        return found.key if found.key is not None else spans.first_line(found.value)
    written = spans.text[found.value.start : found.value.end].strip("'\"")
    words = (word for word in _QUOTED.findall(problem.message) if word != written)
    return next(filter(None, (spans.only(word, found.value) for word in words)), found.value)


def _told(place: Place, message: str, key: str, severity: str) -> dict[str, object]:
    return {
        "line": place.line,
        "column": place.column,
        "end_line": place.end_line,
        "end_column": place.end_column,
        "severity": severity,
        "message": message,
        "key": key,
    }
