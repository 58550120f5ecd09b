"""How many pictures a second a film has: what its header says where that can be, else what their distances say."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

_COMMON_RATES = tuple(Fraction(n * 1000, 1001) for n in (24, 30, 48, 60, 120)) + tuple(
    Fraction(n) for n in (10, 12, 15, 24, 25, 30, 48, 50, 60, 100, 120)
)
_FALLBACK = Fraction(25)
_MOST = 1000
# Above this a header's rate may be the clock that times are counted in, and only the pictures' distances can tell.
_ORDINARY = 60
_FAST = 120
_LOST = 0.05  # the share of pictures that a rate may pass over: more, and it is too low


def plain_rate(rate: Fraction) -> Fraction:
    """`rate` as the common one it stands for, when a coarse clock blurred it; else with a short fraction."""
    for common in _COMMON_RATES:
        if abs(rate / common - 1) < Fraction(1, 5000):
            return common
    return max(Fraction(1, 1001), rate.limit_denominator(1001))


def stated_rate(stated: Sequence[Fraction | None]) -> Fraction:
    """The first rate that can be one, as it stands; for pictures without times."""
    return next((plain_rate(rate) for rate in stated if rate and 0 < rate <= _MOST), _FALLBACK)


def rate_of(seconds: NDArray[np.float64], stated: Sequence[Fraction | None], *, exact: bool = False) -> Fraction:
    """The rate of pictures shown at these rising times; `stated` are the header's, the best first.

    A stated rate is believed unless it passes over pictures, or is so much faster than they come that it is the
    clock's. Else it is the lowest, from the usual distance of pictures on, that gives nearly each picture a frame of
    its own, or each where times are `exact`.
    """
    if len(seconds) < 2:
        return stated_rate(stated)
    usual = usual_distance(seconds)
    lost = 0.0 if exact else _LOST
    for rate in (rate for rate in stated if rate and 0 < rate <= _MOST):
        if (rate <= _ORDINARY or float(rate) * usual <= 1.5) and _keeps(rate, seconds, lost):
            return plain_rate(rate)
    lowest = _measured(seconds, usual)
    faster = sorted(rate for rate in _COMMON_RATES if rate > lowest and rate.denominator == 1)
    found = next((rate for rate in (lowest, *faster) if _keeps(rate, seconds, lost)), lowest)
    ordinary = [rate for rate in stated if rate and 0 < rate <= _ORDINARY]
    return plain_rate(ordinary[0]) if found > _FAST and ordinary else found


def usual_distance(seconds: NDArray[np.float64]) -> float:
    """The median of the distances, one that there is: between two of them, there may be none at all."""
    return float(np.percentile(np.diff(seconds), 50, method="lower"))


def _keeps(rate: Fraction, seconds: NDArray[np.float64], lost: float) -> bool:
    """Whether all pictures but for a share that may be lost get a frame at `rate`."""
    return passed_over(rate, seconds) <= lost * len(seconds)


def passed_over(rate: Fraction, seconds: NDArray[np.float64]) -> int:
    """How many pictures no frame at `rate` shows, as the next is as near: a frame's are those half a frame around."""
    frames = np.ceil((seconds - seconds[0]) * float(rate) - 0.5 - 1e-6)
    return int((np.diff(frames) == 0).sum())


def _measured(seconds: NDArray[np.float64], usual: float) -> Fraction:
    """The rate that the usual distances amount to; pauses and stray pictures between others do not count."""
    distances = np.diff(seconds)
    regular = distances[(distances > usual / 2) & (distances < usual * 1.5)]
    rate = min(Fraction(_MOST), 1 / Fraction(float(regular.mean())))
    near = min(_COMMON_RATES, key=lambda common: abs(rate / common - 1))
    return near if abs(rate / near - 1) < Fraction(1, 100) else plain_rate(rate)


def about_rate(seconds: NDArray[np.float64], fps: Fraction) -> list[str]:
    """What may surprise in a film of these times shown at `fps`."""
    notes = []
    if fps > _FAST:
        notes.append(
            f"has {float(fps):.5g} pictures a second, each a frame to render; set a lower `fps` to render fewer"
        )
    lost = passed_over(fps, seconds)
    if lost:
        are = "picture is" if lost == 1 else "pictures are"
        notes.append(
            f"{lost} {are} too close to the next to be shown at {float(fps):.5g} frames a second; "
            "a higher `fps` shows all of them"
        )
    if len(seconds) > 2:
        # But for one in twenty either way.
        fastest, slowest = (1 / float(distance) for distance in np.percentile(np.diff(seconds), (5, 95)))
        if fastest > slowest * 1.5:
            notes.append(
                f"has a variable frame rate, {slowest:.3g} to {fastest:.3g} pictures a second, mostly "
                f"{1 / usual_distance(seconds):.3g}; it is taken as {float(fps):.5g} unless `fps` says otherwise"
            )
    return notes
