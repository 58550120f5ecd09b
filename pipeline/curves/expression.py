"""Expressions such as `1.3 + 0.2*sin(2*pi*t/4)`: arithmetic over float64 arrays, and nothing else.

When the preset is read, a syntax tree becomes functions of time, and what has no place in it is refused on the way. So
a value can come out infinite, but never as anything other than a number, and many threads may ask at once. All numbers
are floats: the cost of a power is bounded.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.curves.curve import Curve
from pipeline.times import Array, Clock, Moments

MAX_LENGTH = 500
MAX_DEPTH = 40
_NODE_COST, _NOISE_COST = 2, 50
_CHOICES = (ast.IfExp, ast.BoolOp, ast.Compare)
_UNREADABLE = "can't be read; write it as 1.3 + 0.2*sin(2*pi*t/4)"
# A number with a word of Python's behind it, such as 1if.
_GLUED = re.compile(r"(?:(?<!\w)\d|\.\d)[\w.]*?(?:and|else|for|if|in|is|not|or)")
_SEED = "<seed>"
Function = Callable[..., Any]


def _number(value: Any) -> Any:
    """Truth counts as 1 and 0; numpy refuses to reckon with it."""
    return value.astype(np.float64) if _is_true(value) else value


def on_numbers(function: Function) -> Function:
    return lambda *given: function(*map(_number, given))


def choose(condition: Any, then: Any, otherwise: Any) -> Any:
    return np.where(np.not_equal(_number(condition), 0), _number(then), _number(otherwise))


def _is_true(value: Any) -> bool:
    return isinstance(value, np.ndarray | np.bool_) and value.dtype == bool


def _bits(logical: Function, bitwise: Function) -> Function:
    """`&` and `|` join conditions, as in numexpr; of numbers they take the bits of the whole part."""

    def join(a: Any, b: Any) -> Any:
        if _is_true(a) or _is_true(b):
            return logical(np.not_equal(_number(a), 0), np.not_equal(_number(b), 0))
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

    def explain(self) -> str:
        """For messages."""
        return f"there are {', '.join(self.names)} and {', '.join(self.functions)}"


def _fold(function: Function) -> Function:
    return lambda first, *rest: _fold(function)(function(first, rest[0]), *rest[1:]) if rest else first


def value_noise(seed: int, position: Any, channel: Any = 0.0) -> Any:
    """Smooth noise between -1 and 1: random numbers at whole positions, and a curve without corners between them."""
    position, channel = np.broadcast_arrays(np.float64(_number(position)), np.float64(_number(channel)))
    base = np.floor(position)
    u = position - base
    ease = u**3 * (u * (6 * u - 15) + 10)
    first, last = _lattice(seed, base, channel), _lattice(seed, base + 1, channel)
    return np.where(np.isfinite(position) & np.isfinite(channel), first + (last - first) * ease, np.nan)


def _lattice(seed: int, whole: Array, channel: Array) -> Array:
    """Uniform in [-1, 1) by splitmix64 (Steele, Lea, Flood 2014) of the seed, a whole number and a channel."""
    state = np.uint64(seed) + np.zeros(whole.shape, np.uint64)
    for word in (whole, np.floor(channel)):
        state = state ^ np.nan_to_num(np.clip(word, -(2.0**53), 2.0**53)).astype(np.int64).astype(np.uint64)
        state = state + np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state = state ^ (state >> np.uint64(31))
    result: Array = (state >> np.uint64(11)).astype(np.float64) / 2.0**52 - 1
    return result


_MANY = 8
OURS = Language(
    ("t", "f", "n", "p", "pi"),
    {
        **{name: (on_numbers(getattr(np, name)), 1, 1) for name in ("sin", "cos", "tan", "exp", "log", "sqrt", "abs")},
        "floor": (on_numbers(np.floor), 1, 1),
        "min": (on_numbers(_fold(np.minimum)), 2, _MANY),
        "max": (on_numbers(_fold(np.maximum)), 2, _MANY),
        "where": (choose, 3, 3),
        "clip": (on_numbers(lambda x, low, high: np.minimum(np.maximum(x, low), high)), 3, 3),
        "noise": (value_noise, 1, 2),
    },
)


class Formula:
    """A text that was found to be harmless, ready to be worked out. Raises ValueError for any other text."""

    def __init__(self, text: str, language: Language) -> None:
        if len(text) > MAX_LENGTH:
            raise ValueError(f"is {len(text)} characters long; an expression may have at most {MAX_LENGTH}")
        compiler = _Compiler(language)
        self._work_out = compiler(_parsed(text))
        self.names = frozenset(compiler.names)
        self.cost = compiler.cost
        """about how many passes over an array of moments its value takes"""

    def __call__(self, names: Mapping[str, Any], seed: int) -> Any:
        """Its value, as wide as the names' values; infinite or not a number where there is none."""
        with np.errstate(all="ignore"):
            return _number(self._work_out({**names, _SEED: seed}))


