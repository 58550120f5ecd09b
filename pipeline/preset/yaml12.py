"""YAML as people expect it: 1.2 numbers and words, no duplicate keys, no surprises, and where each value stands.

PyYAML reads YAML 1.1, where `on` is true, `1:30` is ninety and `1e-2` is text, and tabs stand nowhere.
"""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml

from pipeline.errors import KeyPath, PresetError, Problem
from pipeline.preset.scanner import LONG_SCHEDULE, MAX_NODES, TABS, Loader

MAX_BYTES = 3_000_000
MAX_LINES = 100_000
MAX_KEY = 200

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = {".inf": math.inf, "+.inf": math.inf, "-.inf": -math.inf, ".nan": math.nan}
# Byte order marks, of which UTF-32's begins as UTF-16's does.
_ENCODINGS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# Line breaks in YAML 1.1, plain letters in 1.2, and bytes of names that are no UTF-8 (PEP 383), as a command line
# brings them: PyYAML's scanner meets others in their place.
_STAND_INS = {0x85: 0x10FFFB, 0x2028: 0x10FFFC, 0x2029: 0x10FFFD}
_STAND_INS |= {code: 0x10FE00 + code % 256 for code in range(0xDC80, 0xDD00)}
_STOOD_FOR = {other: letter for letter, other in _STAND_INS.items()}
# Of a pair of surrogates; the others stand for bytes.
_HALF = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
}


@dataclass
class Document:
    """Plain data, and where each key's value comes from."""

    name: str
    data: Any
    lines: dict[KeyPath, int] = field(default_factory=dict)
    sources: dict[KeyPath, str] = field(default_factory=dict)
    """What replaced a key's value, such as a command-line option."""
    files: dict[KeyPath, str] = field(default_factory=dict)
    """The file of each line that is not in this one, but in one that it extends."""
    variables: dict[KeyPath, str] = field(default_factory=dict)
    """Which variables a key's value was made of, and where they come from."""

    def problem(self, path: KeyPath, message: str) -> Problem:
        """What is wrong with a key, at its line or at that of the nearest key above it in the file; or its override."""
        written = self.written(path)
        above = [written[:end] for end in range(len(written), -1, -1)]
        if message and (made_of := next((self.variables[key] for key in above if key in self.variables), None)):
            message = f"{message}; {made_of}"
        for key in above:
            if key in self.sources:
                return Problem(self.sources[key], path, message)
            if key in self.lines:
                return Problem(self.files.get(key, self.name), path, message, self.lines[key])
        return Problem(self.name, path, message)

    def part(self, path: KeyPath) -> Document:
        """What stands at `path`, as a document of its own, with all that is known of where it comes from."""
        value = self.data
        for key in path:
            value = value[key]
        inner = Document(self.name, value)
        inner.take(self, lambda key: key[len(path) :] if key[: len(path)] == path else None)
        return inner

    def put_part(self, path: KeyPath, part: Document) -> None:
        """Put a document in the place of what stands at `path`."""
        holder = self.data
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = part.data
        self._forget(path)
        self.take(part, lambda key: path + key)
        for place in part.lines:
            self.files.setdefault(path + place, part.name)

    def take(self, other: Document, place: Callable[[KeyPath], KeyPath | None]) -> None:
        """Take over where another document's values come from; `place` says where they stand here, None: nowhere."""
        for theirs, ours in (
            (other.sources, self.sources),
            (other.files, self.files),
            (other.variables, self.variables),
        ):
            ours |= {to: each for key, each in theirs.items() if (to := place(key)) is not None}
        self.lines |= {to: each for key, each in other.lines.items() if (to := place(key)) is not None}

    def place(self, path: KeyPath) -> str:
        """Where a value stands: `film.yaml:12`, or its override."""
        found = self.problem(path, "")
        return found.where if found.line is None else f"{found.where}:{found.line}"

    def replace(self, path: KeyPath, source: str) -> None:
        """Take note that the value at `path` comes from elsewhere now."""
        self._forget(path)
        self.sources[path] = source

    def _forget(self, path: KeyPath) -> None:
        known: tuple[dict[KeyPath, Any], ...] = (self.lines, self.sources, self.files, self.variables)
        for each in known:
            for key in [key for key in each if key[: len(path)] == path]:
                del each[key]

    def locate(self, path: KeyPath, other: Document, where: KeyPath) -> None:
        """Take note that the value at `path` stands at `where` in another document, or in this one."""
        found = other.problem(where, "")
        if found.line is None:
            self.replace(path, found.where)
            return
        self.lines[path], self.files[path] = found.line, found.where
        inside = [key for key in other.lines if path and key[: len(where)] == where]
        self.lines |= {(*path, *key[len(where) :]): other.lines[key] for key in inside}
        self.files |= {(*path, *key[len(where) :]): other.files.get(key, other.name) for key in inside}
        self.variables |= {(*path, *k[len(where) :]): v for k, v in other.variables.items() if k[: len(where)] == where}

    def written(self, path: KeyPath) -> KeyPath:
        """The path as the document has it: what stands alone where a list may stand is its own `[0]`."""
        value, result = self.data, []
        for key in path:
            if key == 0 and isinstance(key, int) and value is not None and not isinstance(value, list):
                continue
            result.append(key)
            inside = isinstance(value, dict) or (isinstance(value, list) and isinstance(key, int) and key < len(value))
            value = value.get(key) if isinstance(value, dict) else value[key] if inside else None
        return tuple(result)


