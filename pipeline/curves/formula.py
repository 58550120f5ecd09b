"""Formulas: a syntax tree becomes functions of time when the preset is read, and what has no place is refused.

So a value can come out infinite, but never as anything other than a number, and many threads may ask at once. All
numbers are floats: the cost of a power is bounded.
"""

from __future__ import annotations

import ast
import math
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.curves.following import Filtered, Work, followed, plain_numbers, sampled
from pipeline.curves.shapers import FILTERS
from pipeline.signals import LEVELS, NAMES

MAX_LENGTH = 500
MAX_DEPTH = 40
_NODE_COST, _LONG_COST = 2, 50
_CHOICES = (ast.IfExp, ast.BoolOp, ast.Compare)
_UNREADABLE = "can't be read; write it as 1.3 + 0.2*sin(2*pi*t/4)"
# A number with a word of Python's behind it, such as 1if.
_GLUED = re.compile(r"(?:(?<!\w)\d|\.\d)[\w.]*?(?:and|else|for|if|in|is|not|or)")
_OF_STEMS = (*LEVELS, "since_onset")
_SAMPLERS = {"band": 2, "chroma": 1}
SEED = "<seed>"
_parsing = threading.Lock()  # two threads that build trees at once are a SystemError in Python up to 3.12 (106905)
Function = Callable[..., Any]


def as_number(value: Any) -> Any:
    """Truth counts as 1 and 0; numpy refuses to reckon with it."""
    return value.astype(np.float64) if _is_true(value) else value


def on_numbers(function: Function) -> Function:
    return lambda *given: function(*map(as_number, given))


def choose(condition: Any, then: Any, otherwise: Any) -> Any:
    return np.where(np.not_equal(as_number(condition), 0), as_number(then), as_number(otherwise))


def _is_true(value: Any) -> bool:
    return isinstance(value, np.ndarray | np.bool_) and value.dtype == bool


def _bits(logical: Function, bitwise: Function) -> Function:
    """`&` and `|` join conditions, as in numexpr; of numbers they take the bits of the whole part."""

    def join(a: Any, b: Any) -> Any:
        if _is_true(a) or _is_true(b):
            return logical(np.not_equal(as_number(a), 0), np.not_equal(as_number(b), 0))
        return np.float64(bitwise(np.trunc(a).astype(np.int64), np.trunc(b).astype(np.int64)))

    return join


OPERATORS: dict[type[ast.AST], Function] = {
    ast.Add: on_numbers(np.add),
    ast.Sub: on_numbers(np.subtract),
    ast.Mult: on_numbers(np.multiply),
    ast.Div: on_numbers(np.divide),
    ast.Mod: on_numbers(np.mod),
    ast.Pow: on_numbers(np.power),
    ast.USub: on_numbers(np.negative),
    ast.UAdd: on_numbers(np.positive),
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
    ast.BitAnd: _bits(np.logical_and, np.bitwise_and),
    ast.BitOr: _bits(np.logical_or, np.bitwise_or),
}


@dataclass(frozen=True)
class Language:
    """What an expression may say: names, and functions with the number of arguments each takes."""

    names: tuple[str, ...]
    functions: Mapping[str, tuple[Function, int, int]]
    hears: bool = False
    """whether it may follow the film's sound"""

    def explain(self) -> str:
        """For messages."""
        said = f"there are {', '.join(self.names)} and {', '.join(self.functions)}"
        heard = f"; of a song (`listen:`), {', '.join(NAMES)}, {', '.join(_SAMPLERS)}; and {', '.join(FILTERS)}"
        return said + heard if self.hears else said


class Formula:
    """A text that was found to be harmless, ready to be worked out. Raises ValueError for any other text."""

    def __init__(self, text: str, language: Language) -> None:
        if len(text) > MAX_LENGTH:
            raise ValueError(f"is {len(text)} characters long; an expression may have at most {MAX_LENGTH}")
        compiler = _Compiler(language)
        self._work_out = compiler(_parsed(text))
        self.names = frozenset(compiler.names)
        self.heard = frozenset(compiler.heard)
        """what it follows of the film's sound: names, and stems' as STEM.NAME"""
        self.filters = frozenset(compiler.filters)
        self.cost = compiler.cost
        """about how many passes over an array of moments its value takes"""

    def __call__(self, names: Mapping[str, Any], seed: int) -> Any:
        """Its value, as wide as the names' values; infinite or not a number where there is none."""
        with np.errstate(all="ignore"):
            return as_number(self._work_out({**names, SEED: seed}))


