"""Deforum's schedules: `0:(1.02), 50:(1.1*sin(t))`, a value for every frame of a film of so many frames a second.

As in Deforum (`parse_key_frames`, `get_inbetweens`): a number runs in a straight line to the next keyframe, an
expression is worked out anew in every frame until the next one; t is the frame, s the seed, max_f the last frame. Where
Deforum splits at every comma, commas inside brackets stay with their function.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.curves.curve import Curve, PerFilm
from pipeline.curves.formula import Formula, Function, Language, choose, on_numbers
from pipeline.times import Array, Clock, Moments

PerFrame = Literal["factor", "turn", "pan"]
MAX_KEYS = 100_000
MAX_TEXT = 4_000_000
MAX_FORMULAS = 5_000
MAX_BREAKS = 65_536
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)")
_MARKS = re.compile(r"[(),]")
# A keyframe of plain numbers, which most are: no syntax tree is needed to read it.
_PLAIN_KEY = re.compile(
    r"""\s*['"]?(0|[1-9]\d{0,15})['"]?\s*:\s*['"]?\(?\s*"""
    r"""([+-]?(?:(?:0|[1-9]\d{0,30})(?:\.\d{0,60})?|\.\d{1,60}))\s*\)?['"]?\s*"""
)


def _plain(*names: str) -> dict[str, tuple[Function, int, int]]:
    return {name: (on_numbers(getattr(np, name)), 1, 1) for name in names}


# numexpr's functions of real numbers; pi is our addition.
NUMEXPR = Language(
    ("t", "s", "max_f", "pi"),
    {
        "where": (choose, 3, 3),
        **_plain("sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh"),
        **_plain("arctanh", "log", "log10", "log1p", "exp", "expm1", "sqrt", "abs", "floor", "ceil"),
        "arctan2": (on_numbers(np.arctan2), 2, 2),
        "fmod": (on_numbers(np.fmod), 2, 2),
    },
)


@dataclass(frozen=True)
class _InFilm:
    """The keyframes that a film meets: their frames (K,), what they say there, and the formulas among them."""

    frames: Array
    first: Array
    formulas: dict[int, Formula]
    last: int | None
    """the film's last frame"""