_PLAIN_TAGS = {"!", *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map"))}


def read_document(raw: bytes, name: str) -> Document:
    """Parse the bytes of a preset. Raises PresetError naming the file and line."""
    return _parse(_decode(raw, name), name)


def read_value(text: str, name: str) -> Any:
    """Parse one value given outside a file, as in `--set key=value`. Raises PresetError naming `name`."""
    return _parse(text, name).data


def _decode(raw: bytes, name: str) -> str:
    if len(raw) > MAX_BYTES:
        raise _refusal(name, f"is {len(raw)} bytes long; a preset may have at most {MAX_BYTES}")
    encoding = next((encoding for mark, encoding in _ENCODINGS.items() if raw.startswith(mark)), "utf-8")
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        raise _refusal(name, "is not text in UTF-8; is it a preset, or a picture or film?") from None
    if text.count("\n") + text.count("\r") > MAX_LINES:
        raise _refusal(name, f"has more than {MAX_LINES} lines; {LONG_SCHEDULE}")
    if "\0" in text:
        raise _refusal(name, "holds zero bytes; is it a preset, or a binary file?")
    return text


def _refusal(name: str, message: str, line: int | None = None) -> PresetError:
    return PresetError([Problem(name, (), message, line)])


def stood_in(text: str) -> str:
    """The text as PyYAML's scanner is to meet it; every character stays in its place."""
    return text.translate(_STAND_INS)


def _parse(text: str, name: str) -> Document:
    try:
        loader = Loader(stood_in(text), name)
    except yaml.reader.ReaderError as error:
        raise _refusal(name, f"holds a character YAML does not allow (#x{error.character:04x})") from None
    try:
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
        unquoted = "${" in "".join(text.splitlines()[line - 1 : line])
        hint = "; inside {...} and [...], ${name} stands in quotes" if unquoted else ""
        raise _refusal(name, _explain(error) + hint, line) from None
    except (ValueError, OverflowError):
        raise _refusal(name, "holds an escape that stands for no character", loader.line + 1) from None
    document = Document(name, None)
    if node is not None:
        document.data = _Constructor(document).construct(node, ())
    return document


def _explain(error: yaml.MarkedYAMLError) -> str:
    if error.problem is not None and (error.problem == TABS or "'\\t'" in error.problem):
        return TABS
    said = " ".join(part for part in (error.context, error.problem) if part)
    return f"is not valid YAML: {said}"


class _Constructor:
    """Turns YAML nodes into plain data, counting them so that aliases can't blow up."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._problems: list[Problem] = []
        self._count = 0

    def construct(self, node: yaml.Node, path: KeyPath) -> Any:
        value = self._value(node, path, ())
        if self._problems:
            raise PresetError(self._problems)
        return value

    def _value(self, node: yaml.Node, path: KeyPath, above: tuple[yaml.Node, ...]) -> Any:
        self._count += 1
        name, line = self._document.name, node.start_mark.line + 1
        if self._count > MAX_NODES:
            raise _refusal(name, f"holds more than {MAX_NODES} values, aliases counted each time", line)
        if any(node is parent for parent in above):
            raise _refusal(name, "an alias stands inside the value it names", line)
        self._document.lines.setdefault(path, line)
        if node.tag not in _PLAIN_TAGS:
            raise _refusal(name, f"has the tag {node.tag}; a preset has no need of tags, remove it", line)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, (*above, node))
        if isinstance(node, yaml.SequenceNode):
            return [self._value(child, (*path, i), (*above, node)) for i, child in enumerate(node.value)]
        text = self._text(node)
        return plain_scalar(text) if getattr(node, "style", None) is None else text

    def _text(self, node: yaml.Node) -> str:
        """What a scalar says. JSON writes letters beyond 16 bits as two escapes.

        A lone one may stand for a byte of a file's name that is no UTF-8 (PEP 383), as a resolved preset writes it.
        """
        text = str(node.value).translate(_STOOD_FOR)
        if text.isascii():
            return text
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        if _HALF.search(text):
            message = "holds half of a letter: such escapes stand in pairs"
            raise _refusal(self._document.name, message, node.start_mark.line + 1)
        return text

    def _mapping(self, node: yaml.MappingNode, path: KeyPath, above: tuple[yaml.Node, ...]) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            name, line = self._document.name, key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise _refusal(name, "a key must be a plain word, not a list or mapping", line)
            key = self._text(key_node)
            if len(key) > MAX_KEY:
                raise _refusal(name, f"a key is {len(key)} letters long, may have at most {MAX_KEY}", line)
            if key in result:
                first = self._document.lines[(*path, key)]
                message = f"stands twice, first on line {first}; keep one"
                self._problems.append(Problem(name, (*path, key), message, line))
            self._document.lines.setdefault((*path, key), line)
            result[key] = self._value(value_node, (*path, key), above)
        return result


def plain_scalar(text: str) -> Any:
    """An unquoted scalar by the core schema of YAML 1.2."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > 400:  # far past any number; int() of a million digits is slow on purpose
        return text
    if _INT.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return _SPECIAL.get(text.lower(), text)
