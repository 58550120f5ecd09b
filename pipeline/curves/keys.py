"""What keyframes of numbers and of names share: their times, and how to get from each to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.curves.curve import PerFilm
from pipeline.ops.smoothstep import smoothstep
from pipeline.times import Array, Clock, Moments, Time, parse_time

EASES: dict[str, Callable[[Array], Array]] = {
    "linear": lambda u: u,
    "smooth": smoothstep,
    "ease-in": lambda u: u * u,
    "ease-out": lambda u: u * (2 - u),
    "hold": lambda u: np.zeros_like(u),
    "spline": lambda u: u,  # only its share of the way is asked for, between names
}
_EASE_NAMES = tuple(EASES)
NO_SONG = "the preset listens to no song; name one with `listen: song.flac`"


class Keys:
    """Values at times, and the ease of the stretch behind each. Raises ValueError when they can't be read."""

    def __init__(self, data: Mapping[Any, Any], most: int) -> None:
        given = dict(data)
        default = _known_ease(given.pop("ease", "linear"))
        if not given or len(given) > most:
            raise ValueError(f"keyframes need 1 to {most} times, such as {{0s: 1.2, 8s: 2}}; here are {len(given)}")
        self.times: list[Time] = []
        self.values: list[Any] = []
        eases: list[str] = []
        for key, value in given.items():
            self.times.append(parse_time(key))
            paired = isinstance(value, list | tuple)
            if paired and len(value) != 2:
                raise ValueError(f"at {key}: a value with its ease is a list of two, such as [2, hold]")
            self.values.append(value[0] if paired else value)
            eases.append(_known_ease(value[1]) if paired else default)
        _require_order(self.times)
        self._eases = np.array([_EASE_NAMES.index(ease) for ease in eases])
        self.seconds = PerFilm(self._seconds)
        """the times (K,) in a film, in seconds"""

    def _seconds(self, clock: Clock) -> Array:
        return np.array([time.at(clock) for time in self.times])

    def problem(self, clock: Clock) -> str | None:
        """Why they can't be used in a film with this clock."""
        if any(time.beats is not None for time in self.times) and (said := no_beats(clock)):
            return f"has times in beats, and {said}"
        if (np.diff(self.seconds(clock)) <= 0).any():
            return f"its keyframes are out of order at {clock.fps} frames per second"
        return None

    def place(self, moments: Moments) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
        """Which keyframes moments (N,) lie between, and how far on the way from one to the next, 0 to 1.

        After the last keyframe it is the whole of the last stretch.
        """
        times = self.seconds(moments.clock)
        last = len(times) - 1
        index = np.clip(np.searchsorted(times, moments.seconds, side="right") - 1, 0, max(0, last - 1))
        following = np.minimum(index + 1, last)
        length = np.where(following > index, times[following] - times[index], 1)
        return index, following, np.clip((moments.seconds - times[index]) / length, 0, 1)

    def way(self, moments: Moments) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
        """Which keyframes moments (N,) lie between, and how much of the second counts, 0 to 1."""
        index, following, share = self.place(moments)
        return index, following, np.where(share < 1, self.eased(index, share), 1.0)

    def eased(self, index: NDArray[np.int64], share: Array) -> Array:
        """How much of the next value counts, at shares (N,) of the way through stretches (N,)."""
        result = np.empty_like(share)
        for number in np.unique(self._eases[index]):
            here = self._eases[index] == number
            result[here] = EASES[_EASE_NAMES[number]](share[here])
        return result

    def has_ease(self, ease: str, index: NDArray[np.int64] | slice = slice(None)) -> NDArray[np.bool_]:
        """Which stretches have this ease."""
        found: NDArray[np.bool_] = self._eases[index] == _EASE_NAMES.index(ease)
        return found


def no_beats(clock: Clock) -> str | None:
    """Why there are none to count by in a film with this clock."""
    if clock.signals is None:
        return NO_SONG
    if not clock.signals.bpm:
        return "no beats were found in the song; say `bpm` in `listen`"
    return None


def plain(data: Mapping[Any, Any]) -> dict[str, Any]:
    """Keyframes as data that is written out and reads back alike."""
    return {str(key): list(value) if isinstance(value, tuple) else value for key, value in data.items()}


def _known_ease(name: object) -> str:
    if not isinstance(name, str) or name not in EASES:
        raise ValueError(f"ease {name!r} must be one of {', '.join(EASES)}")
    return name


def _require_order(times: list[Time]) -> None:
    """Keyframes of one kind stand in their order; others are compared once the frame rate is known."""
    for kind in ("seconds", "frames", "beats"):
        found = [getattr(time, kind) for time in times if getattr(time, kind) is not None]
        if any(later <= earlier for earlier, later in pairwise(found)):
            raise ValueError("keyframes must stand in the order of their times, no time twice")