def _parsed(text: str) -> ast.expr:
    # Python's parser would warn of these, which is no business of a preset's, nor safe in two threads.
    if _GLUED.search(text) or "\\" in text:
        raise ValueError(_UNREADABLE)
    try:
        with _parsing:
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ValueError(_UNREADABLE) from None


class _Compiler:
    """Makes a syntax tree a function of names' values, in one walk that raises ValueError for whatever has no place."""

    def __init__(self, language: Language) -> None:
        self._language = language
        self.names: set[str] = set()
        self.heard: set[str] = set()
        self.filters: set[str] = set()
        self.cost = 0

    def __call__(self, node: ast.expr, depth: int = 1) -> Work:
        if depth > MAX_DEPTH:
            raise ValueError(f"is nested more than {MAX_DEPTH} deep")
        self.cost += _NODE_COST
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                number = _float(value)
                return lambda names: number
            case ast.Name(id=name) if self._language.hears and name in NAMES:
                return self._follow(name, None)
            case ast.Attribute(value=ast.Name(id=stem), attr=name) if self._language.hears and name in _OF_STEMS:
                return self._follow(name, stem)
            case ast.Name(id=name):
                self._require_name(name)
                return lambda names: names[name]
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if self._language.hears and name in _SAMPLERS:
                return self._sample(name, None, args)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=stem), attr=name), args=args, keywords=[]) if (
                self._language.hears and name in _SAMPLERS
            ):
                return self._sample(name, stem, args)
            case ast.Call(func=ast.Name(id=name), args=[first, *rest], keywords=[]) if (
                self._language.hears and name in FILTERS
            ):
                return self._filter(name, first, rest, depth)
            case ast.UnaryOp(op=op, operand=operand) if type(op) in OPERATORS:
                return _applied(OPERATORS[type(op)], [self(operand, depth + 1)])
            case ast.BinOp(op=op, left=left, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]) if (
                type(op) in OPERATORS
            ):
                return _applied(OPERATORS[type(op)], [self(left, depth + 1), self(right, depth + 1)])
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                function = self._function(name, len(args))
                parts = [self(arg, depth + 1) for arg in args]
                return _applied(function, [lambda names: names[SEED], *parts] if name == "noise" else parts)
        hint = "; for a choice, write where(t < 3, 1, 2)" if isinstance(node, _CHOICES) else ""
        raise ValueError(f"{ast.unparse(node)[:40]!r} has no place in an expression; {self._language.explain()}{hint}")

    def _follow(self, name: str, stem: str | None) -> Work:
        """A signal of the film's sound, or of one of its stems."""
        self.heard.add(name if stem is None else f"{stem}.{name}")
        return followed(name, stem)

    def _sample(self, name: str, stem: str | None, args: list[ast.expr]) -> Work:
        """The loudness of a band of frequencies, or of a pitch."""
        numbers = plain_numbers(name, args, _SAMPLERS[name], _SAMPLERS[name])
        self.heard.add(name if stem is None else f"{stem}.{name}")
        self.cost += _LONG_COST
        return sampled(name, numbers, stem)

    def _filter(self, name: str, first: ast.expr, args: list[ast.expr], depth: int) -> Work:
        """How a value moved so far, or around: it is worked out once for each film, along all of it."""
        function, least, most = FILTERS[name]
        others, self.heard = self.heard, set()
        inner = self(first, depth + 1)
        hears, self.heard = bool(self.heard), self.heard | others
        numbers = plain_numbers(name, args, least, most)
        self.filters.add(name)
        self.cost += _LONG_COST
        return Filtered(inner, function, numbers, hears)

    def _require_name(self, name: str) -> None:
        if name not in self._language.names:
            raise ValueError(f"{name!r} is unknown; {self._language.explain()}")
        self.names.add(name)

    def _function(self, name: str, count: int) -> Function:
        if name not in self._language.functions:
            raise ValueError(f"there is no function {name!r}; {self._language.explain()}")
        function, least, most = self._language.functions[name]
        if not least <= count <= most:
            raise ValueError(f"{name} takes {least if least == most else f'{least} to {most}'} values, not {count}")
        self.cost += _LONG_COST if name == "noise" else 0
        return function


def _float(number: int | float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf


def _applied(function: Function, parts: list[Callable[[Mapping[str, Any]], Any]]) -> Callable[[Mapping[str, Any]], Any]:
    return lambda names: function(*(part(names) for part in parts))
