"""YAML as people expect it: 1.2 numbers and words, no duplicate keys, no surprises, and where each value stands.

PyYAML reads YAML 1.1, where `on` is true, `1:30` is ninety and `1e-2` is text.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from pipeline.errors import PresetError, Problem

MAX_BYTES = 256 * 1024
MAX_NODES = 20_000

KeyPath = tuple[str | int, ...]

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = {".inf": math.inf, "+.inf": math.inf, "-.inf": -math.inf, ".nan": math.nan}
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

    def where(self, path: KeyPath) -> str:
        """`file:line` of a key, or of the nearest one above it that is written in the file; or its override."""
        for end in range(len(path), -1, -1):
            if path[:end] in self.sources:
                return self.sources[path[:end]]
            if path[:end] in self.lines:
                return f"{self.name}:{self.lines[path[:end]]}"
        return self.name


def format_path(path: KeyPath) -> str:
    """`stages[1].octaves`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


_PLAIN_TAGS = {"!", *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map"))}


class _Loader(yaml.SafeLoader):
    """SafeLoader's scanner and parser without the implicit types of YAML 1.1."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # PyYAML's own name and type


def read_document(raw: bytes, name: str) -> Document:
    """Parse the bytes of a preset. Raises PresetError naming the file and line."""
    return _parse(_decode(raw, name), name)


def read_value(text: str, name: str) -> Any:
    """Parse one value given outside a file, as in `--set key=value`. Raises PresetError naming `name`."""
    return _parse(text, name).data


def _decode(raw: bytes, name: str) -> str:
    if len(raw) > MAX_BYTES:
        raise _refusal(name, f"is {len(raw)} bytes long; a preset may have at most {MAX_BYTES}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _refusal(name, "is not text in UTF-8; is it a preset, or a picture or film?") from None
    if "\0" in text:
        raise _refusal(name, "holds zero bytes; is it a preset, or a binary file?")
    return text


def _refusal(where: str, message: str) -> PresetError:
    return PresetError([Problem(where, "", message)])


def _parse(text: str, name: str) -> Document:
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
        raise _refusal(f"{name}:{line}", _explain(error)) from None
    except yaml.reader.ReaderError as error:
        raise _refusal(name, f"holds a character YAML does not allow (#x{error.character:04x})") from None
    except RecursionError:
        raise _refusal(name, "is nested too deeply") from None
    document = Document(name, None)
    if node is not None:
        document.data = _Constructor(document).construct(node, ())
    return document


def _explain(error: yaml.MarkedYAMLError) -> str:
    if error.problem is not None and "'\\t'" in error.problem:
        return "a tab stands where YAML wants spaces; indent with spaces"
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
        where = f"{self._document.name}:{node.start_mark.line + 1}"
        if self._count > MAX_NODES:
            raise _refusal(where, f"holds more than {MAX_NODES} values, aliases counted each time")
        if any(node is parent for parent in above):
            raise _refusal(where, "an alias stands inside the value it names")
        self._document.lines.setdefault(path, node.start_mark.line + 1)
        if node.tag not in _PLAIN_TAGS:
            raise _refusal(where, f"has the tag {node.tag}; a preset has no need of tags, remove it")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, (*above, node))
        if isinstance(node, yaml.SequenceNode):
            return [self._value(child, (*path, i), (*above, node)) for i, child in enumerate(node.value)]
        text = str(node.value)
        return plain_scalar(text) if getattr(node, "style", None) is None else text

    def _mapping(self, node: yaml.MappingNode, path: KeyPath, above: tuple[yaml.Node, ...]) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            where = f"{self._document.name}:{line}"
            if not isinstance(key_node, yaml.ScalarNode):
                raise _refusal(where, "a key must be a plain word, not a list or mapping")
            key = key_node.value
            if key in result:
                first = self._document.lines[(*path, key)]
                message = f"stands twice, first on line {first}; keep one"
                self._problems.append(Problem(where, format_path((*path, key)), message))
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
