"""The variables of a preset: `${name}` in its text and keys stands for what `vars` says."""

from __future__ import annotations

import re
from typing import Any

from pipeline.errors import KeyPath, PresetError, Problem, parse_path
from pipeline.media.paths import Placed, placed
from pipeline.preset.explain import shown, unknown
from pipeline.preset.overrides import Override, apply_override
from pipeline.preset.scanner import MAX_DEPTH, MAX_NODES
from pipeline.preset.yaml12 import MAX_BYTES, MAX_KEY, Document, read_value

VARS = "vars"
MAX_VARIABLES, MAX_CHAIN = 256, 16
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}")
_USE = re.compile(r"\$\$\{|\$\{([^{}]*)(\}?)")
_ESCAPED = "$${"
_NAMES = "names are of letters, digits, _ and -, and begin with a letter"


def names_used(value: Any) -> set[str]:
    """Every name that stands as `${name}` in the texts and keys of plain data."""
    if isinstance(value, str):
        return {match[1] for match in _USE.finditer(value) if match[1]} if "${" in value else set()
    if isinstance(value, dict):
        return {name for pair in value.items() for each in pair for name in names_used(each)}
    return {name for each in value for name in names_used(each)} if isinstance(value, list) else set()


class Variables:
    """What the variables of one document stand for; what they make of it is bounded."""

    def __init__(self, document: Document) -> None:
        """Raises PresetError for `vars` that are none."""
        self._document = document
        given = document.data[VARS]
        if given is not None and not isinstance(given, dict):
            raise self._refusal((VARS,), f"is {shown(given)}, must be a mapping such as {{speed: 1.2}}")
        self._given: dict[str, Any] = {} if given is None else given
        if len(self._given) > MAX_VARIABLES:
            raise self._refusal((VARS,), f"has {len(self._given)} variables, may have at most {MAX_VARIABLES}")
        for name in self._given:
            if not _NAME.fullmatch(name):
                raise self._refusal((VARS, name), f"is no name of a variable; {_NAMES}")
        self._values: dict[str, Any] = {}
        self._nodes = self._letters = 0

    def override(self, override: Override) -> None:
        """Give variables other values, as `vars.speed=2` does. Raises PresetError for those that are not there."""
        path = parse_path(override.key)
        value = placed(read_value(override.value, str(override)))
        if len(path) == 1 and not isinstance(value, dict):
            raise PresetError([Problem(str(override), (), f"is {shown(value)}, must be a mapping; or say vars.NAME")])
        for name in path[1:2] or value:
            if name not in self._given:
                raise PresetError([Problem(str(override), (), self._unknown(name))])
        if len(path) > 1:
            apply_override(self._document, override)
            return
        for name, each in value.items():
            self._given[name] = each
            self._document.replace((VARS, name), str(override))

    def _unknown(self, name: object) -> str:
        return unknown("variable", str(name), self._given) if self._given else f"there is no variable {str(name)!r}"

    def require_use(self, used: set[str]) -> None:
        """Raises PresetError for variables that nothing uses: such a name is mistaken."""
        idle = [name for name in self._given if name not in used]
        if idle:
            raise self._refusal((VARS, idle[0]), f"is used nowhere: there is no ${{{idle[0]}}}; take it out")

    def fill(self) -> None:
        """Put what they stand for in the place of every use, and `vars` away. Raises PresetError with all problems."""
        problems: list[Problem] = []
        data = self._document.data
        del data[VARS]
        for key in list(data):
            if key == "stages" and isinstance(data[key], list):
                places: list[tuple[Any, Any, KeyPath]] = [(data[key], i, (key, i)) for i in range(len(data[key]))]
            else:
                places = [(data, key, (key,))]
            for holder, inner, path in places:
                try:
                    holder[inner] = self.filled(holder[inner], path)
                except PresetError as error:
                    problems.extend(error.problems)
        if problems:
            raise PresetError(list(dict.fromkeys(problems)))

    def filled(self, value: Any, path: KeyPath, within: tuple[str, ...] = ()) -> Any:
        """A value, that stands at `path`, with all variables replaced; those in `within` are being worked out."""
        self._count(path)
        if isinstance(value, str):
            return self._text(value, path, within) if "${" in value else value
        if isinstance(value, list):
            return [self.filled(each, (*path, index), within) for index, each in enumerate(value)]
        if isinstance(value, dict):
            return self._mapping(value, path, within)
        return value

    def _count(self, path: KeyPath) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise self._refusal(path, f"variables make more than {MAX_NODES} values of the preset")
        if len(path) > MAX_DEPTH:
            raise self._refusal(path, f"is nested too deeply, more than {MAX_DEPTH} levels")

    def _mapping(self, value: dict[Any, Any], path: KeyPath, within: tuple[str, ...]) -> dict[Any, Any]:
        result: dict[Any, Any] = {}
        for key, inner in value.items():
            named = self._key(key, (*path, key), within)
            if named in result:
                raise self._refusal((*path, key), f"stands twice, the second time as {shown(key)}; keep one")
            result[named] = self.filled(inner, (*path, key), within)
            if named != key:
                self._document.locate((*path, named), self._document, (*path, key))
        return result

    def _key(self, key: Any, path: KeyPath, within: tuple[str, ...]) -> Any:
        if not isinstance(key, str) or "${" not in key:
            return key
        text = self._text(key, path, within)
        named = text if isinstance(text, str) else self._worded(text, key, path)
        if len(named) > MAX_KEY:
            raise self._refusal(path, f"a key is {len(named)} letters long, may have at most {MAX_KEY}")
        return str(named)

    def _text(self, text: str, path: KeyPath, within: tuple[str, ...]) -> Any:
        """What a text says; the value of a variable itself where that is all it says."""
        whole = _USE.fullmatch(text)
        if whole is not None and whole[0] != _ESCAPED:
            return self._copied(self._value(whole, path, within), path)
        parts, end = list[str](), 0
        folder = text if isinstance(text, Placed) else None
        for match in _USE.finditer(text):
            parts.append(text[end : match.start()])
            if match[0] == _ESCAPED:
                parts.append("${")
            else:
                value = self._value(match, path, within)
                parts.append(self._worded(value, match[0], path))
                if match.start() == 0:  # a path is meant from where its beginning stands
                    folder = value if isinstance(value, Placed) else None
            self._weigh(parts[-1], path)
            end = match.end()
        said = "".join([*parts, text[end:]])
        return said if folder is None else Placed(said, folder.folder)

    def _value(self, use: re.Match[str], path: KeyPath, within: tuple[str, ...]) -> Any:
        name = use[1]
        if not use[2] or not _NAME.fullmatch(name):
            raise self._refusal(path, f"{use[0]!r} names no variable; {_NAMES}; `$${{` stands for `${{` itself")
        if name in within:
            circle = " -> ".join((*within[within.index(name) :], name))
            raise self._refusal(path, f"variables go round in a circle: {circle}")
        if len(within) >= MAX_CHAIN:
            raise self._refusal(path, f"more than {MAX_CHAIN} variables are made of one another")
        if name not in self._given:
            raise self._refusal(path, self._unknown(name))
        if name not in self._values:
            self._values[name] = self.filled(self._given[name], (VARS, name), (*within, name))
        said = f"${{{name}}} is from {self._document.place((VARS, name))}"
        before = self._document.variables.get(path)
        self._document.variables[path] = said if before is None or said in before else f"{before}, {said}"
        return self._values[name]

    def _worded(self, value: Any, use: str, path: KeyPath) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str | int | float):
            return str(value)
        raise self._refusal(path, f"{use} is {shown(value)}, which can't stand within text; let it stand alone")

    def _copied(self, value: Any, path: KeyPath) -> Any:
        """A copy, so that what replaces something in one place leaves the others as they are."""
        self._count(path)
        if isinstance(value, str):
            self._weigh(value, path)
        if isinstance(value, list):
            return [self._copied(each, (*path, index)) for index, each in enumerate(value)]
        if isinstance(value, dict):
            return {key: self._copied(each, (*path, key)) for key, each in value.items()}
        return value

    def _weigh(self, text: str, path: KeyPath) -> None:
        self._letters += len(text)
        if self._letters > MAX_BYTES:
            raise self._refusal(path, f"variables make more than {MAX_BYTES} letters of text")

    def _refusal(self, path: KeyPath, message: str) -> PresetError:
        return PresetError([self._document.problem(path, message)])
