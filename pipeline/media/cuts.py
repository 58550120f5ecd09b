"""Where footage is cut, as the frames of a film that shows it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from torch import Tensor

from pipeline.activity import report
from pipeline.media.footage import follow

SHORTEST_SECONDS = Fraction(1, 2)
"""of a shot: a flash is none"""


def find_cuts(pictures: Iterator[Tensor], above: float, fps: Fraction, frames: int | None) -> tuple[list[int], int]:
    """The frames that shots begin with, but for the first shot, and how many frames there are.

    `pictures` are a film's at `fps`, `frames` or fewer are looked at. A cut is a change above `above`, as `follow` has
    it. Of cuts less than half a second behind another, or before the end, none begins a shot.
    """
    cuts, count = [], 0
    for count, step in enumerate(follow(pictures, None, above), 1):
        if step.cut:
            cuts.append(count - 1)
        report("looking for cuts", count, frames)
        if count == frames:
            break
    return _spaced(cuts, count, max(1, round(SHORTEST_SECONDS * fps))), count


def _spaced(cuts: list[int], frames: int, shortest: int) -> list[int]:
    found: list[int] = []
    for cut in cuts:
        if cut - (found[-1] if found else 0) >= shortest and frames - cut >= shortest:
            found.append(cut)
    return found