def _parsed(text: str) -> ast.expr:
    # Python's parser would warn of these, which is no business of a preset's, nor safe in two threads.
    if _GLUED.search(text) or "\\" in text:
        raise ValueError(_UNREADABLE)
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ValueError(_UNREADABLE) from None


class _Compiler:
    """Makes a syntax tree a function of names' values, in one walk that raises ValueError for whatever has no place."""

    def __init__(self, language: Language) -> None:
        self._language = language
        self.names: set[str] = set()
        self.cost = 0

    def __call__(self, node: ast.expr, depth: int = 1) -> Callable[[Mapping[str, Any]], Any]:
        if depth > MAX_DEPTH:
            raise ValueError(f"is nested more than {MAX_DEPTH} deep")
        self.cost += _NODE_COST
        match node:
            case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
                number = _float(value)
                return lambda names: number
            case ast.Name(id=name):
                self._require_name(name)
                return lambda names: names[name]
            case ast.UnaryOp(op=op, operand=operand) if type(op) in OPERATORS:
                return _applied(OPERATORS[type(op)], [self(operand, depth + 1)])
            case ast.BinOp(op=op, left=left, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]) if (
                type(op) in OPERATORS
            ):
                return _applied(OPERATORS[type(op)], [self(left, depth + 1), self(right, depth + 1)])
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
                function = self._function(name, len(args))
                parts = [self(arg, depth + 1) for arg in args]
                return _applied(function, [lambda names: names[_SEED], *parts] if name == "noise" else parts)
        hint = "; for a choice, write where(t < 3, 1, 2)" if isinstance(node, _CHOICES) else ""
        raise ValueError(f"{ast.unparse(node)[:40]!r} has no place in an expression; {self._language.explain()}{hint}")

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
        self.cost += _NOISE_COST if name == "noise" else 0
        return function


def _float(number: int | float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf


def _applied(function: Function, parts: list[Callable[[Mapping[str, Any]], Any]]) -> Callable[[Mapping[str, Any]], Any]:
    return lambda names: function(*(part(names) for part in parts))


class Expression(Curve):
    """A formula of time. Raises ValueError when it can't be read."""

    def __init__(self, text: str) -> None:
        if not re.search(r"\S", text):
            raise ValueError("is empty; give a number, keyframes, or an expression")
        self.source = self.text = text
        self._formula = Formula(text, OURS)

    def __reduce__(self) -> tuple[Any, ...]:
        return Expression, (self.text,), self.read_from

    def problem(self, clock: Clock) -> str | None:
        used = sorted(self._formula.names & {"n", "p"})
        if used and clock.frames is None:
            return f"uses {' and '.join(used)}, which an endless film does not have; use t, or give a `duration`"
        return None

    def values(self, moments: Moments) -> Array:
        clock = moments.clock
        frames = math.nan if clock.frames is None else float(clock.frames)
        names = {"t": moments.seconds, "f": moments.frame, "n": np.float64(frames), "pi": np.float64(math.pi)}
        names["p"] = moments.frame / frames
        result = np.broadcast_to(self._formula(names, clock.seed), moments.seconds.shape)
        return np.array(result, np.float64)

    @property
    def cost(self) -> int:
        return self._formula.cost

    def depends_on_length(self, clock: Clock) -> bool:
        return bool(self._formula.names & {"n", "p"})
