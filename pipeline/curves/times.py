"""Times of keyframes: `0s`, `2.5s`, `1m30s`, or `96f` for frames."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

_CLOCK = re.compile(r"(?:(\d{1,4})h)?(?:(\d{1,5})m)?(?:(\d{1,7}(?:\.\d{1,9})?)s)?")
_FRAMES = re.compile(r"\d{1,9}f")
HELP = "times are such as 0s, 2.5s, 1m30s, or 96f for a frame"


@dataclass(frozen=True)
class Time:
    """When something happens: exact seconds, or a frame of the film."""

    seconds: Fraction | None
    frame: int | None = None

    def at(self, fps: Fraction) -> float:
        """Seconds from the start, in a film at `fps`."""
        return float(self.seconds if self.seconds is not None else Fraction(self.frame or 0) / fps)


def parse_time(text: object) -> Time:
    """Raises ValueError."""
    words = str(text).strip()
    if _FRAMES.fullmatch(words):
        return Time(None, int(words[:-1]))
    match = _CLOCK.fullmatch(words)
    if match is None or not words:
        raise ValueError(f"{words!r} is no time; {HELP}")
    hours, minutes, seconds = match.groups()
    whole, _, decimals = (seconds or "0").partition(".")
    exact = Fraction(int(whole + decimals), 10 ** len(decimals))
    return Time(exact + int(hours or 0) * 3600 + int(minutes or 0) * 60 if hours or minutes else exact)


def require_order(times: list[Time]) -> None:
    """Keyframes of one kind stand in their order; others are compared once the frame rate is known."""
    for kind in ("seconds", "frame"):
        found = [getattr(time, kind) for time in times if getattr(time, kind) is not None]
        if any(later <= earlier for earlier, later in pairwise(found)):
            raise ValueError("keyframes must stand in the order of their times, no time twice")
