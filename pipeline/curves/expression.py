"""Expressions such as `1.3 + 0.2*sin(2*pi*t/4)`: arithmetic over float64 arrays, and nothing else.

What a syntax tree may hold is settled when the preset is read; it becomes functions of time then, so that a value can
come out infinite, but never as anything other than a number, and many threads may ask at once. All numbers are floats:
the cost of a power is bounded.
"""

from __future__ import annotations

import ast
import math
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from pipeline.curves.curve import Array, Curve, Moments

MAX_LENGTH = 500
MAX_DEPTH = 40
_NOISE_COST = 50
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
        tree = _harmless(_parsed(text), language)
        nodes = list(ast.walk(tree))
        self.names = frozenset(node.id for node in nodes if isinstance(node, ast.Name) and node.id in language.names)
        self.cost = sum(_NOISE_COST if isinstance(node, ast.Name) and node.id == "noise" else 1 for node in nodes)
        """about how many passes over an array of moments its value takes"""
        self._work_out = _function_of(tree, language)

    def __call__(self, names: Mapping[str, Any], seed: int) -> Any:
        """Its value, as wide as the names' values; infinite or not a number where there is none."""
        with np.errstate(all="ignore"):
            return _number(self._work_out({**names, _SEED: seed}))


def _function_of(node: ast.expr, language: Language) -> Callable[[Mapping[str, Any]], Any]:
    """What works a harmless tree out, given the names' values."""
    match node:
        case ast.Constant(value=value):
            return lambda names: value
        case ast.Name(id=name):
            return lambda names: names[name]
        case ast.Call(func=ast.Name(id="noise"), args=args):
            parts = [_function_of(arg, language) for arg in args]
            return lambda names: value_noise(names[_SEED], *(part(names) for part in parts))
        case ast.Call(func=ast.Name(id=name), args=args):
            function, parts = language.functions[name][0], [_function_of(arg, language) for arg in args]
            return lambda names: function(*(part(names) for part in parts))
        case ast.UnaryOp(op=op, operand=operand):
            change, inner = OPERATORS[type(op)], _function_of(operand, language)
            return lambda names: change(inner(names))
        case ast.BinOp(op=op, left=left, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]):
            join, first, second = OPERATORS[type(op)], _function_of(left, language), _function_of(right, language)
            return lambda names: join(first(names), second(names))
    raise AssertionError(ast.dump(node))


def _parsed(text: str) -> ast.expr:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `1if` and the like; what is meant is judged below
            return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise ValueError("can't be read; write it as 1.3 + 0.2*sin(2*pi*t/4)") from None


def _harmless(tree: ast.expr, language: Language) -> ast.expr:
    """The tree, its numbers made floats. Raises ValueError naming what has no place in an expression."""
    waiting: list[tuple[ast.AST, int]] = [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise ValueError(f"is nested more than {MAX_DEPTH} deep")
        waiting.extend((child, depth + 1) for child in _checked(node, language))
    return tree


def _checked(node: ast.AST, language: Language) -> list[ast.expr]:
    """The parts of one allowed node. Raises ValueError for any other."""
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            try:
                node.value = float(value)
            except OverflowError:
                node.value = math.inf
            return []
        case ast.Name(id=name):
            if name not in language.names:
                raise ValueError(f"{name!r} is unknown; {language.explain()}")
            return []
        case ast.UnaryOp(op=op, operand=operand) if type(op) in OPERATORS:
            return [operand]
        case ast.BinOp(op=op, left=left, right=right) if type(op) in OPERATORS:
            return [left, right]
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in OPERATORS:
            return [left, right]
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]):
            _check_call(name, len(args), language)
            return args
    hint = "; for a choice, write where(t < 3, 1, 2)" if isinstance(node, ast.IfExp | ast.BoolOp | ast.Compare) else ""
    raise ValueError(f"{ast.unparse(node)[:40]!r} has no place in an expression; {language.explain()}{hint}")


def _check_call(name: str, count: int, language: Language) -> None:
    if name not in language.functions:
        raise ValueError(f"there is no function {name!r}; {language.explain()}")
    _, least, most = language.functions[name]
    if not least <= count <= most:
        raise ValueError(f"{name} takes {least if least == most else f'{least} to {most}'} values, not {count}")


class Expression(Curve):
    """A formula of time. Raises ValueError when it can't be read."""

    def __init__(self, text: str) -> None:
        if not re.search(r"\S", text):
            raise ValueError("is empty; give a number, keyframes, or an expression")
        self.source = text
        self._formula = Formula(text, OURS)

    def problem(self, moments: Moments) -> str | None:
        used = sorted(self._formula.names & {"n", "p"})
        if used and moments.frames is None:
            return f"uses {' and '.join(used)}, which an endless film does not have; use t, or give a `duration`"
        return None

    def values(self, moments: Moments) -> Array:
        frames = math.nan if moments.frames is None else float(moments.frames)
        names = {"t": moments.seconds, "f": moments.frame, "n": np.float64(frames), "pi": np.float64(math.pi)}
        names["p"] = moments.frame / frames
        result = np.broadcast_to(self._formula(names, moments.seed), moments.seconds.shape)
        return np.array(result, np.float64)

    @property
    def cost(self) -> int:
        return self._formula.cost

    def depends_on_length(self, frames: int | None, fps: Fraction) -> bool:
        return bool(self._formula.names & {"n", "p"})