class Deforum(Curve):
    """A schedule. Raises ValueError when it can't be read.

    Its value belongs to the way from one frame to the next: it holds from just after frame f - 1 up to frame f.
    """

    def __init__(self, text: str, fps: Fraction | None = None, width: int | None = None) -> None:
        self.text, self.fps, self.width = text, fps, width
        self.source: dict[str, Any] = {"deforum": text}
        if fps is not None:
            self.source["fps"] = str(fps)
        if width is not None:
            self.source["width"] = width
        self._keys = parse_schedule(text)
        self._met = PerFilm(self._meet)

    def __reduce__(self) -> tuple[Any, ...]:
        return Deforum, (self.text, self.fps, self.width), self.read_from

    def rate(self, clock: Clock) -> float:
        """Its frames per second, in a film with this clock."""
        return float(clock.fps if self.fps is None else self.fps)

    def values(self, moments: Moments) -> Array:
        met = self._met(moments.clock)
        # A frame's own time is found again in spite of rounding.
        exact = moments.seconds * self.rate(moments.clock)
        whole = np.round(exact)
        frame = np.where(np.abs(exact - whole) < 1e-7 * np.maximum(1, whole), whole, np.ceil(exact))
        frame = np.minimum(np.maximum(frame, 0), math.inf if met.last is None else met.last)
        if not len(met.frames):
            return np.full(frame.shape, np.nan)
        index = np.maximum(np.searchsorted(met.frames, frame, side="right") - 1, 0)
        at, first = met.frames[index], met.first[index]
        following = np.minimum(index + 1, len(met.frames) - 1)
        with np.errstate(all="ignore"):
            u = np.maximum(0, frame - at) / (met.frames[following] - at)
            result: Array = np.where(following > index, first + (met.first[following] - first) * u, first)
        seed = moments.clock.seed
        known = self._known(seed, met.last)
        for key, here in _groups(index, met.formulas):
            result[here] = _value(met.formulas[key], np.maximum(frame[here], at[here]), known, seed)
        return result

    def _last_frame(self, clock: Clock) -> int | None:
        if clock.frames is None:
            return None
        return max(0, math.ceil(clock.frames * Fraction(self.fps or clock.fps) / clock.fps) - 1)

    def _meet(self, clock: Clock) -> _InFilm:
        """The keyframes that such a film meets."""
        seed, last = clock.seed, self._last_frame(clock)
        known = self._known(seed, last)
        keys: dict[int, float | Formula] = {}
        for key, value in self._keys:
            where = (
                key if isinstance(key, float) else float(np.float64(key({**known, "t": np.float64(math.nan)}, seed)))
            )
            # Deforum looks at the frames of the film only; keyframes outside it are never met.
            if math.isfinite(where) and where > -1 and (last is None or int(where) <= last):
                keys[int(where)] = value
        frames = sorted(keys)
        formulas = {i: value for i, at in enumerate(frames) if isinstance(value := keys[at], Formula)}
        first = [
            float(_value(value, np.array([at], np.float64), known, seed)[0]) if isinstance(value, Formula) else value
            for at in frames
            for value in (keys[at],)
        ]
        return _InFilm(np.array(frames, np.float64), np.array(first, np.float64), formulas, last)

    def _known(self, seed: int, last: int | None) -> dict[str, Any]:
        return {
            "s": np.float64(seed),
            "max_f": np.float64(math.nan if last is None else last),
            "pi": np.float64(np.pi),
        }

    def knots(self, clock: Clock) -> Array:
        return np.array([key for key, _ in self._keys if isinstance(key, float) and key < 2**53]) / self.rate(clock)

    @property
    def cost(self) -> int:
        return 12 + max((value.cost for _, value in self._keys if isinstance(value, Formula)), default=0)

    @property
    def keys(self) -> int:
        return sum(10 if isinstance(value, Formula) else 1 for _, value in self._keys)

    @property
    def _uses_last(self) -> bool:
        formulas = (each for pair in self._keys for each in pair if isinstance(each, Formula))
        return any("max_f" in formula.names for formula in formulas)

    def problem(self, clock: Clock) -> str | None:
        if clock.frames is None and self._uses_last:
            return "uses max_f, which an endless film does not have; give a `duration`"
        return None

    def breaks(self, start: float, end: float, clock: Clock) -> Array:
        """Every frame of its own; none where there are too many to look at each."""
        rate = self.rate(clock)
        if (end - start) * rate > MAX_BREAKS:
            return np.empty(0)
        times: Array = np.arange(math.floor(start * rate), math.ceil(end * rate) + 1) / rate
        return times[(start < times) & (times < end)]

    def depends_on_length(self, clock: Clock) -> bool:
        if self._uses_last:
            return True
        last = self._last_frame(clock)
        fixed = (key if isinstance(key, float) else float(key({}, 0)) for key, _ in self._keys if _is_fixed(key))
        return last is not None and any(key > last for key in fixed)


def _is_fixed(key: float | Formula) -> bool:
    return isinstance(key, float) or not key.names


