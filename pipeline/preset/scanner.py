"""PyYAML's scanner where it departs from YAML 1.2: tabs between things, marks in flow scalars, names of anchors.

The rule for tabs: they separate, as blanks do, and they never indent.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.scanner import ScannerError
from yaml.tokens import ScalarToken

from pipeline.errors import PresetError, Problem

MAX_NODES = 50_000
MAX_DEPTH = 50
LONG_SCHEDULE = "a long schedule can stand in a file of its own, as {file: moves.csv}"
TABS = "a tab stands where YAML wants spaces; indent with spaces"
_ENDS = "\0\r\n\x85\u2028\u2029"
_GAPS = _ENDS + " \t"
_FLOW = ",[]{}"
# Words of one line, with the blanks between them: outside and inside brackets, and in each kind of quotes. At most a
# thousand at a time, so that little is remembered; nothing is possessive, which Python 3.11.0 to 3.11.4 get wrong.
_WORD = r"(?:[^\0 \t\r\n:{0}]+|:(?![\0 \t\r\n{0}]))+"
_QUOTED = r"[^\0 \t\r\n{0}]+"
_BLOCK_WORDS, _FLOW_WORDS = (
    re.compile(rf"{word}(?:[ \t]+(?!#){word}){{0,1000}}") for word in (_WORD.format(ends) for ends in ("", r",\[\]{}"))
)
_IN_DOUBLE, _IN_SINGLE = (
    re.compile(rf"{word}(?:[ \t]+{word}){{0,1000}}") for word in (_QUOTED.format(ends) for ends in (r"\"\\", "'"))
)


class Loader(yaml.SafeLoader):
    """SafeLoader without the implicit types of YAML 1.1, and with YAML 1.2's tokens; it stops at too many nodes.

    Raises yaml.YAMLError, and PresetError past its bounds.
    """

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # PyYAML's own name and type

    def __init__(self, stream: str, name: str) -> None:
        super().__init__(stream)
        self._called = name
        self._nodes = self._depth = 0
        # Where the first tab between tokens of the newest such line stands: no block may begin behind it.
        self._tab_line = self._tab_column = -1

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._nodes += 1
        self._depth += 1
        line = self.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]
        if self._nodes > MAX_NODES:
            message = f"holds more than {MAX_NODES} values; {LONG_SCHEDULE}"
            raise PresetError([Problem(self._called, (), message, line)])
        if self._depth > MAX_DEPTH:
            raise PresetError([Problem(self._called, (), f"is nested too deeply, more than {MAX_DEPTH} levels", line)])
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def scan_to_next_token(self) -> None:
        """Past blanks, tabs, comments and line breaks."""
        if self.index == 0 and self.peek() == "\ufeff":
            self.forward()
        while True:
            if self._skip_blanks(self.column == 0):
                self._refuse_indenting_tab(self.indent)
            if self.peek() == "#":
                while self.peek() not in _ENDS:
                    self.forward()
            if not self.scan_line_break():  # type: ignore[no-untyped-call]
                return
            if not self.flow_level:
                self.allow_simple_key = True

    def _skip_blanks(self, from_start: bool) -> bool:
        """Past blanks and tabs; whether tabs lead the line."""
        leads = False
        while self.peek() in (" ", "\t"):
            if self.peek() == "\t" and self._tab_line != self.line:
                self._tab_line, self._tab_column, leads = self.line, self.column, from_start
            self.forward()
        return leads

    def _refuse_indenting_tab(self, indent: int) -> None:
        if not self.flow_level and self._tab_column <= indent and self.peek() not in _ENDS + "#":
            raise ScannerError(None, None, TABS, self.get_mark())

    def fetch_block_entry(self) -> None:
        if not self.flow_level and self._tab_line == self.line:
            raise ScannerError(None, None, TABS, self.get_mark())
        super().fetch_block_entry()

    def fetch_value(self) -> None:
        key = self.possible_simple_keys.get(self.flow_level)
        if not self.flow_level and key and key.line == self._tab_line and key.column > self._tab_column:
            raise ScannerError(None, None, TABS, key.mark)
        super().fetch_value()

    def check_key(self) -> bool:
        return self.peek(1) in _GAPS

    def check_value(self) -> bool:
        if not self.flow_level:
            return self.peek(1) in _GAPS
        # Behind a key in quotes or brackets, as in JSON, the value follows at once.
        return self.peek(1) in _GAPS + _FLOW or self.buffer[self.pointer - 1] in "\"'}]"

    def check_plain(self) -> bool:
        first, unsafe = self.peek(), _GAPS + (_FLOW if self.flow_level else "")
        return first not in _GAPS + "-?:,[]{}#&*!|>'\"%@`" or (first in "-?:" and self.peek(1) not in unsafe)

    def forward(self, length: int = 1) -> None:
        """Past some letters; PyYAML goes one by one."""
        passed = self.buffer[self.pointer : self.pointer + length]
        if "\n" in passed or "\r" in passed or "\ufeff" in passed:
            super().forward(length)
            return
        self.pointer += length
        self.index += length
        self.column += length

    def scan_plain(self) -> ScalarToken:
        """A scalar without quotes; inside brackets it may hold `?`, and anywhere tabs."""
        chunks: list[str] = []
        start = end = self.get_mark()
        indent = self.indent + 1
        words = _FLOW_WORDS if self.flow_level else _BLOCK_WORDS
        spaces: list[str] = []
        while self.peek() != "#" and (found := words.match(self.buffer, self.pointer)):
            self.allow_simple_key = False
            chunks += [*spaces, found[0]]
            self.forward(len(found[0]))
            end = self.get_mark()
            spaces = self.scan_plain_spaces(indent, start)
            if not spaces or self.peek() == "#" or (not self.flow_level and self.column < indent):
                break
        return ScalarToken("".join(chunks), True, start, end)

    def scan_flow_scalar_non_spaces(self, double: bool, start_mark: Any) -> list[str]:
        found = (_IN_DOUBLE if double else _IN_SINGLE).match(self.buffer, self.pointer)
        words = [] if found is None else [found[0]]
        self.forward(sum(map(len, words)))
        return words + super().scan_flow_scalar_non_spaces(double, start_mark)

    def scan_plain_spaces(self, indent: int, start_mark: Any) -> list[str]:
        """What stands between two words of a scalar without quotes; nothing where it ends."""
        length = 0
        while self.peek(length) in (" ", "\t"):
            length += 1
        blanks = self.prefix(length)
        self.forward(length)
        if self.peek() not in _ENDS[1:]:
            return [blanks] if blanks else []
        first = self.scan_line_break()  # type: ignore[no-untyped-call]
        self.allow_simple_key = True
        breaks: list[str] = []
        while not self._at_document_mark():
            if self._skip_blanks(True):
                self._refuse_indenting_tab(indent - 1)
            if self.peek() not in _ENDS[1:]:
                return ([first] if first != "\n" else [] if breaks else [" "]) + breaks
            breaks.append(self.scan_line_break())  # type: ignore[no-untyped-call]
        return []

    def _at_document_mark(self) -> bool:
        return self.column == 0 and self.prefix(3) in ("---", "...") and self.peek(3) in _GAPS

    def scan_anchor(self, TokenClass: Any) -> Any:
        """`&name` or `*name`, of any letters."""
        start = self.get_mark()
        self.forward()
        length = 0
        while self.peek(length) not in _GAPS + _FLOW and not (
            self.peek(length) == ":" and self.peek(length + 1) in _GAPS
        ):
            length += 1
        if not length:
            raise ScannerError(None, None, "an anchor or alias needs a name", self.get_mark())
        name = self.prefix(length)
        self.forward(length)
        return TokenClass(name, start, self.get_mark())

    def scan_block_scalar_ignored_line(self, start_mark: Any) -> None:
        self._skip_blanks(False)
        super().scan_block_scalar_ignored_line(start_mark)

    def scan_directive_ignored_line(self, start_mark: Any) -> None:
        self._skip_blanks(False)
        super().scan_directive_ignored_line(start_mark)
