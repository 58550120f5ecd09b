"""What is wrong with a preset's text, under the very characters."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.disk import OUT_OF_REACH
from pipeline.errors import PresetError, Problem, format_path
from pipeline.preset import parse_preset
from pipeline.preset.extends import EXTENDS
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
    severity = "warning" if OUT_OF_REACH in problem.message else "error"
    key = format_path(problem.path)
    if not problem.where:
        return _told(_place(problem, spans), problem.message, key, severity)
    where = problem.where if problem.line is None else f"{problem.where}:{problem.line}"  # of a file that it extends
    found, _ = spans.nearest((EXTENDS,))
    place = spans.whole if found is None else found.value
    return _told(place, f"{where}: {key}: {problem.message}" if key else f"{where}: {problem.message}", key, severity)


def _place(problem: Problem, spans: Spans) -> Place:
    """The characters that a problem is about: the key, its value, or the word in it that the message quotes."""
    if spans.broken is not None:
        return spans.broken
    line = problem.line or 1
    found, whole = spans.nearest(problem.path)
    if found is None or not whole or not found.begins_on(line):
        # Stages that are put over those of another file stand elsewhere than in the whole.
        other, same = spans.on_line(line, problem.path)
        found, whole = (other, True) if same else (found, whole)
    if found is None or not found.begins_on(line):
        key = str(problem.path[-1]) if problem.path else ""
        return spans.only(key, spans.line(line)) or spans.line(line)
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