def _groups(index: NDArray[np.int64], formulas: dict[int, Formula]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """For each keyframe with a formula that moments meet, which of them do."""
    if not formulas:
        return
    order = np.argsort(index, kind="stable")
    keys, starts = np.unique(index[order], return_index=True)
    for key, here in zip(keys.tolist(), np.split(order, starts[1:]), strict=True):
        if key in formulas:
            yield key, here


class PerSecond(Curve):
    """A schedule's motion per frame as one per second, so that the frames' product is Deforum's own.

    Deforum turns counter-clockwise, and moves the picture where dreamreel moves the camera.
    Raises ValueError for a pan without the width its pixels belong to.
    """

    def __init__(self, schedule: Deforum, kind: PerFrame) -> None:
        if kind == "pan" and schedule.width is None:
            raise ValueError("Deforum's pixels need the width they were meant for: add `width: 512`, or what it was")
        self.schedule, self.kind = schedule, kind
        self.source, self.file, self.content = schedule.source, schedule.file, schedule.content

    def values(self, moments: Moments) -> Array:
        per_frame, rate = self.schedule.values(moments), self.schedule.rate(moments.clock)
        with np.errstate(all="ignore"):
            if self.kind == "factor":
                return np.where(per_frame > 0, np.abs(per_frame) ** rate, np.where(per_frame == 0, 0.0, np.nan))
            return (
                -per_frame * rate / (1 if self.schedule.width is None or self.kind == "turn" else self.schedule.width)
            )

    def problem(self, clock: Clock) -> str | None:
        return self.schedule.problem(clock)

    def breaks(self, start: float, end: float, clock: Clock) -> Array:
        return self.schedule.breaks(start, end, clock)

    def knots(self, clock: Clock) -> Array:
        return self.schedule.knots(clock)

    @property
    def cost(self) -> int:
        return self.schedule.cost

    @property
    def keys(self) -> int:
        return self.schedule.keys

    def depends_on_length(self, clock: Clock) -> bool:
        return self.schedule.depends_on_length(clock)


def _value(formula: Formula, frame: Array, known: dict[str, Any], seed: int) -> Array:
    return np.array(np.broadcast_to(formula({**known, "t": frame}, seed), frame.shape), np.float64)


def parse_schedule(text: str) -> list[tuple[float | Formula, float | Formula]]:
    """Each keyframe's frame and value, formulas where they are more than plain numbers. Raises ValueError."""
    if len(text) > MAX_TEXT:
        raise ValueError(f"is {len(text)} characters long; a schedule may have at most {MAX_TEXT}")
    parts = list(_split(text))
    if not parts or len(parts) > MAX_KEYS:
        raise ValueError(f"needs 1 to {MAX_KEYS} keyframes, such as 0:(1.02), 50:(1.1); here are {len(parts)}")
    formulas: dict[str, Formula] = {}
    return [_keyframe(part, formulas) for part in parts]


def _split(text: str) -> Iterator[str]:
    """The parts between commas that stand outside all brackets; a comma at the end is overlooked."""
    depth, start = 0, 0
    for match in _MARKS.finditer(text):
        letter, place = match[0], match.start()
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            raise ValueError(f"closes a bracket that is not open: {text[max(0, place - 20) : place + 1]!r}")
        if letter == "," and depth == 0:
            yield text[start:place]
            start = place + 1
    if depth:
        raise ValueError("leaves a bracket open")
    if text[start:].strip():
        yield text[start:]


def _keyframe(part: str, formulas: dict[str, Formula]) -> tuple[float | Formula, float | Formula]:
    plain = _PLAIN_KEY.fullmatch(part)
    if plain is not None:
        return float(plain[1]), float(plain[2])
    frame, colon, value = (piece.strip().replace("'", "").replace('"', "").strip() for piece in part.partition(":"))
    if not colon or not frame or not value:
        raise ValueError(f"{part.strip()[:40]!r} is no keyframe; write FRAME:(VALUE), such as 50:(1.1)")
    try:
        key = float(frame) if _NUMBER.fullmatch(frame) else _formula(frame, formulas)
        formula = _formula(value, formulas)
    except ValueError as error:
        raise ValueError(f"at {frame[:20]}: {error}") from None
    if isinstance(key, Formula) and "t" in key.names:
        raise ValueError(f"at {frame[:20]}: a keyframe's own place can't depend on t")
    number = _NUMBER.fullmatch(re.sub(r"[()\s]", "", value))
    return key, formula if number is None else float(number[0])


def _formula(text: str, known: dict[str, Formula]) -> Formula:
    if text not in known:
        if len(known) >= MAX_FORMULAS:
            raise ValueError(f"holds more than {MAX_FORMULAS} different expressions; write plain numbers")
        known[text] = Formula(text, NUMEXPR)
    return known[text]
