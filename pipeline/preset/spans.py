"""Which characters of a preset's text each key and each value are."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

import yaml

from pipeline.errors import KeyPath, PresetError
from pipeline.preset.scanner import Loader
from pipeline.preset.yaml12 import stood_in


@dataclass(frozen=True)
class Place:
    """Characters from `start` up to `end`, and where these are; lines and columns count from 1."""

    start: int
    end: int
    line: int
    column: int
    end_line: int
    end_column: int


@dataclass(frozen=True)
class Span:
    """A value, and the key it has in a mapping."""

    value: Place
    key: Place | None
    node: yaml.Node
    in_flow: bool
    """whether it stands within brackets"""

    def begins_on(self, line: int) -> bool:
        """Whether the key, or else the value, begins on a line."""
        return line in (self.value.line, self.value.line if self.key is None else self.key.line)


class Spans:
    """The places in a text. `broken` is where it is no YAML; then nothing else is known of it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._lines = [0, *(index + 1 for index, letter in enumerate(text) if letter == "\n")]
        self.spans: dict[KeyPath, Span] = {}
        self.broken: Place | None = None
        try:
            node = Loader(stood_in(text), "").get_single_node()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark if error.problem_mark is not None else error.context_mark
            self.broken = self.line(1) if mark is None else self._word(mark.index)
        except (PresetError, yaml.YAMLError, ValueError, OverflowError):
            self.broken = self.line(1)
        else:
            if node is not None:
                self._walk(node, (), None, False, ())

    def _walk(
        self, node: yaml.Node, path: KeyPath, key: yaml.Node | None, in_flow: bool, above: tuple[yaml.Node, ...]
    ) -> None:
        if path in self.spans or any(node is each for each in above):
            return
        start, end = node.start_mark.index, self.end(node)
        named = None if key is None else self.place(key.start_mark.index, key.end_mark.index)
        self.spans[path] = Span(self.place(start, end), named, node, in_flow)
        inside = in_flow or getattr(node, "flow_style", False) is True
        if isinstance(node, yaml.MappingNode):
            for inner_key, value in node.value:
                if isinstance(inner_key, yaml.ScalarNode):
                    self._walk(value, (*path, str(inner_key.value)), inner_key, inside, (*above, node))
        elif isinstance(node, yaml.SequenceNode):
            for index, value in enumerate(node.value):
                self._walk(value, (*path, index), None, inside, (*above, node))

    def end(self, node: yaml.Node) -> int:
        """Where a value's last character is: PyYAML has blocks end where the next thing begins."""
        if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
            last = node.value[-1]
            return self.end(last[1] if isinstance(last, tuple) else last)
        end: int = node.end_mark.index
        if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
            return len(self.text[:end].rstrip())
        return end

    @property
    def whole(self) -> Place:
        """The first line, for what is said of all of it."""
        return self.line(1)

    def nearest(self, path: KeyPath) -> tuple[Span | None, bool]:
        """The value at a path, or the innermost one around it; and whether it is the very one."""
        written = self._written(path)
        for end in range(len(written), -1, -1):
            if written[:end] in self.spans:
                return self.spans[written[:end]], end == len(written)
        return None, False

    def on_line(self, line: int, path: KeyPath) -> tuple[Span | None, bool]:
        """The value on a line whose key is the last of a path, and whether there is one; else the first there."""
        there = [(place, span) for place, span in self.spans.items() if place and span.begins_on(line)]
        same = [span for place, span in there if place[-1:] == path[-1:]]
        return (same[0], True) if same else (there[0][1], False) if there else (None, False)

    def _written(self, path: KeyPath) -> KeyPath:
        """What stands alone where a list may stand is its own `[0]`."""
        found: KeyPath = ()
        for part in path:
            if part == 0 and isinstance(part, int) and (*found, 0) not in self.spans and found in self.spans:
                continue
            found = (*found, part)
        return found

    def only(self, word: str, place: Place) -> Place | None:
        """Where a word stands within a place, if it does once."""
        text = self.text[place.start : place.end]
        if text.count(word) != 1 or len(word) == len(text):
            return None
        start = place.start + text.index(word)
        return self.place(start, start + len(word))

    def place(self, start: int, end: int) -> Place:
        """The characters from `start` up to `end`; one at least, where there is one."""
        end = max(end, min(start + 1, len(self.text)))
        return Place(start, end, *self.position(start), *self.position(end))

    def position(self, index: int) -> tuple[int, int]:
        """Line and column of a character, from 1."""
        line = bisect_right(self._lines, index)
        return line, index - self._lines[line - 1] + 1

    def index(self, line: int, column: int) -> int:
        """The character at a line and a column, or the nearest there is."""
        line = min(max(line, 1), len(self._lines))
        start = self._lines[line - 1]
        return min(start + max(column, 1) - 1, self._line_end(start))

    def line(self, number: int) -> Place:
        """What stands on a line, without blanks around it and its comment."""
        start = self.index(number, 1)
        end = self._line_end(start)
        text = self.text[start:end]
        bare = text.partition(" #")[0].rstrip() or text.rstrip()
        indent = len(bare) - len(bare.lstrip())
        return self.place(start + indent, start + len(bare))

    def first_line(self, place: Place) -> Place:
        """The part of a place that stands on its first line."""
        return self.place(place.start, min(place.end, self._line_end(place.start)))

    def _line_end(self, index: int) -> int:
        end = self.text.find("\n", index)
        return len(self.text) if end < 0 else end

    def _word(self, index: int) -> Place:
        """The characters without blanks at a place; where there are none, the last one before it."""
        end = index
        while end < len(self.text) and not self.text[end].isspace():
            end += 1
        if end > index:
            return self.place(index, end)
        last = len(self.text[:index].rstrip())  # something is missing behind it
        return self.place(max(0, last - 1), last)


def spans_of(text: str) -> Spans:
    """The places in a text."""
    return Spans(text.replace("\r\n", "\n"))
