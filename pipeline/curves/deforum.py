"""Deforum's schedules: `0:(1.02), 50:(1.1*sin(t))`, a value for every frame of a film of so many frames a second.

As in Deforum (`parse_key_frames`, `get_inbetweens`): a number runs in a straight line to the next keyframe, an
expression is worked out anew in every frame until the next one; t is the frame, s the seed, max_f the last frame. Where
Deforum splits at every comma, commas inside brackets stay with their function.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from pipeline.curves.curve import Array, Curve, Moments
from pipeline.curves.expression import Formula, Function, Language, choose, on_numbers

PerFrame = Literal["factor", "turn", "pan"]
MAX_KEYS = 1000
MAX_TEXT = 20_000
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)")


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

    def rate(self, fps: Fraction) -> float:
        """Its frames per second, in a film at `fps`."""
        return float(fps if self.fps is None else self.fps)

    def values(self, moments: Moments) -> Array:
        last = self._last_frame(moments.frames, moments.fps)
        # A frame's own time is found again in spite of rounding.
        exact = moments.seconds * self.rate(moments.fps)
        whole = np.round(exact)
        frame = np.where(np.abs(exact - whole) < 1e-7 * np.maximum(1, whole), whole, np.ceil(exact))
        return self._at(np.maximum(frame, 0) if last is None else np.clip(frame, 0, last), moments.seed, last)

    def _last_frame(self, frames: int | None, fps: Fraction) -> int | None:
        if frames is None:
            return None
        return max(0, math.ceil(frames * Fraction(self.fps or fps) / fps) - 1)

    def _at(self, frame: Array, seed: int, last: int | None) -> Array:
        """The values at whole frames."""
        known = {
            "s": np.float64(seed),
            "max_f": np.float64(math.nan if last is None else last),
            "pi": np.float64(np.pi),
        }
        keys: dict[int, tuple[bool, Formula]] = {}
        for key, number, formula in self._keys:
            where = float(np.float64(key({**known, "t": np.float64(math.nan)}, seed)))
            # Deforum looks at the frames of the film only; keyframes outside it are never met.
            if math.isfinite(where) and where > -1 and (last is None or int(where) <= last):
                keys[int(where)] = (number, formula)
        if not keys:
            return np.full(frame.shape, np.nan)
        frames = np.array(sorted(keys), np.float64)
        result = np.empty_like(frame)
        index = np.clip(np.searchsorted(frames, frame, side="right") - 1, 0, None)
        first = np.array([_value(keys[int(at)][1], np.array([at]), known, seed)[0] for at in frames])
        for i, at in enumerate(frames):
            here = index == i
            number, formula = keys[int(at)]
            if not number:
                result[here] = _value(formula, np.maximum(frame[here], at), known, seed)
            elif i + 1 < len(frames):
                u = np.maximum(0, (frame[here] - at) / (frames[i + 1] - at))
                result[here] = first[i] + (first[i + 1] - first[i]) * u
            else:
                result[here] = first[i]
        return result

    def problem(self, moments: Moments) -> str | None:
        uses_last = any("max_f" in each.names for key, _, formula in self._keys for each in (key, formula))
        if uses_last and moments.frames is None:
            return "uses max_f, which an endless film does not have; give a `duration`"
        return None

    def breaks(self, start: float, end: float, fps: Fraction) -> list[float]:
        rate = self.rate(fps)
        return [f / rate for f in range(math.floor(start * rate), math.ceil(end * rate) + 1) if start < f / rate < end]

    def depends_on_length(self, frames: int | None, fps: Fraction) -> bool:
        if any("max_f" in each.names for key, _, formula in self._keys for each in (key, formula)):
            return True
        last = self._last_frame(frames, fps)
        return last is not None and any(float(key({}, 0)) > last for key, _, _ in self._keys if not key.names)


class PerSecond(Curve):
    """A schedule's motion per frame as one per second, so that the frames' product is Deforum's own.

    Deforum turns counter-clockwise, and moves the picture where dreamreel moves the camera.
    Raises ValueError for a pan without the width its pixels belong to.
    """

    def __init__(self, schedule: Deforum, kind: PerFrame) -> None:
        if kind == "pan" and schedule.width is None:
            raise ValueError("Deforum's pixels need the width they were meant for: add `width: 512`, or what it was")
        self.schedule, self.kind = schedule, kind
        self.source = schedule.source

    def values(self, moments: Moments) -> Array:
        per_frame, rate = self.schedule.values(moments), self.schedule.rate(moments.fps)
        with np.errstate(all="ignore"):
            if self.kind == "factor":
                return np.where(per_frame > 0, np.abs(per_frame) ** rate, np.where(per_frame == 0, 0.0, np.nan))
            return (
                -per_frame * rate / (1 if self.schedule.width is None or self.kind == "turn" else self.schedule.width)
            )

    def problem(self, moments: Moments) -> str | None:
        return self.schedule.problem(moments)

    def breaks(self, start: float, end: float, fps: Fraction) -> list[float]:
        return self.schedule.breaks(start, end, fps)

    def depends_on_length(self, frames: int | None, fps: Fraction) -> bool:
        return self.schedule.depends_on_length(frames, fps)


def _value(formula: Formula, frame: Array, known: dict[str, Any], seed: int) -> Array:
    return np.array(np.broadcast_to(formula({**known, "t": frame}, seed), frame.shape), np.float64)


def parse_schedule(text: str) -> list[tuple[Formula, bool, Formula]]:
    """Each keyframe's frame, whether its value is a plain number, and the value. Raises ValueError."""
    if len(text) > MAX_TEXT:
        raise ValueError(f"is {len(text)} characters long; a schedule may have at most {MAX_TEXT}")
    parts = list(_split(text))
    if not parts or len(parts) > MAX_KEYS:
        raise ValueError(f"needs 1 to {MAX_KEYS} keyframes, such as 0:(1.02), 50:(1.1)")
    return [_keyframe(part) for part in parts]


def _split(text: str) -> Iterator[str]:
    """The parts between commas that stand outside all brackets; a comma at the end is overlooked."""
    depth, start = 0, 0
    for place, letter in enumerate(text):
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


def _keyframe(part: str) -> tuple[Formula, bool, Formula]:
    frame, colon, value = (piece.strip().replace("'", "").replace('"', "").strip() for piece in part.partition(":"))
    if not colon or not frame or not value:
        raise ValueError(f"{part.strip()[:40]!r} is no keyframe; write FRAME:(VALUE), such as 50:(1.1)")
    try:
        key, formula = Formula(frame, NUMEXPR), Formula(value, NUMEXPR)
    except ValueError as error:
        raise ValueError(f"at {frame[:20]}: {error}") from None
    if "t" in key.names:
        raise ValueError(f"at {frame[:20]}: a keyframe's own place can't depend on t")
    return key, _NUMBER.fullmatch(re.sub(r"[()\s]", "", value)) is not None, formula
