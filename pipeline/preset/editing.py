"""One key of a preset's text set in place: comments, order and quoting of all else stay as they are."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import yaml

from pipeline.errors import KeyPath, PresetError, Problem, format_path, parse_path
from pipeline.preset.changes import STAGES
from pipeline.preset.entries import entry_names
from pipeline.preset.extends import EXTENDS
from pipeline.preset.overrides import Override, override_path, put
from pipeline.preset.spans import Span, Spans, spans_of
from pipeline.preset.yaml12 import Document, read_document, read_value

_NOT_HERE = "can't be set in place here; change it in the text"


def edit(text: str, key: str, value: object) -> tuple[str, int]:
    """The text with another value for a key, as `--set` takes keys, and the line that it stands on now.

    Text for a value is read as YAML; None takes the key out. Raises PresetError for a text that is no YAML, a key that
    can't be there, and where no small change of the text does it.
    """
    text = text.replace("\r\n", "\n")
    document = read_document(text.encode(), "")
    if not isinstance(document.data, dict):
        raise _refusal(key, "needs a preset with `stages:` around it")
    override = Override(key, "", "edit")
    value = read_value(value, key) if isinstance(value, str) else value
    try:
        path = document.written(override_path(document, override))
    except PresetError:
        if EXTENDS not in document.data:
            raise
        return _over_base(text, document, key, value)
    edited = _removed(spans_of(text), path) if value is None else _set(spans_of(text), document, path, value)
    wanted = copy.deepcopy(document.data)
    if value is not None:
        put(Document("", wanted), override, value)
    elif _has(wanted, path):
        _inner(wanted, path[:-1]).pop(path[-1])
    _require_nothing_else(key, wanted, edited)
    after = spans_of(edited)
    place = after.nearest(path)[0]
    return edited, 1 if place is None else (place.value if place.key is None else place.key).line


def _refusal(key: str, message: str) -> PresetError:
    return PresetError([Problem("", (), f"{key} {message}")])


def _over_base(text: str, document: Document, key: str, value: object) -> tuple[str, int]:
    """A stage that a file which is extended has gets an entry here, with the key. Raises PresetError."""
    head, *rest = parse_path(key)
    if value is None or not rest:
        return text, 1
    for part in reversed(rest):
        value = {part: value}
    assert isinstance(value, dict)
    entry = {"stage" if head in entry_names() else "id": head} | value
    spans, line = spans_of(text), f"- {written(entry)}"
    stages = spans.spans.get((STAGES,))
    if stages is None:
        edited = f"{text.rstrip()}\n{STAGES}:\n  {line}\n"
    elif not isinstance(stages.node, yaml.SequenceNode) or not stages.node.value:
        raise _refusal(key, _NOT_HERE)
    elif stages.node.flow_style:
        end = spans.end(stages.node.value[-1])
        edited = f"{text[:end]}, {written(entry)}{text[end:]}"
    else:
        end = text.find("\n", spans.end(stages.node))
        end = len(text) if end < 0 else end
        edited = f"{text[:end]}\n{' ' * stages.node.start_mark.column}{line}{text[end:]}"
    wanted = copy.deepcopy(document.data)
    wanted[STAGES] = [*(wanted.get(STAGES) or []), entry]
    _require_nothing_else(key, wanted, edited)
    return edited, spans_of(edited).spans[(STAGES, len(wanted[STAGES]) - 1)].value.line


def _require_nothing_else(key: str, wanted: object, edited: str) -> None:
    """The text says what is wanted, and no more. Raises PresetError."""
    try:
        found = read_document(edited.encode(), "").data
    except PresetError:
        found = None
    if found != wanted:
        raise _refusal(key, _NOT_HERE)


def _inner(data: Any, path: KeyPath) -> Any:
    for part in path:
        data = data[part]
    return data


def _has(data: Any, path: KeyPath) -> bool:
    try:
        _inner(data, path)
    except (KeyError, IndexError, TypeError):
        return False
    return True


def _set(spans: Spans, document: Document, path: KeyPath, value: object) -> str:
    if _has(document.data, path):
        return _replaced(spans, spans.spans[path], value)
    depth = next(depth for depth in range(len(path) - 1, -1, -1) if _has(document.data, path[:depth]))
    for part in reversed(path[depth + 1 :]):
        value = {part: value}
    around = spans.spans[path[:depth]]
    if _inner(document.data, path[:depth]) is None:
        return _replaced(spans, around, {path[depth]: value})
    if not isinstance(around.node, yaml.MappingNode):
        raise _refusal(format_path(path), _NOT_HERE)
    return _inserted(spans, around, str(path[depth]), value)


def _replaced(spans: Spans, span: Span, value: object) -> str:
    start, end = span.node.start_mark.index, span.value.end
    said = written(value)
    if isinstance(span.node, yaml.ScalarNode) and span.node.end_mark.index == start:  # empty
        assert span.key is not None
        start = end = spans.text.index(":", span.key.end) + 1
        said = f" {said}"
    elif span.key is not None and "\n" in spans.text[span.key.end : start]:  # a block below its key
        start = spans.text.index(":", span.key.end) + 1
        said = f" {said}"
    return spans.text[:start] + said + _aligned(spans.text[end:], len(said) - (end - start))


def _aligned(rest: str, longer: int) -> str:
    """What follows a value that is so much longer now: a comment behind it stays in its column where it can."""
    blanks = len(rest) - len(rest.lstrip(" "))
    if not blanks or rest[blanks : blanks + 1] != "#":
        return rest
    return " " * max(1, blanks - longer) + rest[blanks:]


def _inserted(spans: Spans, around: Span, key: str, value: object) -> str:
    node, text, pair = around.node, spans.text, f"{written(key)}: {written(value)}"
    assert isinstance(node, yaml.MappingNode)
    if node.flow_style or not node.value:
        comma = ", " if node.value else ""
        end = spans.end(node.value[-1][1]) if node.value else node.start_mark.index + 1
        return f"{text[:end]}{comma}{pair}{text[end:]}"
    before = node.value[-1]
    if around.key is None and node.start_mark.column == 0:  # the top of a preset stands above its stages
        before = _above_stages(node.value)
    if before is None:
        start = node.start_mark.index
        return f"{text[:start]}{pair}\n{text[start:]}"
    end = text.find("\n", spans.end(before[1]))
    end = len(text) if end < 0 else end
    return f"{text[:end]}\n{' ' * node.value[0][0].start_mark.column}{pair}{text[end:]}"


def _above_stages(pairs: Sequence[tuple[yaml.Node, yaml.Node]]) -> tuple[yaml.Node, yaml.Node] | None:
    names = [getattr(key, "value", "") for key, _ in pairs]
    place = names.index("stages") if "stages" in names else len(pairs)
    return pairs[place - 1] if place else None


def _removed(spans: Spans, path: KeyPath) -> str:
    text = spans.text
    if path not in spans.spans:
        return text
    span, around = spans.spans[path], spans.spans[path[:-1]]
    if span.key is None or not isinstance(around.node, yaml.MappingNode):
        raise _refusal(format_path(path), _NOT_HERE)
    pairs = around.node.value
    place = next(number for number, (key, _) in enumerate(pairs) if key.start_mark.index == span.key.start)
    start, end = span.key.start, max(spans.end(pairs[place][1]), span.key.end + 1)
    if around.node.flow_style:
        if place:
            start = spans.end(pairs[place - 1][1])
        elif len(pairs) > 1:
            end = pairs[1][0].start_mark.index
        return text[:start] + text[end:]
    begin = text.rfind("\n", 0, start) + 1
    if text[begin:start].strip():  # behind a dash
        if len(pairs) == 1:
            raise _refusal(format_path(path), _NOT_HERE)
        return text[:start] + text[pairs[1][0].start_mark.index :]
    line_end = text.find("\n", end)
    return text[:begin] + ("" if line_end < 0 else text[line_end + 1 :])


def written(value: object) -> str:
    """A value on one line, fit to stand anywhere."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10**9, allow_unicode=True, sort_keys=False)
    return text.removesuffix("\n").removesuffix("\n...")
